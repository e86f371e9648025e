from __future__ import annotations

import sqlalchemy as sa

from twoleg.store import Database
from twoleg.store.statements import fetch_all, run
from twoleg.store.tables import accounts


async def test_core_statements_and_plain_sql_share_a_transaction(database: Database) -> None:
    async with database.connection() as connection:
        assert await run(connection, sa.insert(accounts).values(name="100% Acme")) == 1
        cursor = await connection.execute("SELECT name, max_calls FROM accounts")
        assert await cursor.fetchall() == [("100% Acme", 100)]
        names = sa.select(accounts.c.name).where(accounts.c.name.in_(["100% Acme", "Other"]))
        assert await fetch_all(connection, names) == [{"name": "100% Acme"}]


async def test_each_test_has_a_database_of_its_own(database: Database) -> None:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM accounts")
        assert await cursor.fetchone() == (0,)
