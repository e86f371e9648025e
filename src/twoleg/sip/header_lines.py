"""Header lines of what we send, and what is read from those that came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from twoleg.sip.endpoint import REQUIRABLE
from twoleg.sip.errors import InvalidValue, LocalProtocolError
from twoleg.sip.fields import NameAddr, Reason
from twoleg.sip.interface import HeaderFields
from twoleg.sip.message import Message, Response

SDP: Final = "application/sdp"


def header_lines(headers: HeaderFields) -> str:
    """Write headers. Raises LocalProtocolError for one that would break out of its line."""
    text = ""
    for name, value in headers:
        if "\r" in value or "\n" in value or "\0" in value or not name:
            raise LocalProtocolError(f"a value of {name} has a line end or a null in it")
        text += f"{name}: {value}\r\n"
    return text


def route_lines(routes: Iterable[NameAddr | str]) -> str:
    text = ""
    for route in routes:
        text += f"Route: {route}\r\n"
    return text


def reason_line(reason: Reason | None) -> str:
    return "" if reason is None else f"Reason: {reason}\r\n"


def told_causes(message: Message) -> tuple[int | None, int | None, str]:
    """Read the SIP and Q.850 causes and the text of a Reason header (RFC 3326)."""
    if "Reason" not in message.headers.by_name:
        return None, None, ""
    status = q850 = None
    text = ""
    for reason in message.cause:
        protocol = reason.protocol.upper()
        if protocol == "SIP" and status is None:
            status = reason.cause
        elif protocol == "Q.850" and q850 is None:
            q850 = reason.cause
        text = text or reason.text
    return status, q850, text


def unsupported(message: Message) -> str:
    """Give what a request requires and we have not (RFC 3261 8.2.2.3)."""
    if "Require" not in message.headers.by_name:
        return ""
    try:
        required = message.headers.get_all("Require")
    except InvalidValue:
        return ""
    return ", ".join([tag for tag in required if tag and tag.lower() not in REQUIRABLE])


def retry_after(response: Response) -> float | None:
    """Read Retry-After in seconds (RFC 3261 20.33); None where there is none to be read."""
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    digits = value.partition("(")[0].partition(";")[0].strip()
    return float(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
