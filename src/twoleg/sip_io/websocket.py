"""SIP over WebSocket, for phones in browsers (RFC 7118): one message is one WebSocket message."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from websockets import CloseCode, Frame, Opcode, Origin, Request, ServerProtocol, State, Subprotocol

from twoleg.sip import KeepAlive, RemoteProtocolError, Transport, parse_message
from twoleg.sip_io.connection import PING, Connection, Item

if TYPE_CHECKING:
    from twoleg.sip_io.connections import Connections

SUBPROTOCOL: Final = Subprotocol("sip")
"""What a client must ask for (RFC 7118 4.1)."""

MAX_HANDSHAKE: Final = 16_384
"""Bytes of the HTTP request that opens a connection: browsers send cookies with it."""

MAX_MESSAGE: Final = 131_072
"""Bytes of one message, in however many frames; a SIP message with a body of a browser has 8 kB."""

PING_SECONDS: Final = 30.0
"""A connection that is silent for so long is asked whether it is there, and again later.

Proxies between forget one that says nothing for a minute.
"""

GONE_SECONDS: Final = 75.0
"""One that is silent for so long, whatever it was asked, is broken off."""

_END_OF_HEAD: Final = b"\r\n\r\n"
_DATA: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})

_log = logging.getLogger(__name__)
# What it would tell has whole messages in it, and so digests.
_log.setLevel(logging.WARNING)


class WebSocketConnection(Connection):
    """A connection that a phone has opened; twoleg opens none.

    `origins` are the pages that may; None: any, and what is no page.
    """

    def __init__(
        self,
        table: Connections,
        number: int,
        transport: Transport,
        origins: frozenset[str] | None,
    ) -> None:
        super().__init__(table, number, transport, None)
        self._handshake: bytearray | None = bytearray()
        """What has come of the request that opens it; None once that was taken."""

        self._message = bytearray()
        # Without extensions: a compressed message has no bound that its sender's bytes would show.
        self._protocol = ServerProtocol(
            origins=None if origins is None else [Origin(each) for each in origins],
            subprotocols=[SUBPROTOCOL],
            max_size=MAX_MESSAGE,
            logger=_log,
        )

    def keep_alive(self, now: float) -> bool:
        """Ask whether the far end is there; False: it has not been for too long."""
        silent = now - self.last_heard
        if self._protocol.state is State.OPEN and silent > PING_SECONDS:
            self._protocol.send_ping(b"")
            self._flush()
        return silent <= GONE_SECONDS

    def close(self) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.GOING_AWAY)
            self._flush()
        super().close()

    def _write(self, data: bytes) -> bool:
        if self._protocol.state is not State.OPEN:
            return False
        # Browsers' phones expect text, which a message is wherever it is UTF-8 (RFC 7118 5).
        try:
            data.decode()
        except UnicodeDecodeError:
            self._protocol.send_binary(data)
        else:
            self._protocol.send_text(data)
        return self._flush()

    def _items(self, data: bytes) -> Iterator[Item]:
        """Take what came, and give what is complete by now.

        Raises RemoteProtocolError where the connection is of no use any more.
        """
        if self._handshake is not None:
            data = self._open(data)
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._message += event.data
                if event.fin:
                    message = bytes(self._message)
                    self._message.clear()
                    yield from _read(message)
        self._flush()
        if self._protocol.close_expected() and self._protocol.close_rcvd is None:
            raise RemoteProtocolError(400, "Malformed WebSocket Frame")

    def _open(self, data: bytes) -> bytes:
        """Answer the handshake once it is whole; give what came behind it.

        Frames are kept from the protocol until then: it would answer them first.
        """
        assert self._handshake is not None
        self._handshake += data
        head, end, rest = self._handshake.partition(_END_OF_HEAD)
        if len(head) > MAX_HANDSHAKE:
            raise RemoteProtocolError(413, "Handshake Too Large")
        if not end:
            return b""
        self._handshake = None
        protocol = self._protocol
        protocol.receive_data(bytes(head + end))
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
        self._flush()
        if protocol.state is not State.OPEN:
            raise RemoteProtocolError(400, "Bad Handshake")
        return bytes(rest)

    def _flush(self) -> bool:
        """Send what the protocol wants sent; False when the connection is of no use any more."""
        for data in self._protocol.data_to_send():
            if not data:
                super().close()
                return False
            if not super()._write(data):
                return False
        return True


def _read(message: bytes) -> Iterator[Item]:
    if message == PING:
        yield KeepAlive()
    elif message.strip(b"\r\n"):
        try:
            yield parse_message(message)
        except RemoteProtocolError as error:
            yield error
