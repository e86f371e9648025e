"""What the transports tell the phone."""

from collections.abc import Sequence
from typing import Protocol

from twoleg.sip import Destination, Flow, Outgoing, RemoteProtocolError, Request, Response


class Inbox(Protocol):
    """Takes what arrives, and what could not be sent."""

    def datagrams(self, received: Sequence[tuple[bytes, Flow]]) -> float:
        """Take what has come, and say for how many seconds no more should be read.

        Where that is not 0, this is to be called again after it, whatever has come.
        """
        ...

    def message(self, message: Request | Response | RemoteProtocolError, flow: Flow) -> None: ...

    def resolved(self, sent: Outgoing, destinations: tuple[Destination, ...]) -> None:
        """Told of the addresses that the host of a message's destination stands for."""
        ...

    def send_failed(self, sent: Outgoing) -> None: ...

    def undelivered(self, beginning: bytes) -> None:
        """Told how a datagram began that reached nobody; b"" where that is not known."""
        ...

    def flow_lost(self, flow: Flow) -> None:
        """Told of a connection that is gone and that we cannot open again (RFC 7118)."""
        ...

    def admits(self, host: str) -> bool:
        """Whether anything from this address is listened to at all."""
        ...
