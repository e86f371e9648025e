"""The rtpengine nodes of a fleet: which of them answer, and how much each carries."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Self

from twoleg.media.rtpengine.bencode import Decoded, Encodable
from twoleg.media.rtpengine.ng import NgClient, NodeRefused, NodeSilent

PING_SECONDS: Final = 2.0
"""How often each node is asked whether it is there."""

MAX_LEGS: Final = 10_000
"""Legs that one engine gives to a node; the node's own range of ports may hold fewer."""

_log = logging.getLogger(__name__)


class NoNodeLeft(ConnectionError):
    """No node took a leg; what each said is in `refusals`."""

    def __init__(self, refusals: Sequence[Exception]) -> None:
        reasons = "; ".join(map(str, refusals)) or "none of the rtpengine nodes answers"
        super().__init__(f"no media node took the leg: {reasons}")
        self.refusals = tuple(refusals)


class Node:
    """One rtpengine, and what we know of it."""

    def __init__(self, client: NgClient) -> None:
        self.name = client.node
        self.healthy = False
        """Whether it answered when it was last asked."""

        self.legs = 0
        """How many of ours it carries."""

        self._client = client

    async def request(self, command: str, arguments: Mapping[str, Encodable]) -> dict[str, Decoded]:
        """Ask it; one that is known to be silent is not asked. Raises NodeSilent, NodeRefused."""
        if not self.healthy:
            raise NodeSilent(self.name)
        try:
            return await self._client.request(command, arguments)
        except NodeSilent:
            # A prompt goes in fragments, which some networks lose: that is no sign of its health.
            if command != "play media":
                self._found(healthy=False)
            raise

    async def watch(self) -> None:
        """Ask it whether it is there, over and over. Never returns."""
        while True:
            await self.look()
            await asyncio.sleep(PING_SECONDS)

    async def look(self) -> None:
        """Find out whether it is there."""
        try:
            await self._client.request("ping")
        except (NodeSilent, NodeRefused):
            self._found(healthy=False)
        else:
            self._found(healthy=True)

    def _found(self, *, healthy: bool) -> None:
        if healthy == self.healthy:
            return
        self.healthy = healthy
        told = {"node": self.name, "legs": self.legs}
        if healthy:
            _log.info("an rtpengine node answers", extra=told)
        else:
            _log.warning("an rtpengine node does not answer; new calls avoid it", extra=told)


async def answers(host: str, port: int) -> bool:
    """Find out whether a node serves its NG protocol at an IP literal and port."""
    try:
        async with NgClient.open(host, port) as client:
            node = Node(client)
            await node.look()
            return node.healthy
    except OSError:
        return False


class Nodes:
    """All nodes. Made by `Nodes.open`."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes

    @classmethod
    @asynccontextmanager
    async def open(cls, places: Sequence[tuple[str, int]]) -> AsyncIterator[Self]:
        """Look after the nodes at these IP literals and ports. Raises OSError."""
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(NgClient.open(*place)) for place in places]
            nodes = [Node(client) for client in clients]
            await asyncio.gather(*(node.look() for node in nodes))
            for node in nodes:
                if not node.healthy:
                    _log.warning("an rtpengine node does not answer", extra={"node": node.name})
            watching = [asyncio.create_task(node.watch()) for node in nodes]
            try:
                yield cls(nodes)
            finally:
                for task in watching:
                    task.cancel()
                await asyncio.gather(*watching, return_exceptions=True)

    def by_load(self) -> list[Node]:
        """List those that answer and have room, the one with the fewest legs first."""
        fit = [node for node in self._nodes if node.healthy and node.legs < MAX_LEGS]
        return sorted(fit, key=lambda node: node.legs)

    @property
    def legs(self) -> int:
        return sum(node.legs for node in self._nodes)

    @property
    def room(self) -> int:
        """How many legs the nodes that answer may still be given."""
        return sum(MAX_LEGS - node.legs for node in self.by_load())
