"""Work on many rows in transactions that are each short."""

from __future__ import annotations

from typing import Final

from twoleg.store.database import Database

ROWS_AT_ONCE: Final = 1000
"""Rows of one transaction: a long one would keep others waiting."""


async def in_batches(
    database: Database, statement: str, *, days: int, rows: int = ROWS_AT_ONCE
) -> int:
    """Run a statement on up to `rows` that are `days` old until there are no more.

    Each time in a transaction of its own; returns how many rows there were.
    """
    done = 0
    while True:
        async with database.connection() as connection:
            batch = (await connection.execute(statement, {"days": days, "rows": rows})).rowcount
        done += batch
        if batch < rows:
            return done
