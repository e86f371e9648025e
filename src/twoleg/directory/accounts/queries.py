"""The statements about accounts."""

from __future__ import annotations

from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import insert, select, update

from twoleg.directory.accounts.values import Account, NewAccount
from twoleg.directory.errors import Invalid, NotFound
from twoleg.directory.owned_rows import Fields
from twoleg.directory.tokens import create_token
from twoleg.directory.users import create_user, is_email
from twoleg.store import Database, tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_one

OWNER: Final = "Owner"
# A name that can never be anybody's address (RFC 2606 2), until the owner has one.
NO_EMAIL: Final = "owner@twoleg.invalid"
FIRST_TOKEN: Final = "setup"  # noqa: S105  the token's name


async def any_account(database: Database) -> bool:
    """Tell whether there is an account."""
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT EXISTS (SELECT FROM accounts)")
        row = await cursor.fetchone()
    return bool(row and row[0])


async def setup_account(database: Database, name: str, owner_email: str | None) -> NewAccount:
    """Make an account with an owner and a token that may do everything, all or nothing.

    Raises Invalid for an `owner_email` that is none.
    """
    if owner_email is not None and not is_email(owner_email):
        raise Invalid("owner_email", "The owner_email must be a valid email address.")
    owner = {"name": OWNER, "email": owner_email or NO_EMAIL}
    async with database.connection() as connection:
        statement = insert(tables.accounts).values(name=name).returning(tables.accounts)
        account = _account(await fetch_one(connection, statement), 0)
        await create_user(connection, account.id, owner)
        made = await create_token(connection, account.id, {"name": FIRST_TOKEN})
    return NewAccount(account.id, made.secret)


async def find_account(connection: Connection, account_id: int) -> Account:
    """Return the account; raises NotFound."""
    statement = select(tables.accounts).where(tables.accounts.c.id == account_id)
    return _account(await fetch_one(connection, statement), account_id)


async def change_account(connection: Connection, account_id: int, fields: Fields) -> Account:
    """Change the account's settings and return them; raises NotFound."""
    if not fields:
        return await find_account(connection, account_id)
    columns: dict[str, Any] = dict(fields)
    if columns.get("quiet_hours") is not None:
        columns["quiet_hours"] = Jsonb(columns["quiet_hours"])
    statement = (
        update(tables.accounts)
        .where(tables.accounts.c.id == account_id)
        .values(columns)
        .returning(tables.accounts)
    )
    return _account(await fetch_one(connection, statement), account_id)


def _account(row: Row | None, account_id: int) -> Account:
    if row is None:
        raise NotFound("accounts", account_id)
    return Account(**{name: row[name] for name in Account.__dataclass_fields__})
