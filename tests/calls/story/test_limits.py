"""Blocks that take no longer than they may, in virtual time."""

import asyncio
from random import Random

import pytest
from calls.virtual_time import run

from twoleg.calls.limits import Limits


def test_a_block_is_left_when_its_time_is_up():
    async def main(loop):
        limits = Limits()
        with limits.within(3) as limit:
            await asyncio.Event().wait()
        assert loop.time() == 3
        assert limit.expired
        assert asyncio.current_task().cancelling() == 0

    run(main)


def test_a_block_that_is_done_in_time_leaves_no_timer():
    async def main(loop):
        limits = Limits()
        for seconds in (3, None):
            with limits.within(seconds) as limit:
                await asyncio.sleep(1)
            assert not limit.expired
            assert not loop.timers()
            assert not limit.end()

    run(main)


def test_a_block_may_be_ended_before_its_time_by_anybody_and_by_itself():
    async def main(loop):
        limits = Limits()
        with limits.within(None) as limit:
            loop.call_later(2, limit.end)
            await asyncio.Event().wait()
        assert loop.time() == 2
        with limits.within(100) as limit:
            assert limit.end()
            await asyncio.Event().wait()
        assert (loop.time(), limit.expired) == (2, True)

    run(main)


def test_what_a_block_raises_is_raised_though_its_time_is_up():
    async def fails_when_cancelled():
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError

    async def main(loop):
        limits = Limits()
        with pytest.raises(LookupError), limits.within(1):
            await fails_when_cancelled()

    run(main)


def test_a_block_that_returns_as_its_time_is_up_has_returned():
    async def main(loop):
        limits = Limits()
        with limits.within(1) as limit:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                value = "done"
        assert (value, limit.expired) == ("done", True)
        await asyncio.sleep(1)

    run(main)


@pytest.mark.parametrize("seed", range(20))
def test_who_cancels_a_task_as_its_time_is_up_has_cancelled_it(seed):
    async def body():
        with Limits().within(1):
            await asyncio.Event().wait()
        return "moved on"

    async def main(loop):
        task = asyncio.create_task(body())
        loop.call_later(1, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main, seed=seed)


def test_of_two_blocks_the_one_whose_time_is_up_is_left():
    async def main(loop):
        limits = Limits()
        with limits.within(5) as outer:
            with limits.within(2) as inner:
                await asyncio.Event().wait()
            assert (loop.time(), inner.expired, outer.expired) == (2, True, False)
            with limits.within(50) as inner:
                await asyncio.Event().wait()
            pytest.fail("the outer block's time is up")
        assert (loop.time(), inner.expired, outer.expired) == (5, False, True)

    run(main)


def test_each_of_many_has_its_own_time():
    ended = {}

    async def body(loop, limits, name, begins, seconds, done):
        await asyncio.sleep(begins)
        with limits.within(seconds) as limit:
            await asyncio.sleep(done)
        ended[name] = (loop.time(), limit.expired)

    async def main(loop):
        limits = Limits()
        async with asyncio.TaskGroup() as group:
            for name, *times in (
                ("first", 0, 5, 100),
                ("done before", 1, 5, 2),
                ("later", 2, 5, 100),
                ("at once with it", 2, 5, 100),
                ("shorter", 3, 1, 100),
                ("alone at the end", 20, 5, 100),
            ):
                group.create_task(body(loop, limits, name, *times))
        assert not loop.timers()

    run(main)
    assert ended == {
        "first": (5, True),
        "done before": (3, False),
        "later": (7, True),
        "at once with it": (7, True),
        "shorter": (4, True),
        "alone at the end": (25, True),
    }


def test_those_of_one_length_have_one_timer():
    async def body(limits):
        with limits.within(5):
            await asyncio.sleep(1)

    async def main(loop):
        limits = Limits()
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(body(limits))
            await asyncio.sleep(0.5)
            assert len([timer for timer in loop.timers() if timer.when() == 5]) == 1

    run(main)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_ends_when_each_is_as_long_as_alone(seed):
    random = Random(seed)
    spans = [
        (random.randrange(20), random.choice((1, 3, 5)), random.randrange(8)) for _ in range(50)
    ]

    async def body(loop, limits, begins, seconds, done):
        await asyncio.sleep(begins)
        with limits.within(seconds) as limit:
            await asyncio.sleep(done + 0.5)
        assert limit.expired == (done >= seconds)
        assert loop.time() == begins + min(seconds, done + 0.5)

    async def main(loop):
        limits = Limits()
        async with asyncio.TaskGroup() as group:
            for span in spans:
                group.create_task(body(loop, limits, *span))
        assert not loop.timers()

    run(main, seed=seed)
