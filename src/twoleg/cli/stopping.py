"""When a process should stop: a signal, or the end of the process that started it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """Have SIGTERM and SIGINT end the process by SystemExit, so that what is open gets closed.

    Only the first counts: closing is not to be broken off half-way.
    """

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(0)

    before = {number: signal.signal(number, end) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.asynccontextmanager
async def stop_requested(*, supervised: bool = False) -> AsyncIterator[asyncio.Event]:
    """Give an event that is set by SIGTERM or SIGINT.

    A supervised process also watches its standard input, whose other end the process that started
    it holds open: its end comes even when that one was killed, so that nothing is orphaned.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    transport: asyncio.ReadTransport | None = None
    if supervised:
        transport, _ = await loop.connect_read_pipe(lambda: _Lifeline(stop), sys.stdin)
    try:
        yield stop
    finally:
        if transport is not None:
            transport.close()
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            # Once told to stop, a second signal is not to break off what is being closed.
            signal.signal(number, signal.SIG_IGN if stop.is_set() else handler)


class _Lifeline(asyncio.Protocol):
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._stop.set()
