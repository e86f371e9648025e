"""From the bytes of a datagram to a message (RFC 3261 7, 18.3).

Whatever comes in, the result is a message whose mandatory headers are sound, or an error that says
what to answer. Sizes are bounded, and so is the time.
"""

from __future__ import annotations

from typing import Final

from twoleg.sip.errors import InvalidValue, RemoteProtocolError
from twoleg.sip.fields import Via
from twoleg.sip.grammar import TOKEN, end_of_quoted, parse_integer, split_values
from twoleg.sip.headers import KNOWN_NAMES, Headers, canonical_name
from twoleg.sip.message import SIP_VERSION, Request, Response
from twoleg.sip.remembered import remembered
from twoleg.sip.uri import OtherUri, Uri, parse_uri

MAX_DATAGRAM: Final = 65_535
MAX_HEAD: Final = 65_536
"""Bytes of the start line and headers of one message."""

MAX_LINES: Final = 512
MAX_BODY: Final = 1_048_576

_STATUS: Final = {str(status): status for status in range(100, 700)}
_USUAL_STATUS: Final = {f"{SIP_VERSION} {digits} ": status for digits, status in _STATUS.items()}
_USUAL_STATUS_LENGTH: Final = len(f"{SIP_VERSION} 200 ")
END_OF_HEAD = b"\r\n\r\n"
_BLANKS = " \t"
_FOLDING = (" ", "\t")
_CONTENT_LENGTH = "Content-Length"
_request_uri = remembered(parse_uri)


def parse_message(data: bytes) -> Request | Response:
    """Read one datagram.

    What follows the body that Content-Length tells is left out (RFC 3261 18.3).

    Raises RemoteProtocolError.
    """
    if len(data) > MAX_DATAGRAM:
        raise RemoteProtocolError(513, "Message Too Large")
    data = data.lstrip(b"\r\n")
    head, blank, body = data.partition(END_OF_HEAD)
    message = parse_head(head)
    if not blank:
        raise refused(message, 400, "Missing Empty Line")
    if message.headers.by_name.get(_CONTENT_LENGTH) != (str(len(body)),):
        body = _cut_to_length(message, body)
    message.body = body
    check(message)
    return message


def parse_head(head: bytes) -> Request | Response:
    """Read start line and headers. Raises RemoteProtocolError."""
    lines = _lines_of(head)
    fault = ""
    if len(lines) > MAX_LINES + 1:
        del lines[MAX_LINES + 1 :]
        fault = "Too Many Headers"
    start_line = lines.pop(0)
    by_name: dict[str, tuple[str, ...]] = {}
    last = ""
    known_name = KNOWN_NAMES.get
    for line in lines:
        name, _, value = line.partition(": ")
        known = known_name(name)
        if known is None:
            name, colon, value = line.partition(":")
            if name[:1] in _FOLDING:
                # RFC 3261 7.3.1: the line before goes on.
                if last:
                    *before, folded = by_name[last]
                    by_name[last] = (*before, f"{folded} {line.strip()}".strip())
                else:
                    fault = fault or "Malformed Header"
                continue
            name = name.rstrip(_BLANKS)
            if not colon or not TOKEN(name):
                fault = fault or "Malformed Header"
                last = ""
                continue
            known = canonical_name(name)
        last = known
        if known in by_name:
            by_name[known] += (value.strip(),)
        else:
            by_name[known] = (value.strip(),)
    headers = Headers((), by_name)
    status = _USUAL_STATUS.get(start_line[:_USUAL_STATUS_LENGTH])
    if status is not None and not fault:
        return Response(status, start_line[_USUAL_STATUS_LENGTH:], headers)
    if start_line.startswith("SIP/"):
        if fault:
            raise RemoteProtocolError(400, fault)
        return _response(start_line, headers)
    return _request(start_line, headers, fault)


def _lines_of(head: bytes) -> list[str]:
    """Split a head. Raises RemoteProtocolError for what must not even be echoed."""
    if len(head) > MAX_HEAD:
        raise RemoteProtocolError(513, "Message Too Large")
    text = head.decode("utf-8", "surrogateescape")
    if "\0" in text:
        text = _without_nulls(text)
    lines = text.split("\r\n")
    between = "".join(lines)
    if "\n" in between or "\r" in between:
        # Either would be a line end to some, and would break out of what we echo.
        raise RemoteProtocolError(400, "Stray Line End")
    return lines


