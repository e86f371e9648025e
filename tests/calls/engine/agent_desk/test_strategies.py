"""In which order the users of a group are rung, on several engines."""

import asyncio

from calls.engine.agent_desk.floor import end


async def test_round_robin_goes_on_where_it_was_on_every_engine(office, floor, users):
    group = await office.add_group(*users, strategy="round_robin")
    rung = []
    async with floor() as one, floor() as other:
        for here in (one, other, one, other, one):
            rung += (await here.call(ring_group_id=group)).rung
            await office.rows("DELETE FROM reservations")
    assert rung == [*users, *users[:2]]


async def test_round_robin_skips_the_busy_and_goes_on_behind_whom_it_rang(office, floor, users):
    group = await office.add_group(*users, strategy="round_robin")
    async with floor() as here:
        await here.call(user_id=users[0])
        assert (await here.call(ring_group_id=group)).rung == [users[1]]
        assert (await here.call(ring_group_id=group)).rung == [users[2]]
        await office.rows("DELETE FROM reservations")
        assert (await here.call(ring_group_id=group)).rung == [users[0]]


async def test_round_robin_shares_calls_that_two_engines_claim_at_once(office, floor, users):
    group = await office.add_group(*users, strategy="round_robin")
    turns = dict.fromkeys(users, 0)
    async with floor() as one, floor() as other:
        for _ in range(9):
            for _ in range(2):
                await office.queue(ring_group_id=group)
            halves = await asyncio.gather(one.claim(1), other.claim(1))
            for [call] in halves:
                [user_id] = call.rung or await call.next()
                turns[user_id] += 1
            await office.rows("DELETE FROM reservations")
    assert turns == dict.fromkeys(users, 6)


async def test_longest_idle_rings_who_never_had_a_call_and_then_by_the_last_end(
    office, floor, users
):
    group = await office.add_group(*users, strategy="longest_idle")
    for user_id, minutes in ((users[0], 1), (users[2], 9)):
        await office.rows(
            "UPDATE users SET last_call_ended_at = now() - make_interval(mins => %s) WHERE id = %s",
            minutes,
            user_id,
        )
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        assert [call.rung, await call.next(), await call.next()] == [
            [users[1]],
            [users[2]],
            [users[0]],
        ]


async def test_longest_idle_counts_the_calls_of_every_engine(office, database, floor, users):
    group = await office.add_group(*users, strategy="longest_idle")
    rung = []
    async with floor() as one, floor() as other:
        for here in (one, other, one, other, other):
            call = await here.call(ring_group_id=group)
            rung += call.rung
            await end(office, database, here, call.call_id, answered_by=call.rung[0])
    assert rung == [*users, *users[:2]]


async def test_only_who_answered_is_less_idle(office, database, floor, users):
    group = await office.add_group(*users, strategy="ring_all")
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        await end(office, database, here, call.call_id, answered_by=users[1])
    rows = await office.rows("SELECT id FROM users WHERE last_call_ended_at IS NOT NULL")
    assert rows == [(users[1],)]
    assert await office.reserved() == {}


async def test_random_rings_each_of_them_first_now_and_then(office, floor, users):
    group = await office.add_group(*users, strategy="random")
    first = set()
    async with floor() as here:
        for _ in range(60):
            first |= set((await here.call(ring_group_id=group)).rung)
            await office.rows("DELETE FROM reservations")
    assert first == set(users)
