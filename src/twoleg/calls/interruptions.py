"""Doing one thing for as long as another lasts, and leaving no task behind."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from twoleg.calls.call_leg import CallLeg

T = TypeVar("T")


class HungUp(Exception):
    """A leg that was on the line is over."""

    def __init__(self, leg: CallLeg) -> None:
        super().__init__(leg.record.role)
        self.leg = leg


@asynccontextmanager
async def while_on_the_line(leg: CallLeg) -> AsyncIterator[None]:
    """Run the body for as long as the far end stays; when it goes, cancel it and raise HungUp."""
    lasting = asyncio.timeout(None)
    async with alongside(_expire_at_end(leg, lasting)):
        try:
            async with lasting:
                yield
        except TimeoutError:
            if not lasting.expired():
                raise
            raise HungUp(leg) from None


@asynccontextmanager
async def alongside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the body, and cancel it at the end if it is not done."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await _cancelled((task,))
    if not task.cancelled():
        task.result()


async def first_of(*waits: Coroutine[Any, Any, T]) -> T:
    """Wait for the first to come, and return what it brings; of two at once, the one named first.

    The others are cancelled.
    """
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        await _cancelled(tasks)


async def _expire_at_end(leg: CallLeg, lasting: asyncio.Timeout) -> None:
    await leg.ended()
    lasting.reschedule(0)


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are gone, even if cancelled oneself meanwhile."""
    running = {task for task in tasks if not task.done()}
    for task in running:
        task.cancel()
    interrupted: asyncio.CancelledError | None = None
    while running:
        try:
            _, running = await asyncio.wait(running)
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted is not None:
        raise interrupted