def _without_nulls(text: str) -> str:
    """Put blanks in the place of nulls where these are allowed, for the good of all who read on.

    Raises RemoteProtocolError if they are where they may not be.
    """
    if not all(_nulls_are_quoted(line) for line in text.split("\r\n") if "\0" in line):
        raise RemoteProtocolError(400, "Stray Null")
    return text.replace("\0", " ")


def _nulls_are_quoted(line: str) -> bool:
    """Tell whether nulls stand only where they may: escaped, in quoted strings (RFC 3261 25.1)."""
    if line.count("\0") != line.count("\\\0"):
        return False
    position = 0
    try:
        while (start := line.find('"', position)) >= 0:
            if "\0" in line[position:start]:
                return False
            position = end_of_quoted(line, start)
    except InvalidValue:
        return False
    return "\0" not in line[position:]


def _response(start_line: str, headers: Headers) -> Response:
    version, _, rest = start_line.partition(" ")
    digits, _, reason = rest.partition(" ")
    status = _STATUS.get(digits)
    if status is None or (version != SIP_VERSION and version.upper() != SIP_VERSION):
        raise RemoteProtocolError(400, "Malformed Status Line")
    return Response(status, reason, headers)


def _request(start_line: str, headers: Headers, fault: str) -> Request:
    parts = start_line.split(" ")
    method = parts[0]
    if len(parts) < 2 or not TOKEN(method):
        raise RemoteProtocolError(400, "Malformed Request Line")
    uri: Uri = OtherUri("invalid", "")
    version = parts[-1]
    if len(parts) != 3 or not version.upper().startswith("SIP/"):
        fault = fault or "Malformed Request Line"
    else:
        try:
            uri = _request_uri(parts[1])
        except InvalidValue as error:
            fault = fault or f"Malformed Request-URI: {error.problem}"
    request = Request(method, uri, headers)
    if not fault and version.upper() != SIP_VERSION:
        raise refused(request, 505, "Version Not Supported")
    if fault:
        raise refused(request, 400, fault)
    return request


def check(message: Request | Response) -> None:
    """Read the headers that every message has. Raises RemoteProtocolError."""
    try:
        message.identify()
    except InvalidValue as error:
        raise refused(message, 400, f"Malformed {error}") from error
    if isinstance(message, Request) and message.cseq.method != message.method:
        raise refused(message, 400, "CSeq Method Does Not Match")


def _cut_to_length(message: Request | Response, body: bytes) -> bytes:
    length = _content_length(message)
    if length is None:
        return body
    if length > len(body):
        raise refused(message, 400, "Body Shorter Than Content-Length")
    return body[:length]


def _content_length(message: Request | Response) -> int | None:
    value = message.headers.get(_CONTENT_LENGTH)
    if value is None:
        return None
    try:
        length = parse_integer(value, MAX_BODY, _CONTENT_LENGTH)
        lines = message.headers.lines(_CONTENT_LENGTH)
        others = {parse_integer(line, MAX_BODY, _CONTENT_LENGTH) for line in lines[1:]}
    except InvalidValue as error:
        raise refused(message, 400, "Malformed Content-Length") from error
    if others - {length}:
        raise refused(message, 400, "Several Content-Lengths")
    return length


def refused(message: Request | Response, status: int, reason: str) -> RemoteProtocolError:
    """Give the error, with the request where it can be answered."""
    if isinstance(message, Response) or message.method == "ACK":
        return RemoteProtocolError(status, reason)
    try:
        message.via  # noqa: B018
    except InvalidValue:
        if not _mend_via(message.headers):
            return RemoteProtocolError(status, reason)
    return RemoteProtocolError(status, reason, message)


def _mend_via(headers: Headers) -> bool:
    """Leave of the topmost Via what says where an answer goes to; False if nothing does."""
    first, *others = headers.lines("Via") or ("",)
    top, _, rest = first.partition(",")
    sent, *parameters = top.split(";")
    protocol, _, sent_by = sent.strip(_BLANKS).rpartition(" ")
    transport = protocol.rpartition("/")[2].strip(_BLANKS)
    kept = "".join([f";{parameter}" for parameter in parameters if parameter.strip(_BLANKS)])
    try:
        top = str(Via.parse(f"{SIP_VERSION}/{transport} {sent_by}{kept}"))
        vias = [Via.parse(value) for line in others for value in split_values(line)]
    except InvalidValue:
        return False
    try:
        vias = [*[Via.parse(value) for value in split_values(rest)], *vias]
    except InvalidValue:
        pass  # it goes with what is unreadable in its line
    headers.set("Via", top)
    for via in vias:
        headers.add("Via", str(via))
    return True
