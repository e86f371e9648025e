"""Taking in a file of appointments: rows a second, what they cost, and whether memory grows.

The file is CSV, of contacts that are new (one for four rows); it is stored as the api does it and
taken in as a worker does, on the embedded server with fsync on. Then it is taken in once more,
which makes nothing. The first figures are of a tenth of the rows.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
from _figures import figure, machine

from twoleg.directory.accounts import setup_account
from twoleg.directory.importing.imports import (
    Import,
    ImportKind,
    begin_import,
    find_import,
)
from twoleg.directory.importing.taking_in import take_in_next
from twoleg.directory.lines import create_line
from twoleg.reminders.importing.importers import IMPORTERS
from twoleg.reminders.plans import create_plan
from twoleg.store import Database, EmbeddedServer, schema
from twoleg.store.database import Connection

PER_CONTACT = 4
PART_BYTES = 64 * 1024
OPTIONS = {"dry_run": False, "columns": {}, "time_zone": "America/Los_Angeles", "country": "US"}


@dataclass(frozen=True)
class Spent:
    """CPU seconds, and the process's memory in bytes."""

    worker: float
    postgres: float
    memory: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    machine()
    costs = {count: asyncio.run(_measure(count)) for count in (rows // 10, rows)}
    figure(f"imports.cost_growth_{rows // 10}_to_{rows}", costs[rows] / costs[rows // 10], "ratio")


async def _measure(rows: int) -> float:
    """Print the figures of a file of so many rows; return the CPU seconds that a row takes."""
    with (
        tempfile.TemporaryDirectory(prefix="twoleg-bench-") as directory,
        EmbeddedServer(Path(directory)) as server,
    ):
        with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench")
        url = server.url_of("bench")
        schema.upgrade(url)
        async with Database.open(url) as database:
            account = await setup_account(database, "Practice", None)
            async with database.connection() as connection:
                line = await create_line(
                    connection,
                    account.account_id,
                    {"phone_number": "+18552562001", "country": "US"},
                )
                fields = {
                    "name": "The day before",
                    "line_id": line.id,
                    "moments": [{"days_before": 1}],
                    "text": "Hello {name}",
                    "is_default": True,
                }
                await create_plan(connection, account.account_id, fields)
            async with await database.connect() as connection:
                cost = await _take_in(connection, account.account_id, rows, "new")
                await _take_in(connection, account.account_id, rows, "again")
                return cost


async def _take_in(connection: Connection, account_id: int, rows: int, how: str) -> float:
    async with connection.transaction():
        begun = await begin_import(
            connection, account_id, ImportKind.APPOINTMENTS_CSV, OPTIONS, _body(rows)
        )
    before, began = _spent(connection), time.monotonic()
    assert await take_in_next(connection, IMPORTERS)
    seconds, after = time.monotonic() - began, _spent(connection)
    _check(await find_import(connection, account_id, begun.id), rows, how)
    name = f"imports.{rows}.{how}"
    worker, postgres = after.worker - before.worker, after.postgres - before.postgres
    figure(f"{name}.taken", rows / seconds, "rows/s")
    figure(f"{name}.cpu_worker", 1e6 * worker / rows, "us_a_row")
    figure(f"{name}.cpu_postgres", 1e6 * postgres / rows, "us_a_row")
    figure(f"{name}.memory_growth", (after.memory - before.memory) / 1024**2, "MiB")
    return (worker + postgres) / rows


def _check(done: Import, rows: int, how: str) -> None:
    taken = done.rows_created if how == "new" else done.rows_unchanged
    assert (done.state, taken) == ("done", rows), done


async def _body(rows: int) -> AsyncIterator[bytes]:
    waiting = bytearray()
    for line in _lines(rows):
        waiting += line
        if len(waiting) >= PART_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _lines(rows: int) -> Iterator[bytes]:
    yield b"id,name,phone,start,minutes,place,staff\n"
    first = datetime.now(UTC).replace(minute=0) + timedelta(days=2)
    for number in range(rows):
        contact = number // PER_CONTACT
        start = first + timedelta(minutes=15 * (number % 5000))
        yield (
            f"visit-{number},Contact {contact},+1818{2_000_000 + contact},"
            f"{start:%Y-%m-%d %H:%M},15,Main Street 1,Dr. Gray\n"
        ).encode()


def _spent(connection: Connection) -> Spent:
    """Read what this process and the connection's server process have used."""
    here = os.times()
    backend = psutil.Process(connection.info.backend_pid).cpu_times()
    memory = psutil.Process().memory_info().rss
    return Spent(here.user + here.system, backend.user + backend.system, memory)


if __name__ == "__main__":
    main()
