"""Those who wait at a port: for something that comes, or for silence."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from twoleg.media.due_times import NEVER

T = TypeVar("T")


class PortClosed(Exception):
    """The port was closed while something waited on it."""


@dataclass(slots=True, eq=False)
class _Silence:
    """Somebody's wait for so many seconds without a packet."""

    seconds: float
    over: "asyncio.Future[None]"


class Waits:
    """The waits at one port, whose time is that of whoever calls."""

    __slots__ = ("_changes", "closed", "silences")

    def __init__(self) -> None:
        self._changes: tuple[asyncio.Future[None], ...] = ()
        self.silences: tuple[_Silence, ...] = ()
        """Those who wait for silence."""

        self.closed = False

    async def change(self) -> None:
        """Wait until a digit was pressed, or the far end's stream has come. Raises PortClosed."""
        future = self._future()
        self._changes = (*self._changes, future)
        try:
            await future
        finally:
            self._changes = _without(future, self._changes)

    def wake(self) -> None:
        """Have those who wait for a change look whether it is theirs."""
        # All of them: the one woken first may have been cancelled.
        for future in self._changes:
            if not future.done():
                future.set_result(None)

    def silence(self, seconds: float) -> Awaitable[None]:
        """Begin to wait until `look` finds silence of so long; to be awaited at once.

        Raises PortClosed, and so does awaiting it.
        """
        silence = _Silence(seconds, self._future())
        self.silences = (*self.silences, silence)
        return self._end_of(silence)

    def look(self, quiet_since: float, now: float) -> None:
        """End the waits for a silence that has lasted as long by now."""
        for silence in self.silences:
            if not silence.over.done() and now - quiet_since >= silence.seconds:
                silence.over.set_result(None)

    def due(self, quiet_since: float) -> float:
        """Say when `look` is to be called, if it stays as quiet; `NEVER` where nobody waits."""
        due = NEVER
        for silence in self.silences:
            if not silence.over.done():
                due = min(due, quiet_since + silence.seconds)
        return due

    def close(self) -> None:
        """Have all who wait, and who will, raise PortClosed."""
        self.closed = True
        for future in (*self._changes, *[silence.over for silence in self.silences]):
            if not future.done():
                future.set_exception(PortClosed())

    def _future(self) -> "asyncio.Future[None]":
        if self.closed:
            raise PortClosed
        return asyncio.get_running_loop().create_future()

    async def _end_of(self, silence: _Silence) -> None:
        try:
            await silence.over
        finally:
            self.silences = _without(silence, self.silences)


def _without(one: T, several: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(each for each in several if each is not one)
