"""Calls that wait for somebody: the oldest first, within bounds, and while there is hope."""

import asyncio

import pytest
from calls.engine.agent_desk.floor import end, no_call_waits
from waiting import until

from twoleg.calls import agent_desk, agent_search


async def test_the_oldest_call_gets_who_becomes_free_whichever_engine_has_it(
    office, database, floor, users
):
    group = await office.add_group(users[0], max_wait_seconds=600)
    async with floor() as one, floor() as other:
        busy = await one.call(user_id=users[0])
        calls = [await here.call(ring_group_id=group) for here in (other, one, other, one)]
        assert [call.rung for call in calls] == [[], [], [], []]
        began = asyncio.Queue()

        async def wait(here, call):
            await call.next()
            began.put_nowait((here, call.call_id))

        async with asyncio.TaskGroup() as tasks:
            for here, call in zip((one, other, one, other), reversed(calls), strict=True):
                tasks.create_task(wait(here, call))
            await one.calls_wait(2)
            await other.calls_wait(2)
            await end(office, database, one, busy.call_id)
            order = []
            while len(order) < len(calls):
                here, call_id = await began.get()
                order.append(call_id)
                await end(office, database, here, call_id)
        assert order == [call.call_id for call in calls]


async def test_a_new_call_does_not_overtake_those_that_wait(office, floor, users):
    group = await office.add_group(users[0], max_wait_seconds=600)
    older = await office.queue(ring_group_id=group)
    await office.rows("UPDATE calls SET engine_id = %s", await office.join())
    await office.rows(
        "INSERT INTO waiting_calls (call_id, ring_group_id) VALUES (%s, %s)", older, group
    )
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        assert call.rung == []
        waiting = asyncio.create_task(call.next())
        await here.calls_wait(1)
        assert await office.reserved() == {}
        await office.rows(
            "UPDATE calls SET status = 'ended', outcome = 'canceled', ended_at = now()"
            " WHERE id = %s",
            older,
        )
        assert await waiting == [users[0]]


async def test_no_more_calls_wait_than_the_group_allows(office, floor, users):
    group = await office.add_group(users[0], max_wait_seconds=600, max_waiting=2)
    async with floor() as one, floor() as other:
        await one.call(user_id=users[0])
        calls = [await here.call(ring_group_id=group) for here in (one, other, one, other)]
        tasks = [asyncio.create_task(call.next()) for call in calls]
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 2:
            more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        assert [task.result() for task in done] == [None, None]
        await until(lambda: one.desk.waiting + other.desk.waiting == 2)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_one_account_does_not_fill_the_queue_of_an_engine(office, floor, users, monkeypatch):
    monkeypatch.setattr(agent_desk, "MAX_WAITING_OF_ACCOUNT", 1)
    group = await office.add_group(users[0], max_wait_seconds=600)
    async with floor() as here:
        await here.call(user_id=users[0])
        first, second = [await here.call(ring_group_id=group) for _ in range(2)]
        waiting = asyncio.create_task(first.next())
        await here.calls_wait(1)
        assert await second.next() is None
        monkeypatch.setattr(agent_desk, "MAX_WAITING_OF_ACCOUNT", 2)
        third = asyncio.create_task((await here.call(ring_group_id=group)).next())
        await here.calls_wait(2)
        for task in (waiting, third):
            task.cancel()
        await asyncio.wait((waiting, third))


async def test_a_user_whose_call_has_just_ended_gets_the_next_although_it_asked_for_no_wait(
    office, database, floor, users, monkeypatch
):
    monkeypatch.setattr(agent_search, "SETTLE_SECONDS", 60.0)
    async with floor() as here:
        first = await here.call(user_id=users[0])
        second = await here.call(user_id=users[0])
        assert second.rung == []
        waiting = asyncio.create_task(second.next())
        await here.calls_wait(1)
        await end(office, database, here, first.call_id)
        assert await waiting == [users[0]]


async def test_a_call_that_names_a_busy_user_waits_as_long_as_it_asked(office, floor, users):
    async with floor() as here:
        await here.call(user_id=users[0])
        call = await here.call(user_id=users[0], options={"max_wait_seconds": 600})
        waiting = asyncio.create_task(call.next())
        await here.calls_wait(1)
        await office.rows("DELETE FROM reservations")
        assert await waiting == [users[0]]
        impatient = await here.call(user_id=users[0], options={"max_wait_seconds": 1})
        assert await impatient.next() is None
        await no_call_waits(office)


