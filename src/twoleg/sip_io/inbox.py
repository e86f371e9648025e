"""What the transports tell the phone."""

from typing import Protocol

from twoleg.sip import Flow, Outgoing, RemoteProtocolError, Request, Response


class Inbox(Protocol):
    """Takes what arrives, and what could not be sent."""

    def datagram(self, data: bytes, flow: Flow) -> None: ...

    def message(self, message: Request | Response | RemoteProtocolError, flow: Flow) -> None: ...

    def send_failed(self, sent: Outgoing) -> None: ...

    def admits(self, host: str) -> bool:
        """Whether anything from this address is listened to at all."""
        ...
