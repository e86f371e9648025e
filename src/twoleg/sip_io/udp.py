"""UDP: one endpoint for each address that we listen on."""

import asyncio
import contextlib
import socket
from typing import Any, Self, cast

from twoleg.sip import Address, Flow, Transport
from twoleg.sip_io.inbox import Inbox

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes that the system may hold while the event loop is busy; it may give less."""

MAX_UNSENT = 4 * 1024 * 1024
"""Bytes that wait when the network takes no more; beyond it datagrams are lost, as UDP may."""

MAX_FLOWS = 4096


class UdpEndpoint(asyncio.DatagramProtocol):
    """A bound socket; what it receives goes to the inbox within the same call.

    ICMP errors are not heard of: a socket that is not connected would have to ask for them
    (IP_RECVERR). Each then makes the next datagram fail in its place, whomever that is for, and
    uvloop 0.23 crashes over one that is left queued. Silence tells the same (`Intervals.silence`).
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._transport: asyncio.DatagramTransport | None = None
        self._flows: dict[tuple[Any, ...], Flow] = {}
        self._error: OSError | None = None
        self._congested = False
        self._closed = asyncio.get_running_loop().create_future()
        self.local = Address("", 0)

    @classmethod
    async def open(cls, inbox: Inbox, host: str, port: int) -> Self:
        """Bind; port 0 takes a free one. Raises OSError."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            with contextlib.suppress(OSError):
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            bound.bind((host, port))
            _, endpoint = await loop.create_datagram_endpoint(lambda: cls(inbox), sock=bound)
        except BaseException:
            bound.close()
            raise
        return endpoint

    def send(self, data: bytes, host: str, port: int) -> bool:
        """Send one datagram; False when it certainly did not leave."""
        transport = self._transport
        if transport is None or self._congested or transport.is_closing():
            return False
        self._error = None
        try:
            transport.sendto(data, (host, port))
        except (OSError, ValueError):
            return False
        return self._error is None

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        host, port = transport.get_extra_info("sockname")[:2]
        self.local = Address(host, port)
        cast(asyncio.WriteTransport, transport).set_write_buffer_limits(high=MAX_UNSENT)

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        flow = self._flows.get(addr)
        if flow is None:
            flow = self._new_flow(addr)
        self._inbox.datagram(data, flow)

    def error_received(self, exc: Exception) -> None:
        """Called from within `sendto` when the system refuses a datagram at once."""
        if isinstance(exc, OSError):
            self._error = exc

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self._closed.done():
            self._closed.set_result(None)

    def _new_flow(self, source: tuple[Any, ...]) -> Flow:
        if len(self._flows) >= MAX_FLOWS:
            self._flows.clear()
        flow = Flow(Transport.UDP, self.local, Address(source[0], source[1]), None)
        self._flows[source] = flow
        return flow
