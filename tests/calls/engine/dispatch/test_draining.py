"""A draining engine claims nothing, gives back what it has not begun, and waits for the rest."""

import asyncio

from twoleg.calls import dispatch


async def test_a_draining_engine_claims_nothing(office, engine):
    async with engine() as draining, engine() as other:
        assert await draining.dispatcher.drain(0) == 0
        ids = [await office.queue() for _ in range(3)]
        assert [(await other.next()).claim.call_id for _ in ids] == ids
        assert draining.begun.empty()


async def test_what_it_was_just_claiming_goes_back_to_the_queue(office, engine, monkeypatch):
    claim = dispatch.claim
    alice = await office.add_user("alice")
    async with engine() as draining:

        async def drain_meanwhile(connection, engine_id, room, after):
            claims = await claim(connection, engine_id, room, after)
            if claims:
                await draining.dispatcher.drain(0)
            return claims

        monkeypatch.setattr(dispatch, "claim", drain_meanwhile)
        call_id = await office.queue(user_id=alice)
        async with engine() as other:
            call = await other.next()
            assert (call.claim.call_id, len(call.claim.found.agents)) == (call_id, 1)
        assert draining.begun.empty()


async def test_what_it_has_not_begun_yet_goes_back_to_the_queue(office, engine, monkeypatch):
    monkeypatch.setattr(dispatch, "CALLS_IN_ONE_GO", 1)
    first, second = [await office.queue() for _ in range(2)]
    async with engine() as draining, asyncio.TaskGroup() as drains:

        def begin_and_drain(claimed, search):
            drains.create_task(draining.dispatcher.drain(0))
            return draining.begin(claimed, search)

        monkeypatch.setattr(draining.dispatcher, "_begin", begin_and_drain)
        assert (await draining.next()).claim.call_id == first
        async with engine() as other:
            assert (await other.next()).claim.call_id == second
        assert draining.begun.empty()


async def test_it_waits_for_the_calls_that_run(office, engine):
    async with engine() as stage:
        await office.queue()
        call = await stage.next()
        drained = asyncio.create_task(stage.dispatcher.drain(60))
        await asyncio.sleep(0)
        assert not drained.done()
        call.hang_up()
        assert await drained == 0


async def test_it_says_how_many_are_left_when_the_time_is_up(office, engine):
    async with engine() as stage:
        await office.queue()
        await stage.next()
        assert await stage.dispatcher.drain(0.01) == 1
