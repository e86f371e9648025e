"""Requests of ours as they are sent: text made once, and what is derived from it."""

from __future__ import annotations

from dataclasses import dataclass

from twoleg.sip.transport import Destination, Flow

MAX_FORWARDS = 70


@dataclass(slots=True)
class Draft:
    """A request of ours. Header values are text; `headers` is a block of whole lines.

    `via` is everything of our Via but its branch, `routes` the block of Route lines.
    """

    method: str
    uri: str
    via: str
    branch: str
    from_: str
    to: str
    call_id: str
    cseq: int
    routes: str
    headers: str
    body: bytes
    destination: Destination
    flow: Flow | None

    def to_bytes(self) -> bytes:
        """Write the request."""
        body = self.body
        head = (
            f"{self.method} {self.uri} SIP/2.0\r\n"
            f"Via: {self.via};branch={self.branch};rport\r\n"
            f"{self.routes}"
            f"Max-Forwards: {MAX_FORWARDS}\r\n"
            f"From: {self.from_}\r\n"
            f"To: {self.to}\r\n"
            f"Call-ID: {self.call_id}\r\n"
            f"CSeq: {self.cseq} {self.method}\r\n"
            f"{self.headers}"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode("utf-8", "surrogateescape")
        return head + body if body else head

    def failure_ack(self, to: str) -> bytes:
        """Write the ACK of a 300-699, whose To is `to` (RFC 3261 17.1.1.3)."""
        return self._companion("ACK", to, "")

    def cancel(self, headers: str) -> bytes:
        """Write the CANCEL (RFC 3261 9.1), with further header lines such as Reason."""
        return self._companion("CANCEL", self.to, headers)

    def let_content_go(self) -> None:
        """Keep only what ACK and CANCEL repeat, of a request that is not sent again."""
        self.headers = ""
        self.body = b""

    def _companion(self, method: str, to: str, headers: str) -> bytes:
        return (
            f"{method} {self.uri} SIP/2.0\r\n"
            f"Via: {self.via};branch={self.branch};rport\r\n"
            f"{self.routes}"
            f"Max-Forwards: {MAX_FORWARDS}\r\n"
            f"From: {self.from_}\r\n"
            f"To: {to}\r\n"
            f"Call-ID: {self.call_id}\r\n"
            f"CSeq: {self.cseq} {method}\r\n"
            f"{headers}"
            "Content-Length: 0\r\n\r\n"
        ).encode("utf-8", "surrogateescape")
