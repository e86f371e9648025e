"""The sockets of one pair of ports."""

import socket
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from twoleg.media.latch import SocketAddress

if TYPE_CHECKING:
    from twoleg.media.incoming import Incoming
    from twoleg.media.protection import Protection

RTP_BUFFER_BYTES: Final = 1 << 16
"""Some 80 packets of 20 ms as the kernel counts them: 1.6 seconds."""

RTCP_BUFFER_BYTES: Final = 1 << 13


class ControlReceiver(Protocol):
    """Takes what comes to the RTCP socket; `MediaPort` does."""

    def receive_rtcp(self, data: memoryview, source: SocketAddress) -> None: ...


class SocketPair:
    """The bound, non-blocking sockets of a pair, and to whom what comes to them is given.

    What comes while nobody has the pair is dropped: it is for a leg that is over.
    """

    __slots__ = ("_host", "control", "port", "protection", "rtcp", "rtp", "stream")

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self.port = port
        self.stream: Incoming | None = None
        self.protection: Protection | None = None
        """What makes plain what comes; None: it is."""

        self.control: ControlReceiver | None = None
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
        if self.control is not None:
            self.control.receive_rtcp(memoryview(buffer)[:size], source)

    def discard_waiting(self) -> None:
        """Drop what has come and was not received yet."""
        _discard_waiting(self.rtp)
        _discard_waiting(self.rtcp)

    def connected(self, remote: SocketAddress) -> socket.socket:
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

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    def _share(self, allowed: bool, direct: socket.socket) -> None:
        for each in (self.rtp, direct):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, allowed)


def _bind(host: str, port: int, buffer_bytes: int) -> socket.socket:
    bound = _open(host, buffer_bytes)
    try:
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def _open(host: str, buffer_bytes: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    opened = socket.socket(family, kind)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    return opened


def _discard_waiting(bound: socket.socket) -> None:
    try:
        for _ in range(RTP_BUFFER_BYTES):
            bound.recv(1)
    except BlockingIOError:
        return
