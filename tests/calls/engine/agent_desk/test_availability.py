"""Who is passed over: who wraps up, is away, or has nothing to be rung at."""

import pytest
from calls.engine.agent_desk.floor import end


async def test_a_user_is_left_alone_for_the_wrap_up_time_of_the_group(
    office, database, floor, users
):
    group = await office.add_group(*users, strategy="in_order", wrap_up_seconds=60)
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        await end(office, database, here, call.call_id, answered_by=users[0])
        assert (await here.call(ring_group_id=group)).rung == [users[1]]
        await office.rows("UPDATE users SET wrap_up_until = now()")
        assert (await here.call(ring_group_id=group)).rung == [users[0]]


async def test_the_accounts_wrap_up_time_counts_where_the_group_has_none(
    office, database, floor, users
):
    await office.rows("UPDATE accounts SET wrap_up_seconds = 60")
    hasty = await office.add_group(users[0], wrap_up_seconds=0)
    group = await office.add_group(users[0])
    async with floor() as here:
        for ring_group_id, still_there in ((hasty, [users[0]]), (group, [])):
            call = await here.call(ring_group_id=ring_group_id)
            await end(office, database, here, call.call_id, answered_by=users[0])
            assert (await here.call(ring_group_id=group)).rung == still_there
            await office.rows("DELETE FROM reservations")


async def test_a_call_that_names_the_user_does_not_mind_the_wrap_up_time(office, floor, users):
    await office.rows("UPDATE users SET wrap_up_until = now() + interval '1 minute'")
    async with floor() as here:
        assert (await here.call(user_id=users[0])).rung == [users[0]]


async def test_who_has_neither_phone_nor_number_is_passed_over(office, floor, users):
    await office.rows("UPDATE users SET phone_number = NULL WHERE id <> %s", users[2])
    await office.register(users[1], "sip:bob@192.0.2.7")
    group = await office.add_group(*users, strategy="in_order")
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        assert [call.rung, await call.next()] == [[users[1]], [users[2]]]


@pytest.mark.parametrize("strategy", ["in_order", "round_robin", "longest_idle", "random"])
async def test_who_goes_away_or_is_deleted_while_another_rings_is_not_rung_after(
    office, floor, users, strategy
):
    group = await office.add_group(*users, strategy=strategy)
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        others = [user for user in users if user not in call.rung]
        await office.rows("UPDATE users SET availability = 'away' WHERE id = %s", others[0])
        await office.rows("UPDATE users SET availability = 'away' WHERE id = ANY(%s)", call.rung)
        assert await office.reserved() == {call.rung[0]: call.call_id}
        assert await call.next() == [others[1]]
        await office.rows("UPDATE users SET deleted_at = now() WHERE id = %s", others[0])
        assert await call.next() is None


async def test_who_is_away_is_not_rung_even_where_the_call_names_them(office, floor, users):
    await office.rows("UPDATE users SET availability = 'away' WHERE id = %s", users[0])
    async with floor() as here:
        call = await here.call(user_id=users[0])
        assert (call.rung, call.found.others) == ([], True)
        assert await call.next() is None
