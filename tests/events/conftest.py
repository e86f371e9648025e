"""An account's calls, and events written to them as the engine and the api write them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from twoleg.store import Database

ADD = """
INSERT INTO call_events (account_id, call_id, sequence, type)
SELECT account_id, id, (SELECT coalesce(max(sequence), 0) + 1 FROM call_events
    WHERE call_id = calls.id), %s
FROM calls WHERE id = %s RETURNING id
"""
Add = Callable[..., Awaitable[int]]


@pytest.fixture
async def connect(database_url: str) -> AsyncIterator[Callable[[], Any]]:
    """Open connections in autocommit, closed at the end."""
    opened: list[psycopg.AsyncConnection[Any]] = []

    async def open_one() -> psycopg.AsyncConnection[Any]:
        opened.append(await psycopg.AsyncConnection.connect(database_url, autocommit=True))
        return opened[-1]

    yield open_one
    for connection in opened:
        await connection.close()


@pytest.fixture
async def connection(connect) -> psycopg.AsyncConnection[Any]:
    return await connect()


@pytest.fixture
async def execute(database: Database):
    async def run(statement: str, *parameters: object) -> list[Any]:
        async with database.connection() as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
async def calls(execute) -> None:
    """Two accounts: calls 1 to 5 are those of account 1, call 6 is that of account 2."""
    await execute("INSERT INTO accounts (id, name) VALUES (1, 'One'), (2, 'Two')")
    await execute(
        "INSERT INTO calls (id, account_id, source, contact_phone_number, line_phone_number)"
        " SELECT n, CASE WHEN n < 6 THEN 1 ELSE 2 END, 'api', '+18181276543', '+18552562001'"
        " FROM generate_series(1, 6) AS n"
    )


@pytest.fixture
def add(execute, calls) -> Add:
    """Write one event of a call, commit it, tell of it, and return its id."""

    async def add(call_id: int = 1, type_: str = "call.queued") -> int:
        [(event_id,)] = await execute(ADD, type_, call_id)
        await execute("SELECT pg_notify('twoleg_events', '')")
        return int(event_id)

    return add


@pytest.fixture
def uncommitted(connect, calls):
    """Write one event in a transaction of its own that stays open for the block."""

    @asynccontextmanager
    async def uncommitted(call_id: int = 1) -> AsyncIterator[tuple[int, Any]]:
        connection = await connect()
        await connection.execute("BEGIN")
        cursor = await connection.execute(ADD, ("call.queued", call_id))
        [(event_id,)] = await cursor.fetchall()
        yield event_id, connection

    return uncommitted
