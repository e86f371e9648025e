"""Ids are given out before transactions commit: no reader may pass over one that comes late."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from twoleg.events import log
from twoleg.events.log import events_between, settled_end, settled_until

MANY = 1000


async def waiting_reader(connection, after: int, monkeypatch) -> asyncio.Task[int]:
    """A reader that has found a transaction in its way."""
    looked = asyncio.Event()
    writers = log._writers

    async def watched(connection):
        found = await writers(connection)
        looked.set()
        return found

    monkeypatch.setattr(log, "_writers", watched)
    reader = asyncio.create_task(settled_until(connection, after, MANY))
    await looked.wait()
    return reader


async def test_ids_without_a_hole_are_settled_at_once(connection, add) -> None:
    last = [await add() for _ in range(3)][-1]
    assert await settled_until(connection, 0, MANY) == last
    assert await settled_until(connection, last, MANY) == last


async def test_an_event_that_commits_late_is_not_passed_over(
    connection, add, uncommitted, monkeypatch
) -> None:
    async with uncommitted(call_id=2) as (late, writer):
        later = await add()
        assert late < later
        reader = await waiting_reader(connection, 0, monkeypatch)
        await writer.execute("COMMIT")
        assert await reader == later
    assert [event.id for event in await events_between(connection, 0, later)] == [late, later]


async def test_an_id_that_was_rolled_back_holds_nobody_up(
    connection, add, uncommitted, monkeypatch
) -> None:
    async with uncommitted(call_id=2) as (gone, writer):
        later = await add()
        reader = await waiting_reader(connection, 0, monkeypatch)
        await writer.execute("ROLLBACK")
        assert await reader == later
    assert [event.id for event in await events_between(connection, 0, later)] == [later]
    assert gone < later


async def test_what_stands_before_a_missing_id_is_let_go_first(
    connection, add, uncommitted
) -> None:
    first = await add()
    async with uncommitted(call_id=2):
        await add()
        assert await settled_until(connection, 0, MANY) == first


async def test_a_transaction_that_writes_no_events_holds_nobody_up(
    connection, connect, add, uncommitted
) -> None:
    other = await connect()
    await other.execute("BEGIN")
    await other.execute("UPDATE accounts SET name = 'Changed'")
    async with uncommitted(call_id=2) as (_, writer):
        await writer.execute("ROLLBACK")
    last = await add()
    assert await settled_until(connection, 0, MANY) == last


async def test_writers_that_begin_later_hold_nobody_up(
    connection, add, uncommitted, monkeypatch
) -> None:
    async with uncommitted(call_id=2) as (_, writer):
        last = await add()
        reader = await waiting_reader(connection, 0, monkeypatch)
        async with uncommitted(call_id=3):
            await writer.execute("COMMIT")
            assert await reader == last


async def test_the_end_of_the_log_is_settled_too(connection, add, uncommitted) -> None:
    assert await settled_end(connection) == 0
    async with uncommitted(call_id=2) as (_, writer):
        last = await add()
        end = asyncio.create_task(settled_end(connection))
        await writer.execute("COMMIT")
        assert await end == last


@pytest.mark.parametrize("seed", range(3))
async def test_writers_at_once_that_commit_and_roll_back_as_they_like_lose_nothing(
    connection, connect, calls, execute, seed
) -> None:
    chance = random.Random(seed)
    written: list[int] = []

    async def write(call_id: int, turns: list[tuple[int, bool]]) -> None:
        writer = await connect()
        for pause, commit in turns:
            await writer.execute("BEGIN")
            cursor = await writer.execute(
                "INSERT INTO call_events (account_id, call_id, sequence, type)"
                " SELECT 1, %(call)s, coalesce((SELECT max(sequence) FROM call_events"
                " WHERE call_id = %(call)s), 0) + 1, 'call.queued' RETURNING id",
                {"call": call_id},
            )
            [(event_id,)] = await cursor.fetchall()
            for _ in range(pause):
                await writer.execute("SELECT 1")
            await writer.execute("COMMIT" if commit else "ROLLBACK")
            if commit:
                written.append(event_id)

    seen: list[int] = []

    async def read() -> None:
        position = 0
        while not (done.is_set() and position == end):
            settled = await settled_until(connection, position, 7)
            found = await events_between(connection, position, settled)
            seen.extend(event.id for event in found)
            position = settled

    done, end = asyncio.Event(), -1
    reader = asyncio.create_task(read())
    writers = [
        write(call, [(chance.randrange(6), chance.random() < 0.7) for _ in range(25)])
        for call in range(1, 6)
    ]
    await asyncio.gather(*writers)
    [(end,)] = await execute("SELECT coalesce(max(id), 0) FROM call_events")
    done.set()
    await reader

    assert seen == sorted(written)
    assert max(Counter(seen).values()) == 1
