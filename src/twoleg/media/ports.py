"""Pairs of an even RTP and the next, odd RTCP port (RFC 3550 section 11), and their sockets."""

import errno
import random
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from twoleg.media.latch import SocketAddress

QUARANTINE_SECONDS: Final = 5.0
"""A released pair rests, so that an old call's late packets do not reach a new one."""

IN_USE_SECONDS: Final = 30.0
"""A pair that another process holds is tried again after so long."""

RTP_BUFFER_BYTES: Final = 1 << 16
"""Some 80 packets of 20 ms as the kernel counts them: 1.6 seconds."""

RTCP_BUFFER_BYTES: Final = 1 << 13


class NoPortsLeft(Exception):
    """Every pair of the range is taken, resting, or in use by another process."""

    def __init__(self, ports: range) -> None:
        super().__init__(f"no RTP ports left from {ports.start} to {ports.stop - 1}")
        self.ports = ports


class PortPairs:
    """Hands out pairs from a range. Pure: sockets and time are the caller's.

    In random order at first, so that the ports of a call cannot be guessed from another's.
    """

    def __init__(self, ports: range, quarantine_seconds: float = QUARANTINE_SECONDS) -> None:
        self._range = ports
        self._quarantine_seconds = quarantine_seconds
        first = ports.start + ports.start % 2
        pairs = list(range(first, ports.stop - 1, 2))
        random.shuffle(pairs)
        self._ready = deque(pairs)
        self._resting: deque[tuple[float, int]] = deque()
        self._in_use: deque[tuple[float, int]] = deque()

    def take(self, now: float) -> int:
        """Hand out an even port. Raises NoPortsLeft."""
        self._wake(now)
        if not self._ready:
            raise NoPortsLeft(self._range)
        return self._ready.popleft()

    def release(self, port: int, now: float) -> None:
        self._resting.append((now + self._quarantine_seconds, port))

    def found_in_use(self, port: int, now: float) -> None:
        """Leave the pair just taken alone for a while: somebody else holds it."""
        self._in_use.append((now + IN_USE_SECONDS, port))

    def free(self, now: float) -> int:
        """How many pairs could be taken now."""
        self._wake(now)
        return len(self._ready)

    def _wake(self, now: float) -> None:
        for waiting in (self._resting, self._in_use):
            while waiting and waiting[0][0] <= now:
                self._ready.append(waiting.popleft()[1])


def open_pair(pairs: PortPairs, host: str, clock: Callable[[], float]) -> "SocketPair":
    """Bind the next free pair on `host`. Raises NoPortsLeft, or OSError."""
    while True:
        port = pairs.take(clock())
        try:
            return SocketPair(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                pairs.release(port, clock())
                raise
            pairs.found_in_use(port, clock())


class SocketPair:
    """The bound, non-blocking sockets of a pair."""

    __slots__ = ("_host", "port", "rtcp", "rtp")

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self.port = port
        self.rtp = _bind(host, port, RTP_BUFFER_BYTES)
        try:
            self.rtcp = _bind(host, port + 1, RTCP_BUFFER_BYTES)
        except BaseException:
            self.rtp.close()
            raise

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


def _discard_waiting(direct: socket.socket) -> None:
    """Drop what came between bind and connect: it may be anybody's."""
    try:
        for _ in range(RTP_BUFFER_BYTES):
            direct.recv(1)
    except BlockingIOError:
        return
