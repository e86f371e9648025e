"""The worker's periodic jobs, and that they run by procrastinate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from twoleg.store.batches import ROWS_AT_ONCE
from twoleg.worker import (
    PeriodicJob,
    open_jobs,
    periodic_jobs,
    remove_expired_bindings,
    remove_old_calls,
    run_worker,
)

ACCOUNT = "INSERT INTO accounts (id, name) VALUES (1, 'Main')"
USER = """
INSERT INTO users (id, account_id, name, email, sip_username)
VALUES (1, 1, 'Alice', 'alice@example.com', 'alice')
"""
BINDING = """
INSERT INTO bindings (user_id, contact_uri, call_id, cseq, expires_at)
VALUES (1, %s, 'id', 1, now() + %s::interval)
"""
CALLS = """
INSERT INTO calls (account_id, source, status, outcome, contact_phone_number, line_phone_number,
    created_at, ended_at)
SELECT 1, 'api', CASE WHEN %(age)s::text IS NULL THEN 'queued' ELSE 'ended' END,
    CASE WHEN %(age)s::text IS NULL THEN NULL ELSE 'connected' END, '+18181276543', '+18552562001',
    now() - interval '400 days', now() - %(age)s::interval
FROM generate_series(1, %(count)s)
"""
LEG = """
INSERT INTO legs (call_id, position, role, to_uri, started_at)
SELECT id, 1, 'agent', 'sip:alice@192.0.2.1', now() FROM calls
"""


@pytest.fixture
async def execute(database):
    async def run(statement: str, parameters: object = None):
        async with database.connection() as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description else None

    await run(ACCOUNT)
    await run(USER)
    return run


async def test_registrations_that_ran_out_are_removed(database, execute) -> None:
    await execute(BINDING, ("sip:old", "-1 second"))
    await execute(BINDING, ("sip:live", "1 minute"))

    assert await remove_expired_bindings(database) == 1

    assert await execute("SELECT contact_uri FROM bindings") == [("sip:live",)]


async def test_calls_that_ended_long_ago_are_removed_with_their_legs(database, execute) -> None:
    await execute(CALLS, {"age": "31 days", "count": 2})
    await execute(CALLS, {"age": "29 days", "count": 1})
    await execute(CALLS, {"age": None, "count": 1})
    await execute(LEG)

    assert await remove_old_calls(database, days=30) == 2

    assert await execute("SELECT status FROM calls ORDER BY id") == [("ended",), ("queued",)]
    assert await execute("SELECT count(*) FROM legs") == [(2,)]


async def test_more_calls_than_one_transaction_takes_are_all_removed(database, execute) -> None:
    await execute(CALLS, {"age": "31 days", "count": ROWS_AT_ONCE + 1})

    assert await remove_old_calls(database, days=30) == ROWS_AT_ONCE + 1


def test_records_stay_for_ever_unless_their_days_are_counted() -> None:
    always = ["remove_expired_bindings", "remove_old_deliveries", "remove_old_keys"]
    always += ["forget_spoken_texts", "sum_days"]
    assert [job.name for job in periodic_jobs(None, 30, None)] == always
    assert [job.name for job in periodic_jobs(None, 30, 90)] == [*always, "remove_old_recordings"]
    assert [job.name for job in periodic_jobs(30, 30, None)] == [
        *always,
        "remove_old_recordings",
        "remove_old_calls",
    ]


async def test_a_periodic_job_runs_once_a_period_however_many_workers(database, execute) -> None:
    ran: list[str] = []
    first_ran, second_ran = asyncio.Event(), asyncio.Event()

    def job(name: str, event: asyncio.Event) -> PeriodicJob:
        async def run(_: object) -> int:
            ran.append(name)
            event.set()
            return 0

        return PeriodicJob(name, "* * * * *", run)

    shared = job("shared", first_ran)
    async with working(database, [shared]):
        await first_ran.wait()
    # It defers in order: once its own job has run, it has tried the shared one too.
    async with working(database, [shared, job("own", second_ran)]):
        await second_ran.wait()

    [(periods,)] = await execute(
        "SELECT count(*) FROM procrastinate_periodic_defers WHERE task_name = 'shared'"
    )
    assert ran.count("shared") <= periods


async def test_a_job_that_is_under_way_is_let_end(database) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def run(_: object) -> int:
        started.set()
        await stopping.wait()
        ended.set()
        return 0

    stopping = asyncio.Event()
    async with working(database, [PeriodicJob("slow", "* * * * *", run)]):
        await started.wait()
        asyncio.get_running_loop().call_soon(stopping.set)

    assert ended.is_set()


@asynccontextmanager
async def working(database, jobs: list[PeriodicJob]) -> AsyncIterator[None]:
    """A worker that is told to stop at the end."""
    stop = asyncio.Event()
    async with open_jobs(database, jobs) as app:
        worker = asyncio.create_task(run_worker(app, stop))
        try:
            yield
        finally:
            stop.set()
            await worker
