"""Workers come, go and are lost, and the database too: every message is sent all the same."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest
from events.receiver import ANYWHERE, Answer, never, receiving, taken
from waiting import until

from twoleg.events.delivery import delivering, queries, sender, service


def vanish(monkeypatch) -> None:
    """Let workers end as if they were killed: nothing is written, nothing given back."""

    async def nothing(*_):
        pass

    monkeypatch.setattr(service, "DRAIN_SECONDS", 0)
    monkeypatch.setattr(sender.Sender, "leave", nothing)


async def test_events_without_a_worker_are_sent_once_there_is_one(database, hook, add) -> None:
    async with receiving() as receiver:
        await hook(receiver.url)
        async with delivering(database, ANYWHERE):
            await add()
            await receiver.until(1)
        missed = [await add() for _ in range(3)]
        async with delivering(database, ANYWHERE):
            received = await receiver.until(4)
    assert [each.id for each in received[1:]] == [f"evt_{event_id}" for event_id in missed]


async def test_an_event_that_commits_late_is_sent_too(database, hook, add, uncommitted) -> None:
    async with receiving() as receiver, delivering(database, ANYWHERE):
        await hook(receiver.url)
        async with uncommitted(call_id=2) as (late, writer):
            later = await add()
            await writer.execute("COMMIT")
            received = await receiver.until(2)
    assert {each.id for each in received} == {f"evt_{late}", f"evt_{later}"}


async def test_workers_side_by_side_send_each_message_once(
    database, hook, add, written, rows
) -> None:
    async with AsyncExitStack() as stack:
        receivers = [await stack.enter_async_context(receiving()) for _ in range(4)]
        for receiver in receivers:
            await hook(receiver.url)
        for _ in range(3):
            await stack.enter_async_context(delivering(database, ANYWHERE))
        events = [await add(call_id) for _ in range(5) for call_id in range(1, 6)]
        for receiver in receivers:
            await receiver.until(len(events))
        await written()
    for receiver in receivers:
        assert sorted(each.id for each in receiver.received) == sorted(
            f"evt_{event_id}" for event_id in events
        )


async def test_what_a_lost_worker_had_is_sent_by_another_under_the_same_id(
    database, hook, add, execute, written, monkeypatch
) -> None:
    async with receiving(never) as receiver:
        await hook(receiver.url)
        await add()
        with monkeypatch.context() as killed:
            vanish(killed)
            async with delivering(database, ANYWHERE):
                [first] = await receiver.until(1)
        receiver.answering = taken
        [(held,)] = await execute("SELECT leased_until > now() FROM webhook_receivers")
        assert held
        # The lease that it left runs out.
        await execute("UPDATE webhook_receivers SET leased_until = now()")
        async with delivering(database, ANYWHERE):
            _, second = await receiver.until(2)
            await written()
    assert first.id == second.id
    assert first.body == second.body


@pytest.mark.parametrize("seed", range(2))
async def test_workers_that_are_lost_at_any_moment_lose_no_event(
    database, hook, add, execute, monkeypatch, at_once, seed
) -> None:
    monkeypatch.setattr(queries, "LEASE_SECONDS", 0.2)
    monkeypatch.setattr(sender, "LEASE_SECONDS", 0.2)
    vanish(monkeypatch)
    chance = random.Random(seed)

    async def answering(received):
        await asyncio.sleep(0.01 * chance.random())
        return Answer(chance.choice([200, 200, 200, 503]))

    async def come_and_go() -> None:
        while not enough.is_set():
            async with delivering(database, ANYWHERE):
                await asyncio.sleep(0.3 * chance.random())

    events: list[int] = []

    async def write(call_id: int) -> None:
        for _ in range(20):
            events.append(await add(call_id))
            await asyncio.sleep(0.05 * chance.random())

    enough = asyncio.Event()
    async with receiving(answering) as receiver:
        await hook(receiver.url)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(come_and_go())
            await asyncio.gather(*(write(call_id) for call_id in range(1, 6)))
            enough.set()

        async def all_delivered():
            [(count,)] = await execute(
                "SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'"
            )
            return count == len(events)

        async with delivering(database, ANYWHERE):
            await until(all_delivered)
    bodies = {(each.id, each.body) for each in receiver.received}
    assert sorted(id_ for id_, _ in bodies) == sorted(f"evt_{event_id}" for event_id in events)


async def test_a_worker_that_lost_its_receiver_starts_nothing_more(
    database, hook, add, execute, monkeypatch
) -> None:
    monkeypatch.setattr(service, "POLL_SECONDS", 0.01)
    async with receiving() as receiver, delivering(database, ANYWHERE) as working:
        await hook(receiver.url)
        await add()
        await receiver.until(1)
        await execute(
            "UPDATE webhook_receivers SET worker = 'other', leased_until = now() + interval '1 h'"
        )
        working.sender._renew_at = 0.0
        await until(lambda: not working.sender._lanes)
        await add()
        await until(lambda: working.outbox.deliveries == 2)
    assert len(receiver.received) == 1


async def test_the_database_away_for_a_while_loses_nothing(
    database, hook, add, execute, written
) -> None:
    async with receiving() as receiver, delivering(database, ANYWHERE):
        await hook(receiver.url)
        events = [await add()]
        await receiver.until(1)
        await execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        events += [await add() for _ in range(3)]
        await receiver.until(len(events))
        await written("delivered")
    assert {each.id for each in receiver.received} == {f"evt_{event_id}" for event_id in events}
