"""The media plane at rtpengine nodes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Self

from twoleg.media.own_end import KeyAgreement
from twoleg.media.plane import EmbeddedPlane
from twoleg.media.rtpengine.descriptions import family_of
from twoleg.media.rtpengine.node_call import NodeCall
from twoleg.media.rtpengine.nodes import Nodes, NoNodeLeft
from twoleg.media.rtpengine.port import RtpenginePort

CLOSE_SECONDS: Final = 2.0
"""How long nodes may take to forget the calls that are left."""


_log = logging.getLogger(__name__)


class NotTogether(Exception):
    """Two ports were opened apart from each other, and are joined by no node."""


class NodeBridge:
    """Two ports whose far ends hear each other until it is closed, or one of them is.

    Ends what is played to either. Raises NotTogether.
    """

    def __init__(self, left: RtpenginePort, right: RtpenginePort) -> None:
        if left.session is not right.session:
            raise NotTogether
        self._left = left
        self._right = right
        for port in (left, right):
            port.leave_partner()
        left.join(right)
        right.join(left)
        left.settle()

    def close(self) -> None:
        """Part the ports. Idempotent; does nothing once they are joined to others."""
        if self._left.partner is self._right:
            self._left.leave_partner()


class RtpenginePlane:
    """Ports and bridges at a fleet of rtpengine nodes. Made by `RtpenginePlane.open`."""

    def __init__(self, nodes: Nodes, ears: EmbeddedPlane) -> None:
        self._nodes = nodes
        self._ears = ears
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, places: Sequence[tuple[str, int]], ears: EmbeddedPlane
    ) -> AsyncIterator[Self]:
        """Use the nodes whose NG protocol is served at these IP literals and ports.

        Those that do not answer are not used until they do. What must be heard here (recordings,
        digits that are asked for, who answered) the nodes send to ports of `ears`. Raises OSError.
        """
        async with Nodes.open(places) as nodes:
            plane = cls(nodes, ears)
            try:
                yield plane
            finally:
                await plane._close()

    @asynccontextmanager
    async def open_port(
        self, beside: RtpenginePort | None = None, agreement: KeyAgreement | None = None
    ) -> AsyncIterator[RtpenginePort]:
        """Open the port of one leg, for as long as the leg lasts; only those beside can be joined.

        With an agreement on keys its audio is SRTP, or is not. Raises NoNodeLeft.
        """
        async with AsyncExitStack() as opened:
            yield await self._opened(opened, beside, agreement)

    def bridge(self, left: RtpenginePort, right: RtpenginePort) -> NodeBridge:
        """Let two far ends hear each other from now on. Raises NotTogether."""
        return NodeBridge(left, right)

    @property
    def ports_free(self) -> int:
        """How many ports the nodes that answer may still be asked for."""
        return self._nodes.room

    @property
    def ports_open(self) -> int:
        return self._nodes.legs

    async def _opened(
        self,
        opened: AsyncExitStack,
        beside: RtpenginePort | None,
        agreement: KeyAgreement | None,
    ) -> RtpenginePort:
        refusals: list[Exception] = []
        for call in (beside.call,) if beside is not None else self._new_calls():
            try:
                return await opened.enter_async_context(call.open_port(agreement))
            except ConnectionError as refusal:
                refusals.append(refusal)
        raise NoNodeLeft(refusals)

    def _new_calls(self) -> Iterator[NodeCall]:
        """Begin a call at the node with the fewest legs, then at the others."""
        family = family_of(self._ears.advertised)
        for node in self._nodes.by_load():
            yield NodeCall(node, family, self._ears, self._spawn)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a leg's media failed", exc_info=error)

    async def _close(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
        left = tuple(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
