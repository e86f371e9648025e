"""Trunks with limits, which all engines hold together."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from itertools import pairwise

import pytest
from calls.engine.conftest import change
from waiting import until

from twoleg.calls import trunk_places
from twoleg.calls.ports import TrunkFull
from twoleg.calls.trunk_places import TrunkPlaces
from twoleg.calls.writer import Writer


@pytest.fixture
def engine(office, database):
    """Open places of an engine; it is followed by its id."""

    @asynccontextmanager
    async def run():
        engine_id = await office.join()
        async with TrunkPlaces.open(database, engine_id) as places:
            yield places, engine_id

    return run


@pytest.fixture
def usage(office):
    async def read(trunk_id):
        calls = await office.rows("SELECT calls FROM trunk_usage WHERE trunk_id = %s", trunk_id)
        slots = await office.value("SELECT count(*) FROM trunk_slots WHERE trunk_id = %s", trunk_id)
        return (calls[0][0] if calls else 0), slots

    return read


async def running_call(office, engine_id):
    call_id = await office.queue()
    await office.rows("UPDATE calls SET engine_id = %s WHERE id = %s", engine_id, call_id)
    return call_id


async def test_engines_together_carry_no_more_than_the_trunk_does(office, engine, usage):
    trunk_id = await office.add_trunk(max_calls=7)
    async with engine() as (one, first), engine() as (other, second), AsyncExitStack() as calls:
        ids = {each: await running_call(office, each) for each in (first, second)}

        async def enter(places, engine_id):
            try:
                await calls.enter_async_context(places.place(trunk_id, ids[engine_id]))
            except TrunkFull:
                return False
            return True

        entered = await asyncio.gather(
            *[enter(*where) for where in [(one, first), (other, second)] * 10]
        )
        assert entered.count(True) == 7
        assert await usage(trunk_id) == (7, 7)


async def test_a_place_is_free_again_once_the_leg_is_over(office, engine, usage):
    trunk_id = await office.add_trunk(max_calls=1)
    async with engine() as (places, engine_id):
        call_id = await running_call(office, engine_id)
        for _ in range(3):
            async with places.place(trunk_id, call_id):
                with pytest.raises(TrunkFull):
                    async with places.place(trunk_id, call_id):
                        pass
            # What is given back goes before what is asked for.
        assert (await usage(trunk_id))[0] <= 1


@pytest.mark.parametrize("limit", [{"max_calls": 0}, {"calls_per_second": 0}])
async def test_a_limit_of_none_lets_nobody_in(office, engine, limit):
    trunk_id = await office.add_trunk(**limit)
    async with engine() as (places, engine_id):
        call_id = await running_call(office, engine_id)
        with pytest.raises(TrunkFull):
            async with places.place(trunk_id, call_id):
                pass


async def test_calls_a_second_leave_at_even_distances_whichever_engine_has_them(office, engine):
    trunk_id = await office.add_trunk(calls_per_second=2)
    turns = []
    async with engine() as (one, first), engine() as (other, second):
        calls = {each: await running_call(office, each) for each in (first, second)}
        for places, engine_id in [(one, first), (other, second)] * 4:
            place = await places._enter(trunk_places._Ask(trunk_id, calls[engine_id]))
            assert 0 <= place.wait_seconds <= len(turns) / 2
            turns.append(await office.value("SELECT next_call_at FROM trunk_usage"))
    distances = [later - sooner for sooner, later in pairwise(turns)]
    assert min(distances) >= timedelta(seconds=0.5)


async def test_a_call_waits_for_its_turn_and_not_for_long(office, engine):
    trunk_id = await office.add_trunk(calls_per_second=1)
    async with engine() as (places, engine_id):
        call_id = await running_call(office, engine_id)
        ask = trunk_places._Ask(trunk_id, call_id)
        assert (await places._enter(ask)).wait_seconds == 0
        later = "UPDATE trunk_usage SET next_call_at = now() + make_interval(secs => %s)"
        await office.rows(later, 9)
        ask = trunk_places._Ask(trunk_id, call_id)
        assert 0 < (await places._enter(ask)).wait_seconds <= 9
        await office.rows(later, 3600)
        with pytest.raises(TrunkFull):
            async with places.place(trunk_id, call_id):
                pass


async def test_the_places_of_calls_that_are_gone_are_given_back(
    office, database, engine, usage, monkeypatch
):
    monkeypatch.setattr(trunk_places, "SWEEP_SECONDS", 0.02)
    trunk_id = await office.add_trunk(max_calls=3)
    lost = await office.join()
    ended, elsewhere, running = [await running_call(office, lost) for _ in range(3)]
    for call_id in (ended, elsewhere, running):
        await office.insert("trunk_slots", trunk_id=trunk_id, call_id=call_id, engine_id=lost)
    await office.rows("INSERT INTO trunk_usage (trunk_id, calls) VALUES (%s, 3)", trunk_id)
    async with Writer.open(database, lost) as writer:
        writer.write(change(ended, office.account_id, 2, "ended"))
        await writer.flushed()
    await office.rows("UPDATE calls SET engine_id = NULL WHERE id = %s", elsewhere)
    async with engine():

        async def one_is_left():
            return await usage(trunk_id) == (1, 1)

        await until(one_is_left)


async def test_a_place_that_nobody_waits_for_any_more_is_given_back(office, engine, usage, outage):
    trunk_id = await office.add_trunk(max_calls=1)
    async with engine() as (places, engine_id):
        call_id = await running_call(office, engine_id)

        async def ask_and_stay():
            with suppress(TrunkFull):
                async with places.place(trunk_id, call_id):
                    await asyncio.Event().wait()

        asks = []
        for _ in range(20):
            asks.append(asyncio.create_task(ask_and_stay()))
            await asyncio.sleep(0)
        for ask in asks:
            ask.cancel()
        await asyncio.wait(asks)
        # Whoever was given the place in that moment gives it back.

        async def free():
            answered = not places._asks and not places._left
            return await usage(trunk_id) == (0, 0) and answered

        await until(free)
        async with places.place(trunk_id, call_id):
            assert await usage(trunk_id) == (1, 1)
        await outage.cut()
        await until(free)
