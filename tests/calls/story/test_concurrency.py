"""Tasks that run beside something and end with it, and blocks that take no longer than they may."""

import asyncio

import pytest
from calls.virtual_time import run

from twoleg.calls.concurrency import Within, alongside, first_of


async def after(seconds, value):
    await asyncio.sleep(seconds)
    return value


def test_the_first_to_come_is_what_counts_and_the_others_are_cancelled():
    async def main(loop):
        assert await first_of(after(3, "late"), after(1, "early")) == "early"
        assert loop.time() == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


def test_of_two_at_once_the_one_named_first_counts():
    async def main(loop):
        gate = loop.create_future()
        loop.call_later(1, gate.set_result, None)

        async def through(name):
            await gate
            return name

        assert await first_of(through("a"), through("b")) == "a"

    run(main)


def test_an_exception_of_the_first_is_raised():
    async def fails():
        raise LookupError

    async def main(loop):
        with pytest.raises(LookupError):
            await first_of(after(1, None), fails())

    run(main)


def test_work_alongside_ends_with_the_body():
    async def main(loop):
        ended_at = []

        async def work():
            try:
                await asyncio.sleep(100)
            finally:
                ended_at.append(loop.time())

        async with alongside(work()):
            await asyncio.sleep(5)
        assert ended_at == [5]

    run(main)


def test_the_failure_of_work_alongside_is_not_lost():
    async def work():
        raise LookupError

    async def main(loop):
        with pytest.raises(LookupError):
            async with alongside(work()):
                await asyncio.sleep(5)

    run(main)


def test_a_second_cancellation_does_not_leave_the_work_behind():
    async def slow_to_go():
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(3)

    async def body():
        async with alongside(slow_to_go()):
            await asyncio.sleep(50)

    async def main(loop):
        task = asyncio.create_task(body())
        loop.call_later(10, task.cancel)
        loop.call_later(11, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert loop.time() == 13

    run(main)


def test_a_block_is_left_when_its_time_is_up():
    async def main(loop):
        with Within(3) as limit:
            await asyncio.sleep(100)
        assert loop.time() == 3
        assert limit.expired
        assert asyncio.current_task().cancelling() == 0

    run(main)


def test_a_block_that_is_done_in_time_leaves_no_timer():
    async def main(loop):
        for seconds in (3, None):
            with Within(seconds) as limit:
                await asyncio.sleep(1)
            assert not limit.expired
            assert not loop.timers()
            assert not limit.end()

    run(main)


def test_a_block_may_be_ended_before_its_time_by_anybody_and_by_itself():
    async def main(loop):
        with Within(None) as limit:
            loop.call_later(2, limit.end)
            await asyncio.sleep(100)
        assert loop.time() == 2
        with Within(100) as limit:
            assert limit.end()
            await asyncio.sleep(100)
        assert (loop.time(), limit.expired) == (2, True)

    run(main)


def test_what_a_block_raises_is_raised_though_its_time_is_up():
    async def fails_when_cancelled():
        try:
            await asyncio.sleep(100)
        finally:
            raise LookupError

    async def main(loop):
        with pytest.raises(LookupError), Within(1):
            await fails_when_cancelled()

    run(main)


def test_a_block_that_returns_as_its_time_is_up_has_returned():
    async def main(loop):
        with Within(1) as limit:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                value = "done"
        assert (value, limit.expired) == ("done", True)
        await asyncio.sleep(1)

    run(main)


@pytest.mark.parametrize("seed", range(20))
def test_who_cancels_a_task_as_its_time_is_up_has_cancelled_it(seed):
    async def body():
        with Within(1):
            await asyncio.sleep(100)
        return "moved on"

    async def main(loop):
        task = asyncio.create_task(body())
        loop.call_later(1, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main, seed=seed)


def test_of_two_blocks_the_one_whose_time_is_up_is_left():
    async def main(loop):
        with Within(5) as outer:
            with Within(2) as inner:
                await asyncio.sleep(100)
            assert (loop.time(), inner.expired, outer.expired) == (2, True, False)
            with Within(50) as inner:
                await asyncio.sleep(100)
            pytest.fail("the outer block's time is up")
        assert (loop.time(), inner.expired, outer.expired) == (5, False, True)

    run(main)
