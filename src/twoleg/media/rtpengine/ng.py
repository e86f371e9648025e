"""A client of rtpengine's NG control protocol over UDP."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Self, cast

from twoleg.media.rtpengine.bencode import Decoded, Encodable, MalformedBencode, decode, encode

RETRANSMIT_SECONDS: Final = (0.25, 0.5, 1.0, 1.0)
"""How long each transmission of a request waits for its reply.

rtpengine remembers a request by its cookie, and answers it again without doing it twice.
"""

MAX_REQUEST_BYTES: Final = 65_000
"""A little less than a UDP datagram carries."""


class NodeSilent(ConnectionError):
    """A node does not answer."""

    def __init__(self, node: str) -> None:
        super().__init__(f"the rtpengine node {node} does not answer")
        self.node = node


class NodeRefused(ConnectionError):
    """A node does not do what it was asked; `reason` is in its own words."""

    def __init__(self, node: str, command: str, reason: str) -> None:
        super().__init__(f"the rtpengine node {node} refused {command}: {reason}")
        self.node = node
        self.command = command
        self.reason = reason


class NgClient(asyncio.DatagramProtocol):
    """Asks one node. Made by `NgClient.open`."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._cookies = (
            f"{secrets.token_hex(4)}_{number}".encode() for number in itertools.count()
        )
        self._waiting: dict[bytes, asyncio.Future[dict[str, Decoded]]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, host: str, port: int) -> AsyncIterator[Self]:
        """Talk to the node at an IP literal and port while the block lasts. Raises OSError."""
        node = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(
            lambda: cls(node), remote_addr=(host, port)
        )
        try:
            yield client
        finally:
            transport.close()

    async def request(
        self, command: str, arguments: Mapping[str, Encodable] | None = None
    ) -> dict[str, Decoded]:
        """Ask, again where no reply comes, and return the reply. Raises NodeSilent, NodeRefused."""
        transport = self._transport
        if transport is None:
            raise NodeSilent(self.node)
        cookie = next(self._cookies)
        data = b"%s %s" % (cookie, encode({"command": command, **(arguments or {})}))
        if len(data) > MAX_REQUEST_BYTES:
            raise ValueError(f"a request of {len(data)} bytes")
        reply = self._waiting[cookie] = asyncio.get_running_loop().create_future()
        try:
            for seconds in RETRANSMIT_SECONDS:
                transport.sendto(data)
                await asyncio.wait((reply,), timeout=seconds)
                if reply.done():
                    return self._accepted(command, reply.result())
        finally:
            del self._waiting[cookie]
            if not reply.cancel():
                reply.exception()  # seen, although whoever asked may have been cancelled
        raise NodeSilent(self.node)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._fail_all()

    def error_received(self, _: Exception) -> None:
        """Take it from the node's host that nothing listens there: no use to ask on."""
        self._fail_all()

    def datagram_received(self, data: bytes, _: object) -> None:
        """Take a reply; what is none to a request that waits is dropped. Never raises."""
        cookie, _, body = data.partition(b" ")
        reply = self._waiting.get(cookie)
        if reply is None or reply.done():
            return
        try:
            content = decode(body)
        except MalformedBencode:
            return
        if isinstance(content, dict):
            reply.set_result(content)

    def _accepted(self, command: str, content: dict[str, Decoded]) -> dict[str, Decoded]:
        if content.get("result") in (b"ok", b"pong"):
            return content
        reason = content.get("error-reason", b"")
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else ""
        raise NodeRefused(self.node, command, text or "no reason given")

    def _fail_all(self) -> None:
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(NodeSilent(self.node))
