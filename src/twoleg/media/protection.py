"""What keeps a leg's packets from others: SRTP, by whatever way its keys come."""

from collections.abc import Callable
from typing import Any, Protocol

from twoleg.media.latch import SocketAddress


class Protection(Protocol):
    """Stands between a leg's sockets and its RTP.

    `twoleg.media.srtp.Srtp` is one, whose keys were signalled, and
    `twoleg.media.webrtc.transport.WebRtcTransport` the other.
    """

    @property
    def rejected(self) -> int:
        """Packets that were not the far end's, or came before."""
        ...

    def open(self, buffer: bytearray, size: int, source: SocketAddress) -> int:
        """Make the datagram of `size` bytes in `buffer` plain; give its size then.

        0 for what is not the far end's: nothing may be made of it. Never raises.
        """
        ...

    def opened(self, data: bytes) -> bytes:
        """Give the plain packet that came to the RTCP port; empty for what is not the far end's."""
        ...

    def sending(self, send: Callable[[bytes], int]) -> Callable[[Any], int]:
        """Give a `send` of plain packets, which sends them protected."""
        ...

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Protect a compound packet of ours."""
        ...
