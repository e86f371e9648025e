"""The worker process: jobs that may wait, durable and retried, on the same PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ConnectorException

from twoleg.calls.recordings import remove_old_recordings
from twoleg.calls.spoken_texts import forget_old_texts
from twoleg.directory.idempotency import remove_old_keys
from twoleg.events.delivery import remove_old_deliveries
from twoleg.reports.call_sums import sum_days
from twoleg.store import Database
from twoleg.store.batches import in_batches
from twoleg.store.url import connection_string

MAX_CONNECTIONS: Final = 4
RETRIES: Final = 3
STOP_SECONDS: Final = 3.0
"""How long a job that is under way may go on once the worker is told to stop."""
AGAIN_SECONDS: Final = 1.0
"""From the loss of the database to the next try."""

SPOKEN_DAYS: Final = 2
"""Speech that nobody has played for so long is made anew when it is wanted again."""

_REMOVE_EXPIRED_BINDINGS: Final = "DELETE FROM bindings WHERE expires_at < now()"

# Ids rise with time: the rows that are old enough come first, and the walk ends at the limit.
_REMOVE_OLD_CALLS: Final = """
DELETE FROM calls WHERE id IN (
    SELECT id FROM calls
    WHERE ended_at < now() - make_interval(days => %(days)s)
      AND NOT EXISTS (
        SELECT FROM recordings r WHERE r.call_id = calls.id
          AND (r.raw_key IS NOT NULL OR r.object_key IS NOT NULL)
      )
    ORDER BY id LIMIT %(rows)s
)
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """Work that comes round; `run` says how many rows it dealt with."""

    name: str
    cron: str
    run: Callable[[Database], Awaitable[int]]


def periodic_jobs(
    record_days: int | None, delivery_days: int, recording_days: int | None
) -> list[PeriodicJob]:
    """Name what comes round; call records stay for ever where `record_days` is None.

    Recordings go with their calls' records, or earlier by `recording_days`.
    """
    remove_deliveries = partial(remove_old_deliveries, days=delivery_days)
    jobs = [
        PeriodicJob("remove_expired_bindings", "*/10 * * * *", remove_expired_bindings),
        PeriodicJob("remove_old_deliveries", "37 3 * * *", remove_deliveries),
        PeriodicJob("remove_old_keys", "7 * * * *", forget_old_keys),
        PeriodicJob("forget_spoken_texts", "47 * * * *", forget_spoken_texts),
        PeriodicJob("sum_days", "11 * * * *", sum_days),
    ]
    kept = [days for days in (record_days, recording_days) if days is not None]
    if kept:
        expire = partial(remove_old_recordings, days=min(kept))
        jobs.append(PeriodicJob("remove_old_recordings", "*/30 * * * *", expire))
    if record_days is not None:
        remove = partial(remove_old_calls, days=record_days)
        jobs.append(PeriodicJob("remove_old_calls", "17 3 * * *", remove))
    return jobs


async def remove_expired_bindings(database: Database) -> int:
    """Remove the registrations of phones that have not come back."""
    async with database.connection() as connection:
        return (await connection.execute(_REMOVE_EXPIRED_BINDINGS)).rowcount


async def forget_old_keys(database: Database) -> int:
    """Remove idempotency keys that may be used anew."""
    async with database.connection() as connection:
        return await remove_old_keys(connection)


async def forget_spoken_texts(database: Database) -> int:
    """Remove speech that was made for calls which are over by now."""
    return await forget_old_texts(database, days=SPOKEN_DAYS)


async def remove_old_calls(database: Database, days: int) -> int:
    """Remove calls that ended more than `days` ago, with their legs and events."""
    return await in_batches(database, _REMOVE_OLD_CALLS, days=days)


@asynccontextmanager
async def open_jobs(
    database: Database, periodic: Sequence[PeriodicJob]
) -> AsyncIterator[procrastinate.App]:
    """Open the procrastinate app with the `periodic` jobs.

    Each is deferred once a period however many workers run: procrastinate's own table of periodic
    defers sees to that.
    """
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            conninfo=connection_string(database.url), min_size=1, max_size=MAX_CONNECTIONS
        )
    )
    for job in periodic:
        _register(app, database, job)
    async with app.open_async():
        yield app


def _register(app: procrastinate.App, database: Database, job: PeriodicJob) -> None:
    async def run(timestamp: int) -> None:
        rows = await job.run(database)
        log.info("periodic job done", job=job.name, due=timestamp, rows=rows)

    task = app.task(name=job.name, queueing_lock=job.name, retry=RETRIES)(run)
    app.periodic(cron=job.cron)(task)


async def run_worker(app: procrastinate.App, stop: asyncio.Event) -> None:
    """Work until `stop`; a job that is under way then may end within `STOP_SECONDS`.

    A database that goes away ends procrastinate's own worker, at times without a word: it is begun
    again.
    """
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            await _work(app, stopping)
            if not stop.is_set():
                log.warning("jobs wait for the database")
                await asyncio.wait({stopping}, timeout=AGAIN_SECONDS)
    finally:
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)


async def _work(app: procrastinate.App, stopping: asyncio.Task[bool]) -> None:
    """Work until told to stop, or until the database is away."""
    working = asyncio.create_task(
        app.run_worker_async(
            install_signal_handlers=False,
            shutdown_graceful_timeout=STOP_SECONDS,
            delete_jobs="successful",
        )
    )
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            with contextlib.suppress(OSError, psycopg.Error, ConnectorException):
                await working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
