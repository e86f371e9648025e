"""Imports: files that clients send, kept until a worker takes them in; progress and report."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import Select

from twoleg.directory.errors import NotFound
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_all, fetch_one

MAX_BYTES: Final = 64 * 1024 * 1024
PART_BYTES: Final = 256 * 1024


class ImportKind(StrEnum):
    """What a file holds."""

    APPOINTMENTS_CSV = "appointments_csv"
    APPOINTMENTS_CALENDAR = "appointments_calendar"
    CONTACTS_CSV = "contacts_csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import, and how far it is."""

    id: int
    account_id: int
    kind: str
    state: str
    options: Mapping[str, Any]
    bytes: int
    rows_read: int
    rows_created: int
    rows_changed: int
    rows_unchanged: int
    rows_refused: int
    failure: str | None
    created_at: datetime
    ended_at: datetime | None
    bytes_read: int

    @property
    def dry_run(self) -> bool:
        """Whether nothing is stored."""
        return bool(self.options.get("dry_run"))

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        if self.ended_at is not None:
            return 1.0
        return round(min(1.0, self.bytes_read / max(1, self.bytes)), 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A row of an import that was not taken; `column` is what must be mended."""

    id: int
    row: int
    column: str
    message: str
    values: Mapping[str, str]


class TooLarge(Exception):
    """The file is over MAX_BYTES."""


async def begin_import(
    connection: Connection,
    account_id: int,
    kind: ImportKind,
    options: Mapping[str, Any],
    body: AsyncIterator[bytes],
) -> Import:
    """Keep a file, part by part, in the caller's transaction; a worker takes it in soon.

    `options` are `country`, `columns`, `dry_run`, and of appointments `reminder_plan_id` and
    `time_zone`. Raises TooLarge.
    """
    cursor = await connection.execute(
        "INSERT INTO imports (account_id, kind, options) VALUES (%s, %s, %s) RETURNING id",
        (account_id, kind, Jsonb(dict(options))),
    )
    [(import_id,)] = await cursor.fetchall()
    size = 0
    async for number, part in _parts(body):
        size += len(part)
        if size > MAX_BYTES:
            raise TooLarge
        await connection.execute(
            "INSERT INTO import_parts (import_id, part, data) VALUES (%s, %s, %s)",
            (import_id, number, part),
        )
    await connection.execute("UPDATE imports SET bytes = %s WHERE id = %s", (size, import_id))
    return await find_import(connection, account_id, import_id)


async def find_import(
    connection: Connection,
    account_id: int,
    import_id: int,
    kinds: Collection[ImportKind] = tuple(ImportKind),
) -> Import:
    """Return the import, if it is of one of `kinds`; raises NotFound."""
    found = _of(account_id, kinds).where(tables.imports.c.id == import_id)
    row = await fetch_one(connection, found)
    if row is None:
        raise NotFound("imports", import_id)
    return _import(row)


async def list_imports(
    connection: Connection,
    account_id: int,
    kinds: Collection[ImportKind],
    *,
    after_id: int | None,
    limit: int,
) -> list[Import]:
    """Return up to `limit` imports of `kinds` by rising id."""
    imports = tables.imports
    statement = _of(account_id, kinds)
    if after_id is not None:
        statement = statement.where(imports.c.id > after_id)
    rows = await fetch_all(connection, statement.order_by(imports.c.id).limit(limit))
    return [_import(row) for row in rows]


async def list_refusals(
    connection: Connection, import_id: int, *, after_id: int | None, limit: int
) -> list[Refusal]:
    """Return up to `limit` rows of an import that were refused, with the reasons."""
    refusals = tables.import_refusals
    statement = refusals.select().where(refusals.c.import_id == import_id)
    if after_id is not None:
        statement = statement.where(refusals.c.id > after_id)
    rows = await fetch_all(connection, statement.order_by(refusals.c.id).limit(limit))
    return [
        Refusal(
            id=row["id"],
            row=row["row"],
            column=row["column_name"],
            message=row["message"],
            values=row["row_values"],
        )
        for row in rows
    ]


async def _parts(body: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """Give a body in parts of PART_BYTES, counted from 0."""
    number, waiting = 0, bytearray()
    async for chunk in body:
        waiting += chunk
        while len(waiting) >= PART_BYTES:
            yield number, bytes(waiting[:PART_BYTES])
            del waiting[:PART_BYTES]
            number += 1
    if waiting:
        yield number, bytes(waiting)


def _of(account_id: int, kinds: Collection[ImportKind]) -> Select[Any]:
    imports = tables.imports
    return imports.select().where(
        imports.c.account_id == account_id, imports.c.kind.in_(sorted(kinds))
    )


def _import(row: Row) -> Import:
    return Import(**{name: row[name] for name in Import.__dataclass_fields__})
