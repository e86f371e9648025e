"""Whom a call rings is reserved for it, whichever engines ask, and free again afterwards."""

import asyncio

import pytest
from calls.engine.agent_desk.floor import all_are_free
from waiting import until

from twoleg.calls import agent_desk


async def test_ring_all_reserves_all_that_are_free(office, floor, users):
    group = await office.add_group(*users)
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        assert call.rung == users
        assert await office.reserved() == dict.fromkeys(users, call.call_id)


@pytest.mark.parametrize("strategy", ["in_order", "round_robin", "longest_idle", "random"])
async def test_one_by_one_reserves_only_whom_it_rings_now(office, floor, users, strategy):
    group = await office.add_group(*users, strategy=strategy)
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        rung = []
        while call.rung:
            [user_id] = call.rung
            assert await office.reserved() == {user_id: call.call_id}
            rung.append(user_id)
            await call.next()
        assert sorted(rung) == users
        assert await office.reserved() == {}


async def test_who_was_rung_before_is_free_for_the_next_call(office, floor, users):
    group = await office.add_group(*users, strategy="in_order")
    async with floor() as here:
        first = await here.call(ring_group_id=group)
        second = await here.call(ring_group_id=group)
        assert (first.rung, second.rung) == ([users[0]], [users[1]])
        assert await first.next() == [users[2]]
        assert (await here.call(ring_group_id=group)).rung == [users[0]]


async def test_who_declines_is_free_while_the_others_still_ring(office, floor, users):
    group = await office.add_group(*users)
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        here.desk.release(call.call_id, users[1])

        async def free():
            return users[1] not in await office.reserved()

        await until(free)
        assert await office.reserved() == {users[0]: call.call_id, users[2]: call.call_id}


async def test_calls_claimed_together_get_one_each(office, floor, users):
    group = await office.add_group(*users, strategy="in_order")
    ids = [await office.queue(ring_group_id=group) for _ in range(4)]
    async with floor() as here:
        calls = await here.claim()
        assert [call.call_id for call in calls] == ids
        assert [call.rung for call in calls] == [[users[0]], [users[1]], [users[2]], []]


async def test_a_call_that_is_another_engines_gets_nobody(office, floor, users):
    group = await office.add_group(*users, strategy="in_order")
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        await office.rows("UPDATE calls SET engine_id = NULL")
        assert await call.next() is None


async def test_engines_that_ask_at_once_never_share_a_user(office, floor):
    users = [await office.add_user(f"user-{number}") for number in range(12)]
    groups = [
        await office.add_group(*users, strategy=strategy)
        for strategy in ("in_order", "round_robin", "random", "longest_idle")
    ]
    for group in groups:
        for _ in range(3):
            await office.queue(ring_group_id=group)
    async with floor() as one, floor() as other:
        halves = await asyncio.gather(one.claim(6), other.claim(6))
        calls = [call for half in halves for call in half]
        assert len(calls) == 12
        for _ in range(3):
            await asyncio.gather(*[call.next() for call in calls if call.found])
            rung = [call.rung[0] for call in calls if call.rung]
            assert len(rung) == len(set(rung))
            assert await office.reserved() == {
                call.rung[0]: call.call_id for call in calls if call.rung
            }


async def test_whoever_is_found_for_a_call_that_has_just_ended_is_free_again(
    office, floor, users, monkeypatch
):
    group = await office.add_group(*users, strategy="in_order")
    sought, given_up = asyncio.Event(), asyncio.Event()
    seek = agent_desk.seek

    async def seek_and_be_slow(connection, engine_id, seeks):
        found = await seek(connection, engine_id, seeks)
        sought.set()
        await given_up.wait()
        return found

    monkeypatch.setattr(agent_desk, "seek", seek_and_be_slow)
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        asking = asyncio.create_task(call.next())
        await sought.wait()
        assert await office.reserved() == {users[1]: call.call_id}
        asking.cancel()
        given_up.set()
        await all_are_free(office)


async def test_whoever_is_found_in_the_turn_in_which_a_call_gives_up_is_free_again(
    office, floor, users, monkeypatch
):
    group = await office.add_group(*users, strategy="in_order")
    answer = agent_desk._Ask.answer
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        asking = asyncio.create_task(call.next())

        def answer_and_give_up(ask, found):
            answer(ask, found)
            asking.cancel()

        monkeypatch.setattr(agent_desk._Ask, "answer", answer_and_give_up)
        with pytest.raises(asyncio.CancelledError):
            await asking
        await all_are_free(office)


async def test_no_call_that_has_ended_keeps_a_user(office, database, floor, users, monkeypatch):
    monkeypatch.setattr(agent_desk, "SWEEP_SECONDS", 0.02)
    lost = await office.join()
    call_id = await office.queue(user_id=users[0])
    await office.claim(lost)
    await office.rows("UPDATE calls SET status = 'ended', outcome = 'failed', ended_at = now()")
    assert await office.reserved() == {users[0]: call_id}
    async with floor():
        await all_are_free(office)