async def test_after_a_round_a_call_waits_for_those_that_it_has_not_rung(office, floor, users):
    group = await office.add_group(*users[:2], strategy="in_order", max_wait_seconds=600)
    async with floor() as here:
        await here.call(user_id=users[1])
        call = await here.call(ring_group_id=group)
        assert call.rung == [users[0]]
        waiting = asyncio.create_task(call.next())
        await here.calls_wait(1)
        await office.rows("DELETE FROM reservations")
        assert await waiting == [users[1]]
        assert await call.next() is None


async def test_after_a_round_a_call_does_not_wait_for_who_is_away(office, floor, users):
    group = await office.add_group(*users, max_wait_seconds=600)
    await office.rows("UPDATE users SET availability = 'away' WHERE id = %s", users[1])
    await office.rows("UPDATE users SET phone_number = NULL WHERE id = %s", users[2])
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        assert (call.rung, await call.next()) == ([users[0]], None)


async def test_a_call_waits_no_longer_once_there_is_nobody_to_wait_for(office, floor, users):
    group = await office.add_group(*users[:2], max_wait_seconds=600)
    async with floor() as here:
        await here.call(user_id=users[1])
        call = await here.call(ring_group_id=group)
        waiting = asyncio.create_task(call.next())
        await here.calls_wait(1)
        await office.rows("UPDATE users SET availability = 'away' WHERE id = %s", users[1])
        assert await waiting is None
        await no_call_waits(office)


@pytest.mark.parametrize(
    "leave",
    [
        "DELETE FROM ring_group_members",
        "UPDATE ring_groups SET deleted_at = now() WHERE fallback IS NOT NULL",
    ],
)
async def test_a_call_waits_no_longer_once_its_group_is_empty_or_gone(office, floor, users, leave):
    group = await office.add_group(users[0], max_wait_seconds=600, fallback={"user_id": users[1]})
    async with floor() as here:
        await here.call(user_id=users[0])
        call = await here.call(ring_group_id=group)
        assert call.rung == []
        waiting = asyncio.create_task(call.next())
        await here.calls_wait(1)
        await office.rows(leave)
        is_gone = leave.startswith("UPDATE")
        assert await waiting == (None if is_gone else [users[1]])
        await no_call_waits(office)


async def test_who_joins_the_group_of_a_call_that_waits_is_rung(office, floor, users):
    group = await office.add_group(users[0], max_wait_seconds=600)
    async with floor() as here:
        await here.call(user_id=users[0])
        waiting = asyncio.create_task((await here.call(ring_group_id=group)).next())
        await here.calls_wait(1)
        await office.rows(
            "INSERT INTO ring_group_members (ring_group_id, user_id, position) VALUES (%s, %s, 9)",
            group,
            users[1],
        )
        assert await waiting == [users[1]]


async def test_a_call_waits_for_who_is_away_where_it_has_rung_nobody(office, floor, users):
    group = await office.add_group(*users, max_wait_seconds=600)
    await office.rows("UPDATE users SET availability = 'away'")
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        waiting = asyncio.create_task(call.next())
        await here.calls_wait(1)
        await office.rows("UPDATE users SET availability = 'available' WHERE id = %s", users[2])
        assert await waiting == [users[2]]


async def test_a_canceled_call_leaves_the_queue(office, floor, users):
    group = await office.add_group(users[0], max_wait_seconds=600)
    async with floor() as here:
        await here.call(user_id=users[0])
        call = await here.call(ring_group_id=group)
        waiting = asyncio.create_task(call.next())
        await here.calls_wait(1)
        waiting.cancel()
        await no_call_waits(office)
        assert here.desk.waiting == 0


async def test_it_waits_on_after_the_database_was_away(office, floor, users, outage):
    group = await office.add_group(users[0], max_wait_seconds=600)
    async with floor() as here:
        await here.call(user_id=users[0])
        call = await here.call(ring_group_id=group)
        waiting = asyncio.create_task(call.next())
        await here.calls_wait(1)
        await outage.cut()
        await office.rows("DELETE FROM reservations")
        assert await waiting == [users[0]]
