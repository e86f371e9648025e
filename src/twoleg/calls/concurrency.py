"""Doing several things at once, and leaving no task behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

T = TypeVar("T")


def alongside(work: Coroutine[Any, Any, None]) -> AbstractAsyncContextManager[None]:
    """Run `work` beside the body, and cancel it at the end if it is not done."""
    return _Alongside(work)


class _Alongside:
    __slots__ = ("_task", "_work")

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._work)

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        task = self._task
        await cancelled((task,))
        if kind is None and not task.cancelled():
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
        await cancelled(tasks)


async def cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are gone, even if cancelled oneself meanwhile."""
    running = {task for task in tasks if not task.done()}
    if not running:
        return
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
