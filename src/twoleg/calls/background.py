"""Work that goes on for as long as something is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

CANCEL_AGAIN_SECONDS: Final = 3.0
"""Longer than a trunk may take to take note that we deregister."""


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the body, and cancel it when the body is left.

    Work that fails ends the body too: what it did for the body is missing from then on.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        try:
            yield
        finally:
            await cancelled(tasks)


async def cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are gone; what they raised stays theirs to tell.

    One that goes on is cancelled again: before Python 3.12 `asyncio.wait_for`, which the
    connection pool waits by, loses a cancellation that comes together with the result.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
