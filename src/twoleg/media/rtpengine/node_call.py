"""A call at a node, with its ports, from the first that is opened to the last that is closed."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from twoleg.media.own_end import KeyAgreement
from twoleg.media.plane import EmbeddedPlane
from twoleg.media.rtpengine.gateway import Gateway
from twoleg.media.rtpengine.nodes import Node
from twoleg.media.rtpengine.port import RtpenginePort
from twoleg.media.rtpengine.session import Session
from twoleg.media.rtpengine.statistics import leg_statistics

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]

LOOK_SECONDS: Final = (1.0, 1.0, 2.0, 3.0, 5.0)
"""How long to wait between the first looks at a call's figures, then the last again."""


class NodeCall:
    """Ports that may be joined to each other; what goes on beside them is the plane's to end."""

    def __init__(self, node: Node, family: str, ears: EmbeddedPlane, spawn: Spawn) -> None:
        self.session = Session(node, family)
        self.ears = ears
        self.node = node
        self.spawn = spawn
        self._ports: dict[str, RtpenginePort] = {}
        self._opening = 0
        self._watching: asyncio.Task[None] | None = None
        self._looking: asyncio.Future[None] | None = None
        spawn(self.session.work())

    @asynccontextmanager
    async def open_port(
        self, agreement: KeyAgreement | None = None
    ) -> AsyncIterator[RtpenginePort]:
        """Open a port for as long as the block lasts; with an agreement on keys it is of SRTP.

        Raises NodeSilent, NodeRefused, SessionLost, UnusableDescription.
        """
        tag = secrets.token_hex(8)
        gateway = None if agreement is None else Gateway(self, tag, agreement)
        self._opening += 1
        self.node.legs += 1
        try:
            at = await self.session.ask(lambda: self.session.open(tag))
            if gateway is not None:
                at = await self.session.ask(gateway.open)
            port = self._ports[tag] = RtpenginePort(self, tag, at, gateway)
            if self._watching is None:
                self._watching = self.spawn(self._watch())
            yield port
        finally:
            self.node.legs -= 1
            self._opening -= 1
            if gateway is not None:
                gateway.close()
            self._close_port(tag)

    async def look(self) -> None:
        """Have the node tell its figures to the ports; what it cannot tell stays as it was."""
        if self._looking is not None:
            await asyncio.wait((self._looking,))
            return
        looking = self._looking = asyncio.get_running_loop().create_future()
        try:
            with suppress(ConnectionError):
                reply = await self.session.figures()
                for tag, port in self._ports.items():
                    statistics = leg_statistics(reply, tag)
                    if statistics is not None:
                        port.seen(statistics)
        finally:
            self._looking = None
            looking.set_result(None)

    async def _watch(self) -> None:
        pauses = iter(LOOK_SECONDS)
        pause = 0.0
        while not self.session.lost:
            pause = next(pauses, pause)
            await asyncio.sleep(pause)
            await self.look()
            for port in self._ports.values():
                # What a silent node was not told before is told now.
                port.settle()

    def _close_port(self, tag: str) -> None:
        port = self._ports.pop(tag, None)
        if port is not None:
            port.close()
        if self._opening:
            self.session.post(lambda: self.session.remove(tag))
            return
        if self._watching is not None:
            self._watching.cancel()
        self.session.close()
