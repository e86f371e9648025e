"""What a call turns to when it has rung everybody."""

from calls.engine.agent_desk.floor import all_are_free


async def test_a_user_then_a_group_then_a_number(office, floor, users):
    last = await office.add_group(fallback={"phone_number": "+41445550199"})
    second = await office.add_group(users[2], fallback={"ring_group_id": last})
    group = await office.add_group(*users[:2], fallback={"ring_group_id": second})
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        assert [call.rung, await call.next()] == [users[:2], [users[2]]]
        assert await call.next() == [None]
        assert call.found.agents[0]["phone_number"] == "+41445550199"
        await all_are_free(office)
        assert await call.next() is None


async def test_who_was_rung_is_free_while_the_number_behind_the_group_is_rung(office, floor, users):
    group = await office.add_group(*users, fallback={"phone_number": "+41445550199"})
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        assert [call.rung, await call.next()] == [users, [None]]
        await all_are_free(office)


async def test_groups_that_fall_back_on_each_other_are_asked_once(office, floor, users):
    one = await office.add_group(users[0])
    other = await office.add_group(users[1], fallback={"ring_group_id": one})
    fallback = f'{{"ring_group_id": {other}}}'
    await office.rows("UPDATE ring_groups SET fallback = %s WHERE id = %s", fallback, one)
    async with floor() as here:
        call = await here.call(ring_group_id=one)
        assert [call.rung, await call.next(), await call.next()] == [
            [users[0]],
            [users[1]],
            None,
        ]


async def test_a_user_who_was_rung_is_not_rung_by_the_group_behind(office, floor, users):
    group = await office.add_group(*users)
    async with floor() as here:
        call = await here.call(user_id=users[1], ring_group_id=group)
        assert [call.rung, await call.next(), await call.next()] == [
            [users[1]],
            [users[0], users[2]],
            None,
        ]


async def test_a_busy_user_with_a_group_behind_is_not_waited_for(office, floor, users):
    group = await office.add_group(*users, strategy="in_order")
    async with floor() as here:
        await here.call(user_id=users[1])
        call = await here.call(
            user_id=users[1], ring_group_id=group, options={"max_wait_seconds": 600}
        )
        assert (call.rung, await call.next()) == ([], [users[0]])


async def test_a_group_without_anybody_turns_to_its_fallback_at_once(office, floor, users):
    group = await office.add_group(max_wait_seconds=600, fallback={"user_id": users[0]})
    async with floor() as here:
        call = await here.call(ring_group_id=group)
        assert (call.rung, await call.next()) == ([], [users[0]])
