"""One connection: its framing, its keep-alives, and what may have been lost in it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias, cast

from twoleg.sip import (
    Address,
    Flow,
    KeepAlive,
    Outgoing,
    RemoteProtocolError,
    Request,
    Response,
    StreamParser,
    Transport,
)
from twoleg.sip.values import immutable

if TYPE_CHECKING:
    from twoleg.sip_io.connections import Connections

MAX_UNSENT = 256 * 1024
"""Bytes that may wait for a peer that does not read; beyond it the connection is broken off."""

MAX_UNHEARD = 64
"""Requests written to one connection that are told of when it breaks before anything came back."""

PING = b"\r\n\r\n"
PONG = b"\r\n"

Item: TypeAlias = Request | Response | KeepAlive | RemoteProtocolError


@immutable()
class Peer:
    """What makes a connection fit for a destination: where it leads, and who was proved."""

    transport: Transport
    host: str
    port: int
    domain: str | None
    verify: bool


class Connection(asyncio.Protocol):
    """One TCP or TLS connection, whichever side opened it."""

    def __init__(
        self, table: Connections, number: int, transport: Transport, peer: Peer | None
    ) -> None:
        self._table = table
        self._parser = StreamParser()
        self._kind = transport
        self._stream: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._unheard: deque[Outgoing] = deque(maxlen=MAX_UNHEARD)
        self.number = number
        self.peer = peer
        self.proven = peer is not None
        self.heard = False
        """Whether anything ever came by it."""
        self.last_heard = self.last_used = self._loop.time()
        """An accepted connection that has brought no message is as old as itself."""
        self.flow: Flow | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def usable(self) -> bool:
        return self._stream is not None and not self._stream.is_closing()

    def send(self, sent: Outgoing) -> bool:
        """Send a message; False when the connection is of no use any more."""
        if not self._write(sent.data):
            return False
        if sent.token and not sent.data.startswith(b"ACK "):
            self._unheard.append(sent)
        return True

    def _write(self, data: bytes) -> bool:
        stream = self._stream
        if stream is None or stream.is_closing():
            return False
        if stream.get_write_buffer_size() > MAX_UNSENT:
            stream.abort()
            return False
        if self.proven:
            self.last_used = self._loop.time()
        stream.write(data)
        return True

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def abort(self) -> None:
        if self._stream is not None:
            self._stream.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = cast(asyncio.Transport, transport)
        local = transport.get_extra_info("sockname")
        remote = transport.get_extra_info("peername")
        if not local or not remote:  # it broke before we came to look
            self.abort()
            return
        self.flow = Flow(
            self._kind,
            Address(local[0], local[1]),
            Address(remote[0], remote[1]),
            self.number,
        )
        if not self._table.admit(self, transport.get_extra_info("peercert") or {}):
            self.abort()
            self.flow = None

    def data_received(self, data: bytes) -> None:
        flow = self.flow
        if flow is None:
            return
        table = self._table
        if not table.inbox.admits(flow.remote.host):
            table.counters.dropped_sources += 1
            self.abort()
            return
        self.heard = True
        self.last_heard = self._loop.time()
        self._unheard.clear()
        try:
            for item in self._items(data):
                if isinstance(item, KeepAlive):
                    self._write(PONG)
                else:
                    self.proven = True
                    table.inbox.message(item, flow)
            if self.proven:
                self.last_used = self.last_heard
        except RemoteProtocolError:
            # The framing is lost, and with it all that follows (RFC 3261 18.3).
            table.counters.stream_errors += 1
            self.close()

    def keep_alive(self, now: float) -> bool:
        """Ask whether the far end is there, where we are who asks; False: it is gone."""
        del now
        return True

    def _items(self, data: bytes) -> Iterator[Item]:
        """Take the stream apart. Raises RemoteProtocolError where its framing is lost."""
        return self._parser.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._table.forget(self)
        if not self.closed.done():
            self.closed.set_result(None)
        unheard, self._unheard = self._unheard, deque()
        for sent in unheard:
            self._table.resend(self, sent)
