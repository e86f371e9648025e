"""The media plane inside the engine's own process."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from twoleg.media.bridge import Bridge
from twoleg.media.clock import FrameClock
from twoleg.media.port import MediaPort
from twoleg.media.ports import PortPairs, SocketPair, open_pair
from twoleg.media.relay import ControlRelay, Relay

SWEEP_SECONDS: Final = 0.2
"""How often the one timer looks for reports that are due and for silent ports."""


class EmbeddedPlane:
    """Ports and bridges on this machine's sockets, in the event loop that opened it."""

    encrypts: Final = True

    def __init__(self, *, host: str, advertised: str, ports: range) -> None:
        self._host = host
        self._advertised = advertised
        self._pairs = PortPairs(ports)
        self._open: set[MediaPort] = set()
        self._loop = asyncio.get_running_loop()
        self._clock = FrameClock()
        self._relay = Relay(self._loop)
        self._control = ControlRelay(self._loop)
        self._sweep_timer: asyncio.TimerHandle | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, host: str, ports: range, advertised: str | None = None
    ) -> AsyncIterator["EmbeddedPlane"]:
        """Serve on `host`, an IP literal, with `ports`; phones are told the `advertised` address.

        Ports that are still open at the end are closed.
        """
        plane = cls(host=host, advertised=advertised or host, ports=ports)
        try:
            yield plane
        finally:
            plane._close()

    @asynccontextmanager
    async def open_port(self, beside: MediaPort | None = None) -> AsyncIterator[MediaPort]:
        """Open the port of one leg, for as long as the leg lasts. Raises NoPortsLeft, OSError."""
        del beside  # all ports are in one place, and any two of them can be joined
        sockets = open_pair(self._pairs, self._host, time.monotonic)
        port = MediaPort(sockets, self._advertised, clock=self._clock, relay=self._relay)
        try:
            self._control.add(sockets.rtcp, port.receive_rtcp)
            self._open.add(port)
            self._sweep_later()
            yield port
        finally:
            self._close_port(port, sockets)

    def bridge(self, left: MediaPort, right: MediaPort) -> Bridge:
        """Let two far ends hear each other from now on. Raises CodecMismatch."""
        return Bridge(left, right)

    @property
    def advertised(self) -> str:
        """The address that far ends are told."""
        return self._advertised

    @property
    def ports_free(self) -> int:
        """How many ports could be opened now."""
        return self._pairs.free(time.monotonic())

    @property
    def ports_open(self) -> int:
        return len(self._open)

    def _close_port(self, port: MediaPort, sockets: SocketPair) -> None:
        if port in self._open:
            self._open.discard(port)
            self._control.remove(sockets.rtcp)
            port.close()
            self._pairs.release(sockets.port, time.monotonic())

    def _close(self) -> None:
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for port in tuple(self._open):
            self._close_port(port, port.sockets)
        self._relay.close()
        self._control.close()

    def _sweep_later(self) -> None:
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._sweep_timer = None
        now = time.monotonic()
        for port in tuple(self._open):
            if now >= port.due:
                port.attend(now)
        if self._open:
            self._sweep_later()
