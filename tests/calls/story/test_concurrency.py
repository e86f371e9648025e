"""Tasks that run beside something, and end with it."""

import asyncio

import pytest
from calls.virtual_time import run

from twoleg.calls.concurrency import alongside, first_of


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
