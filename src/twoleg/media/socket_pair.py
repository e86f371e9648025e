"""The sockets of one pair of ports."""

import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final, Protocol

from twoleg.media.latch import SocketAddress

if TYPE_CHECKING:
    from twoleg.media.incoming import Incoming
    from twoleg.media.outgoing import Outgoing
    from twoleg.media.protection import Protection
    from twoleg.media.relay import Relay

RTP_BUFFER_BYTES: Final = 1 << 16
"""Some 80 packets of 20 ms as the kernel counts them: 1.6 seconds."""

RTCP_BUFFER_BYTES: Final = 1 << 13


class ControlReceiver(Protocol):
    """Takes what comes to the RTCP socket; `Control` does."""

    def receive(self, data: memoryview, source: SocketAddress, wall: float) -> None: ...


class SocketPair:
    """The bound, non-blocking sockets of a pair, and to whom what comes to them is given.

    What comes while nobody has the pair is dropped: it is for a leg that is over. Beside them is a
    direct one, connected to the far end, once it is known where that is.
    """

    __slots__ = (
        "_destination",
        "_direct",
        "_direct_to",
        "_host",
        "control",
        "port",
        "protection",
        "rtcp",
        "rtp",
        "stream",
    )

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self.port = port
        self.stream: Incoming | None = None
        self.protection: Protection | None = None
        """What makes plain what comes; None: it is."""

        self.control: ControlReceiver | None = None
        self._destination: SocketAddress = ()
        """Where to send as long as there is no direct socket."""

        self._direct: socket.SocketType | None = None
        self._direct_to: SocketAddress | None = None
        self.rtp = _bind(host, port, RTP_BUFFER_BYTES)
        try:
            self.rtcp = _bind(host, port + 1, RTCP_BUFFER_BYTES)
        except BaseException:
            self.rtp.close()
            raise

    def receive(self, buffer: bytearray) -> int:
        """Receive a packet of RTP, and have it handled in full; 0: nothing is left to do.

        Raises OSError.
        """
        size, source = self.rtp.recvfrom_into(buffer)
        if self.protection is not None:
            size = self.protection.open(buffer, size, source)
            if not size:
                return 0
        if self.stream is not None:
            self.stream.receive_unusual(memoryview(buffer)[:size], source, monotonic())
        return 0

    def receive_control(self, buffer: bytearray) -> None:
        """Receive a packet of RTCP, and have it handled. Raises OSError."""
        size, source = self.rtcp.recvfrom_into(buffer)
        data = memoryview(buffer)[:size]
        if self.protection is not None:
            data = memoryview(self.protection.opened(bytes(data)))
            if not data:
                return
        if self.control is not None:
            self.control.receive(data, source, time())

    def send_control(self, packet: bytes, destination: SocketAddress, *, muxed: bool) -> None:
        """Send RTCP, from the port of RTP if that was agreed; what cannot be sent is lost."""
        if self.protection is not None:
            packet = self.protection.protect_rtcp(packet)
        try:
            (self.rtp if muxed else self.rtcp).sendto(packet, destination)
        except OSError:
            return

    def discard_waiting(self) -> None:
        """Drop what has come and was not received yet."""
        _discard_waiting(self.rtp)
        _discard_waiting(self.rtcp)

    def aim(self, stream: "Incoming", outgoing: "Outgoing", relay: "Relay") -> None:
        """Send to where the far end is; once that is proved, by a socket of its own.

        A connected socket costs a fifth less for each packet, and what third parties send to the
        port never gets in its way.
        """
        source = stream.source
        if source is not None and source == self._direct_to:
            return
        if self._direct is not None:
            self.close_direct(relay)
        destination = stream.destination
        send: Callable[[Any], int] | None = None
        if destination is not None:
            self._destination = destination
            send = self._send
        if source is not None:
            # Out of descriptors, say: the first socket does the same for more.
            with suppress(OSError):
                send = self._open_direct(source, stream, relay)
        if send is not None and self.protection is not None:
            send = self.protection.sending(send)
        outgoing.send = send

    def close_direct(self, relay: "Relay") -> None:
        """Send and receive by the bound socket alone. Idempotent."""
        if self._direct is not None:
            relay.remove(self._direct)
            self._direct.close()
            self._direct = self._direct_to = None

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    def _open_direct(
        self, source: SocketAddress, stream: "Incoming", relay: "Relay"
    ) -> Callable[[Any], int]:
        direct = self._connected(source)
        relay.add_direct(direct, stream, self.protection)
        self._direct, self._direct_to = direct, source
        return direct.send

    def _connected(self, remote: SocketAddress) -> socket.SocketType:
        """Open a second RTP socket on the same port, to which only `remote`'s packets come.

        The kernel prefers it to `rtp` for that source. Raises OSError.
        """
        direct = _open(self._host, RTP_BUFFER_BYTES)
        try:
            # Both must allow it for as long as the second is bound, and no longer: with it set
            # another process could bind the port too.
            self._share(True, direct)
            try:
                direct.bind((self._host, self.port))
            finally:
                self._share(False, direct)
            direct.connect(remote)
            # What came between bind and connect may be anybody's.
            _discard_waiting(direct)
        except BaseException:
            direct.close()
            raise
        return direct

    def _send(self, data: Any) -> int:
        return self.rtp.sendto(data, self._destination)

    def _share(self, allowed: bool, direct: socket.SocketType) -> None:
        for each in (self.rtp, direct):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, allowed)


def _bind(host: str, port: int, buffer_bytes: int) -> socket.SocketType:
    bound = _open(host, buffer_bytes)
    try:
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def _open(host: str, buffer_bytes: int) -> socket.SocketType:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    # Without the layer that gives sockets files and hands out enums: opened here for each leg.
    opened = socket.SocketType(family, kind)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    return opened


def _discard_waiting(bound: socket.SocketType) -> None:
    try:
        for _ in range(RTP_BUFFER_BYTES):
            bound.recv(1)
    except BlockingIOError:
        return
