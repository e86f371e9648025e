"""When a process should stop: a signal, or the end of the supervisor that started it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.asynccontextmanager
async def stop_requested(*, supervised: bool = False) -> AsyncIterator[asyncio.Event]:
    """Give an event that is set by SIGTERM or SIGINT.

    A supervised process also watches its standard input, whose other end the supervisor holds
    open: its end comes even when the supervisor was killed, so that nothing is orphaned.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
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
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


class _Lifeline(asyncio.Protocol):
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._stop.set()
