"""The worker's part in imports: files are taken in, batch by batch.

A batch of rows and the progress that it makes are one transaction: an import that was cut short is
gone on with behind its last batch, by whichever worker comes first.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import IO, Any, Final, TypeVar

import structlog
from psycopg.types.json import Jsonb

from twoleg.directory.importing.dry_run import DryRun, Names
from twoleg.directory.importing.imports import Import, ImportKind, find_import
from twoleg.directory.importing.rows import CannotRead, RefusedRow, Stored
from twoleg.store.database import Connection

BATCH: Final = 250
"""Rows in one transaction."""

LEASE_SECONDS: Final = 60
MAX_REFUSALS: Final = 10_000
"""Refused rows that are kept for the report; all are counted."""

_IN_MEMORY: Final = 1024 * 1024

# Two imports at once would each make the contacts that both have.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('twoleg.imports'), %s::int)"

Read = TypeVar("Read")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Importer:
    """How the files of one kind are taken in."""

    read: Callable[[Import, IO[bytes]], Iterator[Any | RefusedRow]]
    """Yield one thing for each row of a file, which is at its start; raises CannotRead."""

    store: Callable[[Connection, Import, Sequence[Any]], Awaitable[Stored]]
    """Store a batch of what `read` yields in the caller's transaction, under `lock_imports`."""

    names: Names
    """By what a later row finds what a row stored."""


async def lock_imports(connection: Connection, account_id: int) -> None:
    """Wait until no other transaction takes rows into the account, and keep others waiting."""
    await connection.execute(_LOCK, (account_id % 2**31,))


async def take_in_next(connection: Connection, importers: Mapping[ImportKind, Importer]) -> bool:
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
            await _take_in(connection, taken, importers[ImportKind(taken.kind)], file)
    except CannotRead as error:
        await _end(connection, taken.id, error.message.replace("\0", "\ufffd"))
    else:
        await _end(connection, taken.id, None)
    return True


async def _take_in(
    connection: Connection, taken: Import, importer: Importer, file: IO[bytes]
) -> None:
    held = partial(_in_thread, connection, taken.id)
    rows = await held(lambda: importer.read(taken, file))
    # A batch is read in a thread: webhooks and reminders go on meanwhile.
    dry_run = DryRun(importer.names) if taken.dry_run else None
    skipped = await held(lambda: _skip(rows, taken.rows_read, dry_run))
    log.info("import goes on", import_id=taken.id, rows=skipped)
    while batch := await held(lambda: list(islice(rows, BATCH))):
        good = [row for row in batch if not isinstance(row, RefusedRow)]
        refused = [row for row in batch if isinstance(row, RefusedRow)]
        async with connection.transaction():
            if dry_run is None:
                stored = await importer.store(connection, taken, good) if good else Stored()
            else:
                stored = await _try(connection, taken, importer, good, dry_run)
            refused = sorted((*refused, *stored.refused), key=lambda each: each.row)
            stored = stored._replace(refused=refused)
            await _keep_progress(connection, taken.id, len(batch), stored, file.tell())


def _skip(rows: Iterator[Any | RefusedRow], count: int, dry_run: DryRun | None) -> int:
    """Pass over the rows of batches that were taken in before; return how many there were."""
    skipped = 0
    for row in islice(rows, count):
        skipped += 1
        if dry_run is not None and not isinstance(row, RefusedRow):
            dry_run.remember((row,))
    return skipped


async def _try(
    connection: Connection,
    taken: Import,
    importer: Importer,
    rows: Sequence[Any],
    dry_run: DryRun,
) -> Stored:
    """Tell what storing a batch would come to, and leave nothing of it but in `dry_run`."""
    others, again = dry_run.take_again(rows)
    if not others:
        return again
    async with connection.transaction(force_rollback=True):
        stored = await importer.store(connection, taken, others)
    without = {refused.row for refused in stored.refused}
    dry_run.remember(row for row in others if row.row not in without)
    return stored._replace(
        changed=stored.changed + again.changed, unchanged=stored.unchanged + again.unchanged
    )


async def _in_thread(connection: Connection, import_id: int, read: Callable[[], Read]) -> Read:
    """Return what `read` does, and have no other worker take the import for abandoned meanwhile.

    A calendar is read whole before its first row comes, which may take a minute.
    """
    reading = asyncio.create_task(asyncio.to_thread(read))
    try:
        while True:
            await asyncio.wait({reading}, timeout=LEASE_SECONDS / 3)
            if reading.done():
                return reading.result()
            await connection.execute(
                "UPDATE imports SET leased_until = now() + make_interval(secs => %s) WHERE id = %s",
                (LEASE_SECONDS, import_id),
            )
    finally:
        reading.cancel()


async def _keep_progress(
    connection: Connection,
    import_id: int,
    rows: int,
    stored: Stored,
    position: int,
) -> None:
    *counts, refused = stored
    cursor = await connection.execute(
        """UPDATE imports SET rows_read = rows_read + %s, rows_created = rows_created + %s,
             rows_changed = rows_changed + %s, rows_unchanged = rows_unchanged + %s,
             rows_refused = rows_refused + %s, bytes_read = greatest(bytes_read, %s),
             leased_until = now() + make_interval(secs => %s)
           WHERE id = %s RETURNING rows_refused""",
        (rows, *counts, len(refused), position, LEASE_SECONDS, import_id),
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
