"""SQLAlchemy Core statements on psycopg connections.

Core composes what varies (filters, PATCH, pages); psycopg runs it, on the same pool and in the
same transaction as plain SQL. Values are bound as psycopg adapts them: JSON is given as `Jsonb`.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg.rows import dict_row
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from twoleg.store.database import Connection

_DIALECT: Final = PGDialect_psycopg(paramstyle="pyformat")  # type: ignore[no-untyped-call]

Row = dict[str, Any]


async def fetch_all(connection: Connection, statement: Executable) -> list[Row]:
    """Run `statement` and return its rows by column name."""
    sql, parameters = _compile(statement)
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, parameters)
        return await cursor.fetchall()


async def fetch_one(connection: Connection, statement: Executable) -> Row | None:
    """Run `statement` and return its first row, if there is one."""
    sql, parameters = _compile(statement)
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, parameters)
        return await cursor.fetchone()


async def run(connection: Connection, statement: Executable) -> int:
    """Run `statement` and return how many rows it changed."""
    sql, parameters = _compile(statement)
    return (await connection.execute(sql, parameters)).rowcount


def _compile(statement: Executable) -> tuple[str, dict[str, Any]]:
    compiled = statement.compile(  # type: ignore[attr-defined]
        dialect=_DIALECT, compile_kwargs={"render_postcompile": True}
    )
    return str(compiled), dict(compiled.params)
