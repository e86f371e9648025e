"""The media plane inside the engine's own process."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from twoleg.media.bridge import Bridge
from twoleg.media.clock import FrameClock
from twoleg.media.due_times import DueTimes
from twoleg.media.own_end import KeyAgreement
from twoleg.media.port import MediaPort, Shared
from twoleg.media.relay import ControlRelay, Relay
from twoleg.media.socket_pairs import SocketPairs
from twoleg.media.webrtc.browsers import Browsers

SWEEP_SECONDS: Final = 0.2
"""How often the one timer looks for due reports, silent ports and idle sockets."""


class EmbeddedPlane:
    """Ports and bridges on this machine's sockets, in the event loop that opened it."""

    def __init__(self, *, host: str, advertised: str, ports: range) -> None:
        self._open: dict[int, MediaPort] = {}
        self._loop = asyncio.get_running_loop()
        self._browsers = Browsers()
        self._relay = Relay(self._loop)
        self._clock = FrameClock()
        self._due_times = DueTimes()
        self._shared = Shared(advertised, self._clock, self._relay, self._browsers, self._due_times)
        self._control = ControlRelay(self._loop)
        self._sockets = SocketPairs(ports, host, self._relay, self._control)
        self._sweep_timer: asyncio.TimerHandle | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        host: str,
        ports: range,
        advertised: str | None = None,
        expects_browsers: bool = False,
    ) -> AsyncIterator["EmbeddedPlane"]:
        """Serve on `host`, an IP literal, with `ports`; phones are told the `advertised` address.

        Where it expects browsers it loads what they need now, which holds up no call then.
        Ports that are still open at the end are closed.
        """
        plane = cls(host=host, advertised=advertised or host, ports=ports)
        if expects_browsers:
            plane._browsers.prepare()
        try:
            yield plane
        finally:
            plane._close()

    def open_port(
        self, beside: MediaPort | None = None, agreement: KeyAgreement | None = None
    ) -> AbstractAsyncContextManager[MediaPort]:
        """Open the port of one leg, for as long as the leg lasts.

        Entering raises NoPortsLeft, OSError.
        """
        # All ports are in one place and any two can be joined; they encrypt when they connect.
        del beside, agreement
        return _PortSpan(self)

    def bridge(self, left: MediaPort, right: MediaPort) -> Bridge:
        """Let two far ends hear each other from now on. Raises CodecMismatch."""
        return Bridge(left, right)

    @property
    def advertised(self) -> str:
        """The address that far ends are told."""
        return self._shared.address

    @property
    def ports_free(self) -> int:
        """How many ports could be opened now."""
        return self._sockets.free

    @property
    def ports_open(self) -> int:
        return len(self._open)

    def take_port(self) -> MediaPort:
        """Open a port that the caller closes; `open_port` sees to that by itself. Raises as it."""
        sockets = self._sockets.take()
        port = MediaPort(sockets, self._shared)
        self._open[port.port] = port
        if self._sweep_timer is None:
            self._sweep_later()
        return port

    def close_port(self, port: MediaPort) -> None:
        """Close a port, and let others have its sockets. Idempotent."""
        if self._open.get(port.port) is port:
            del self._open[port.port]
            port.close()
            self._sockets.give_back(port.sockets)

    def _close(self) -> None:
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for port in tuple(self._open.values()):
            self.close_port(port)
        self._sockets.close()
        self._relay.close()
        self._control.close()

    def _sweep_later(self) -> None:
        self._sweep_timer = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._sweep_timer = None
        now = time.monotonic()
        for number in self._due_times.passed(now):
            port = self._open.get(number)
            if port is not None and now >= port.due:
                port.attend(now)
        self._sockets.look(now)
        if self._open or self._sockets.kept:
            self._sweep_later()


class _PortSpan:
    """A port from its opening to its closing: a call opens two, and generators cost more."""

    __slots__ = ("_plane", "_port")

    def __init__(self, plane: EmbeddedPlane) -> None:
        self._plane = plane

    async def __aenter__(self) -> MediaPort:
        self._port = self._plane.take_port()
        return self._port

    async def __aexit__(self, *error: object) -> None:
        self._plane.close_port(self._port)
