"""Imports: files that clients send, taken in by a worker, with progress and a report.

A batch of rows and the progress that it makes are one transaction: an import that was cut short is
gone on with behind its last batch, by whichever worker comes first.
"""

from __future__ import annotations

import asyncio
import codecs
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import IO, Any, Final

import structlog
from psycopg.types.json import Jsonb

from twoleg.directory.errors import NotFound
from twoleg.reminders.appointments.queries import default_plan
from twoleg.reminders.importing.calendar_rows import CalendarOptions, read_calendar
from twoleg.reminders.importing.csv_rows import Column, CsvOptions, read_csv
from twoleg.reminders.importing.rows import CannotRead, ImportedAppointment, RefusedRow
from twoleg.reminders.importing.storing import Stored, store_rows
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_all, fetch_one

MAX_BYTES: Final = 64 * 1024 * 1024
PART_BYTES: Final = 256 * 1024
BATCH: Final = 250
"""Rows in one transaction."""

LEASE_SECONDS: Final = 60
MAX_REFUSALS: Final = 10_000
"""Refused rows that are kept for the report; all are counted."""

_CHARSETS: Final = ("utf-8-sig", "cp1252")
"""What spreadsheets write: of a file that is no UTF-8 every byte is a sign of the second."""

_IN_MEMORY: Final = 1024 * 1024

log = structlog.get_logger(__name__)


class ImportKind(StrEnum):
    """What a file holds."""

    APPOINTMENTS_CSV = "appointments_csv"
    APPOINTMENTS_CALENDAR = "appointments_calendar"


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

    `options` are `reminder_plan_id`, `time_zone`, `country`, `columns`, `dry_run`. Raises TooLarge.
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


async def find_import(connection: Connection, account_id: int, import_id: int) -> Import:
    """Return the import; raises NotFound."""
    found = tables.imports.select().where(
        tables.imports.c.account_id == account_id, tables.imports.c.id == import_id
    )
    row = await fetch_one(connection, found)
    if row is None:
        raise NotFound("imports", import_id)
    return _import(row)


async def list_imports(
    connection: Connection, account_id: int, *, after_id: int | None, limit: int
) -> list[Import]:
    """Return up to `limit` imports by rising id."""
    imports = tables.imports
    statement = imports.select().where(imports.c.account_id == account_id)
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


async def take_in_next(connection: Connection) -> bool:
    """Take in one import that waits, or that a worker left behind; tell whether there was one.

    `connection` is in autocommit: every batch is a transaction.
    """
    cursor = await connection.execute(
        """UPDATE imports SET state = 'running', leased_until = now() + make_interval(secs => %s)
           WHERE id = (SELECT id FROM imports WHERE ended_at IS NULL
             AND (leased_until IS NULL OR leased_until < now())
             ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
           RETURNING id, account_id""",
        (LEASE_SECONDS,),
    )
    row = await cursor.fetchone()
    if row is None:
        return False
    taken = await find_import(connection, row[1], row[0])
    try:
        async with _file_of(connection, taken.id) as file:
            await _take_in(connection, taken, file)
    except CannotRead as error:
        await _end(connection, taken.id, error.message.replace("\0", "\ufffd"))
    else:
        await _end(connection, taken.id, None)
    return True


async def _take_in(connection: Connection, taken: Import, file: IO[bytes]) -> None:
    plan_id = taken.options.get("reminder_plan_id")
    if plan_id is None:
        plan_id = await default_plan(connection, taken.account_id)
    rows = await asyncio.to_thread(_rows, taken, file)
    # A batch is read in a thread: webhooks and reminders go on meanwhile.
    skipped = await asyncio.to_thread(lambda: sum(1 for _ in islice(rows, taken.rows_read)))
    log.info("import goes on", import_id=taken.id, rows=skipped)
    while batch := await asyncio.to_thread(lambda: list(islice(rows, BATCH))):
        good = [row for row in batch if isinstance(row, ImportedAppointment)]
        refused = [row for row in batch if isinstance(row, RefusedRow)]
        async with connection.transaction():
            stored = Stored(0, 0, 0)
            async with connection.transaction(force_rollback=taken.dry_run):
                if good:
                    stored = await store_rows(connection, taken.account_id, good, plan_id=plan_id)
            await _keep_progress(connection, taken.id, len(batch), stored, refused, file.tell())


def _rows(taken: Import, file: IO[bytes]) -> Iterator[ImportedAppointment | RefusedRow]:
    """Begin to read a file, which is at its start. Raises CannotRead."""
    zone, country = taken.options["time_zone"], taken.options.get("country")
    if taken.kind == ImportKind.APPOINTMENTS_CALENDAR:
        options = CalendarOptions(time_zone=zone, country=country)
        return read_calendar(file.read(), options, datetime.now(UTC))
    columns = {name: Column(each) for name, each in (taken.options.get("columns") or {}).items()}
    charset = _charset(file)
    lines = (line.decode(charset, "replace") for line in file)
    return read_csv(lines, CsvOptions(time_zone=zone, country=country, columns=columns))


def _charset(file: IO[bytes]) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while part := file.read(PART_BYTES):
            decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _CHARSETS[1]
    finally:
        file.seek(0)
    return _CHARSETS[0]


async def _keep_progress(
    connection: Connection,
    import_id: int,
    rows: int,
    stored: Stored,
    refused: Sequence[RefusedRow],
    position: int,
) -> None:
    cursor = await connection.execute(
        """UPDATE imports SET rows_read = rows_read + %s, rows_created = rows_created + %s,
             rows_changed = rows_changed + %s, rows_unchanged = rows_unchanged + %s,
             rows_refused = rows_refused + %s, bytes_read = greatest(bytes_read, %s),
             leased_until = now() + make_interval(secs => %s)
           WHERE id = %s RETURNING rows_refused""",
        (rows, *stored, len(refused), position, LEASE_SECONDS, import_id),
    )
    [(count,)] = await cursor.fetchall()
    kept = refused[: max(0, MAX_REFUSALS - (count - len(refused)))]
    if kept:
        async with connection.cursor() as many:
            await many.executemany(
                """INSERT INTO import_refusals (import_id, row, column_name, message, row_values)
                   VALUES (%s, %s, %s, %s, %s)""",
                [
                    (import_id, each.row, each.column, each.message, Jsonb(_shown(each.values)))
                    for each in kept
                ],
            )


def _shown(values: Mapping[Any, str]) -> dict[str, str]:
    return {str(name): value.replace("\0", "\ufffd") for name, value in values.items()}


async def _end(connection: Connection, import_id: int, failure: str | None) -> None:
    async with connection.transaction():
        await connection.execute(
            """UPDATE imports SET state = %s, failure = %s, ended_at = now() WHERE id = %s""",
            ("done" if failure is None else "failed", failure, import_id),
        )
        await connection.execute("DELETE FROM import_parts WHERE import_id = %s", (import_id,))


@asynccontextmanager
async def _file_of(connection: Connection, import_id: int) -> AsyncIterator[IO[bytes]]:
    """Have the file at hand, on disk where it is large."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        number = 0
        while True:
            cursor = await connection.execute(
                "SELECT data FROM import_parts WHERE import_id = %s AND part = %s",
                (import_id, number),
            )
            row = await cursor.fetchone()
            if row is None:
                break
            file.write(row[0])
            number += 1
        file.seek(0)
        yield file


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


def _import(row: Row) -> Import:
    return Import(**{name: row[name] for name in Import.__dataclass_fields__})
