"""All legs of a user agent, and how they reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twoleg.sip.endpoint import SUPPORTED, Endpoint
from twoleg.sip.header_lines import SDP, header_lines
from twoleg.sip.interface import HeaderFields
from twoleg.sip.leg import LegGone
from twoleg.sip.message import Request, reason_phrase
from twoleg.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from twoleg.sip.leg import Leg

_MISSING: Final = ("",)
_SUPPORTED: Final = ("Supported", ", ".join(SUPPORTED))


class Legs:
    """Finds legs by their number and by their dialog."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.by_number: dict[int, Leg] = {}
        """To be read only: each that is not over."""

        self._by_dialog: dict[tuple[str, str], Leg] = {}

    def __len__(self) -> int:
        return len(self.by_number)

    def add(self, leg: Leg) -> None:
        self.by_number[leg.number] = leg
        self._by_dialog[leg.call_id, leg.local_tag] = leg

    def forget(self, leg: Leg) -> None:
        """Drop a leg that has ended: what still comes for its dialog gets 481."""
        self.by_number.pop(leg.number, None)
        key = (leg.call_id, leg.local_tag)
        if self._by_dialog.get(key) is leg:
            del self._by_dialog[key]

    def get(self, number: int) -> Leg:
        """Give the leg. Raises LegGone."""
        leg = self.by_number.get(number)
        if leg is None:
            raise LegGone(f"leg {number} is over")
        return leg

    def of_dialog(self, call_id: str, local_tag: str) -> Leg | None:
        return self._by_dialog.get((call_id, local_tag))

    def capabilities(self) -> HeaderFields:
        """Say what we can, as the answer to OPTIONS has it (RFC 3261 11.2)."""
        return (
            ("Allow", self.endpoint.allow),
            ("Accept", SDP),
            _SUPPORTED,
        )

    def contact_header(self, transaction: ServerTransaction) -> HeaderFields:
        transport = transaction.transport
        return (
            ("Contact", self.endpoint.contact(transport)),
            ("Allow", self.endpoint.allow),
            _SUPPORTED,
        )

    def reply(
        self,
        transaction: ServerTransaction,
        status: int,
        headers: HeaderFields = (),
        body: bytes = b"",
        *,
        reason: str = "",
        content_type: str = SDP,
    ) -> None:
        """Send a response (RFC 3261 8.2.6)."""
        request = transaction.request
        tag = ""
        if status > 100 and request.to_tag is None:
            if not transaction.to_tag:
                transaction.to_tag = self.endpoint.tag()
            tag = transaction.to_tag
        data = make_response(
            request,
            status,
            reason,
            header_lines(headers) if headers else "",
            body,
            content_type,
            tag,
            self.endpoint.config.user_agent,
        )
        transaction.respond(status, data)


def make_response(
    request: Request,
    status: int,
    reason: str,
    headers: str,
    body: bytes,
    content_type: str,
    to_tag: str,
    server: str,
) -> bytes:
    """Write a response with what it takes over from the request (RFC 3261 8.2.6.2, 12.1.1).

    `to_tag` is put behind To, which has no tag then; "": To stays as it is.
    """
    lines = request.headers.by_name.get
    text = f"SIP/2.0 {status} {reason or reason_phrase(status)}\r\n"
    for via in lines("Via", ()):
        text += f"Via: {via}\r\n"
    if request.method == "INVITE" and 100 < status < 300:
        for route in lines("Record-Route", ()):
            text += f"Record-Route: {route}\r\n"
    text += (
        f"From: {lines('From', _MISSING)[0]}\r\n"
        f"To: {lines('To', _MISSING)[0]}{f';tag={to_tag}' if to_tag else ''}\r\n"
        f"Call-ID: {lines('Call-ID', _MISSING)[0]}\r\n"
        f"CSeq: {lines('CSeq', _MISSING)[0]}\r\n"
    )
    if status == 100:
        for stamp in lines("Timestamp", ()):
            text += f"Timestamp: {stamp}\r\n"
    if server:
        text += f"Server: {server}\r\n"
    text += headers
    if body:
        text += f"Content-Type: {content_type}\r\n"
    text += f"Content-Length: {len(body)}\r\n\r\n"
    data = text.encode("utf-8", "surrogateescape")
    return data + body if body else data
