"""How long what is awaited may take: `with limits.within(5) as limit`."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Final, Self

_EARLY_SECONDS: Final = 0.001
"""uvloop rounds timers to the millisecond, and may fire one that much before its time."""


class Within:
    """One span of time. What its block then awaits is cancelled, and the block is left as if done.

    `expired` tells that. Otherwise it does what `asyncio.timeout` does; made by `Limits.within`.
    """

    __slots__ = ("_cancelling", "_ending", "_limits", "_seconds", "_task", "expired")

    def __init__(self, limits: Limits, seconds: float | None) -> None:
        self._limits = limits
        self._seconds = seconds
        self._task: asyncio.Task[Any] | None = None
        self._ending: asyncio.Handle | None = None
        self.expired = False

    def __enter__(self) -> Self:
        task = self._task = asyncio.current_task(self._limits.loop)
        assert task is not None
        self._cancelling = task.cancelling()
        if self._seconds is not None:
            self._limits.begin(self, self._seconds)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        task, self._task = self._task, None
        assert task is not None
        if self._seconds is not None:
            self._limits.discard(self, self._seconds)
        if self._ending is not None:
            self._ending.cancel()
        if not self.expired:
            return False
        # Whoever else has cancelled the task meanwhile means all of it.
        return task.uncancel() <= self._cancelling and kind is asyncio.CancelledError

    def end(self) -> bool:
        """Let the time be up now; False: it was, or the block has been left."""
        if self._task is None or self.expired:
            return False
        if asyncio.current_task() is not self._task:
            self.expire()
        elif self._ending is None:
            # It may leave the block before it waits for anything.
            self._ending = asyncio.get_running_loop().call_soon(self.expire)
        return True

    def expire(self) -> None:
        """Let the time be up; not for the task itself to say."""
        if self._task is not None and not self.expired:
            self.expired = True
            self._task.cancel()


class Limits:
    """All spans that run in an event loop; those of one length share a timer.

    A call has four, of lengths that many calls have, and mostly is over before they are: a timer
    for each took longer than all else that a span does. The timers run as long as any span does.
    """

    __slots__ = ("_deadlines", "_running", "_timers", "loop")

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that spans run in; None: none does. To ask which takes a system call."""

        # By their length in seconds; of each length the first that begins is the first to end.
        self._deadlines: dict[float, dict[Within, float]] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}
        self._running = 0

    def within(self, seconds: float | None) -> Within:
        """Make a span of so many seconds, counted from its block's beginning; None: endless."""
        return Within(self, seconds)

    def begin(self, span: Within, seconds: float) -> None:
        """Have a span expire in so many seconds; it says so itself."""
        loop = self.loop
        if loop is None:
            loop = self.loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            self._deadlines[seconds][span] = deadline
        except KeyError:
            self._deadlines[seconds] = {span: deadline}
            self._timers[seconds] = loop.call_at(deadline, self._look, seconds)
        self._running += 1

    def discard(self, span: Within, seconds: float) -> None:
        """Have a span expire no more; it says so itself. Idempotent."""
        try:
            del self._deadlines[seconds][span]
        except KeyError:
            return  # it has expired
        self._running -= 1
        if not self._running:
            self._stop()

    def _look(self, seconds: float) -> None:
        """Let those expire whose time has come, and wake for the next."""
        loop = self.loop
        assert loop is not None
        deadlines = self._deadlines[seconds]
        while deadlines:
            span, deadline = next(iter(deadlines.items()))
            if deadline > loop.time() + _EARLY_SECONDS:
                self._timers[seconds] = loop.call_at(deadline, self._look, seconds)
                return
            del deadlines[span]
            self._running -= 1
            span.expire()
        del self._deadlines[seconds], self._timers[seconds]
        if not self._running:
            self._stop()

    def _stop(self) -> None:
        self.loop = None
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._deadlines.clear()
