"""From bytes to messages: whole datagrams, and streams (RFC 3261 7, 18.3).

Whatever comes in, the result is a message whose mandatory headers are sound, or an error that says
what to answer. Sizes are bounded, and so is the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from twoleg.sip.errors import InvalidValue, RemoteProtocolError
from twoleg.sip.fields import TOKEN, Via, end_of_quoted, parse_integer, split_values
from twoleg.sip.headers import KNOWN_NAMES, Headers, canonical_name
from twoleg.sip.message import SIP_VERSION, Message, Request, Response
from twoleg.sip.uri import OtherUri, Uri, parse_uri

MAX_DATAGRAM: Final = 65_535
MAX_HEAD: Final = 65_536
"""Bytes of the start line and headers of one message."""

MAX_LINES: Final = 512
MAX_BODY: Final = 1_048_576
MAX_STATUS: Final = 699
_MAX_DIGITS: Final = 10

_END_OF_HEAD = b"\r\n\r\n"
_LINE_ENDS = b"\r\n"
_PING: Final = b"\r\n\r\n"
_BLANKS = " \t"
_FOLDING = (" ", "\t")
_CONTENT_LENGTH = "Content-Length"
_SINGLE: Final = ("From", "To", "Call-ID", "CSeq")


class KeepAlive:
    """A double CRLF on a stream, to be answered with one (RFC 5626 3.5.1)."""


def parse_message(data: bytes) -> Request | Response:
    """Read one datagram.

    What follows the body that Content-Length tells is left out (RFC 3261 18.3).

    Raises RemoteProtocolError.
    """
    if len(data) > MAX_DATAGRAM:
        raise RemoteProtocolError(513, "Message Too Large")
    data = data.lstrip(_LINE_ENDS)
    head, blank, body = data.partition(_END_OF_HEAD)
    message = _parse_head(head)
    if not blank:
        raise _refused(message, 400, "Missing Empty Line")
    length = _content_length(message)
    if length is not None:
        if length > len(body):
            raise _refused(message, 400, "Body Shorter Than Content-Length")
        body = body[:length]
    message.body = body
    _check(message)
    return message


class StreamParser:
    """Takes a stream apart into messages.

    One that is framed well but not sound comes as the RemoteProtocolError that says what to
    answer; the stream goes on after it.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._head = b""
        self._end = 0
        """Where the message ends whose head has come; 0 as long as it has not."""

    def feed(self, data: bytes) -> Iterator[Request | Response | KeepAlive | RemoteProtocolError]:
        """Take what came, and give what is complete by now.

        Raises RemoteProtocolError where the framing is lost, and with it all that follows: a head
        or body that is too large, a Content-Length that is missing or cannot be read. One that can
        be answered is given first, before it is raised.
        """
        self._buffer += data
        while True:
            try:
                item = self._next()
            except RemoteProtocolError as error:
                self._buffer.clear()
                if error.request is not None:
                    yield error
                raise
            if item is None:
                return
            yield item

    def _next(self) -> Request | Response | KeepAlive | RemoteProtocolError | None:
        buffer = self._buffer
        if not self._end:
            if buffer.startswith(_LINE_ENDS):
                if buffer.startswith(_PING):
                    self._drop(len(_PING))
                    return KeepAlive()
                if len(buffer) < len(_PING) and _PING.startswith(buffer):
                    return None
                self._drop(len(_LINE_ENDS))
            if not self._find_head():
                return None
        if len(buffer) < self._end:
            return None
        head, body = self._head, bytes(buffer[len(self._head) + len(_END_OF_HEAD) : self._end])
        self._drop(self._end)
        try:
            message = _parse_head(head)
            message.body = body
            _check(message)
        except RemoteProtocolError as error:
            return error
        return message

    def _find_head(self) -> bool:
        """Look for the end of the head, and take from it how long the message is."""
        buffer = self._buffer
        end = buffer.find(_END_OF_HEAD, max(0, self._searched - len(_END_OF_HEAD)))
        if end > MAX_HEAD or (end < 0 and len(buffer) > MAX_HEAD):
            raise RemoteProtocolError(513, "Message Too Large")
        if end < 0:
            self._searched = len(buffer)
            return False
        self._head = bytes(buffer[:end])
        self._end = end + len(_END_OF_HEAD) + _framing_length(self._head)
        return True

    def _drop(self, length: int) -> None:
        del self._buffer[:length]
        self._searched = self._end = 0
        self._head = b""


def _parse_head(head: bytes) -> Request | Response:
    """Read start line and headers. Raises RemoteProtocolError."""
    if len(head) > MAX_HEAD:
        raise RemoteProtocolError(513, "Message Too Large")
    text = head.decode("utf-8", "surrogateescape")
    lines = text.split("\r\n")
    start_line = lines[0]
    by_name: dict[str, list[str]] = {}
    fault = _fault_of_lines(text, lines)
    last: list[str] = []
    known_name = KNOWN_NAMES.get
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        known = known_name(name)
        if known is None:
            if name[:1] in _FOLDING:
                # RFC 3261 7.3.1: the line before goes on.
                if last:
                    last[-1] = f"{last[-1]} {line.strip(_BLANKS)}".strip(_BLANKS)
                else:
                    fault = fault or "Malformed Header"
                continue
            name = name.rstrip(_BLANKS)
            if not colon or not TOKEN(name):
                fault = fault or "Malformed Header"
                last = []
                continue
            known = canonical_name(name)
        there = by_name.get(known)
        if there is None:
            last = by_name[known] = [value.strip(_BLANKS)]
        else:
            there.append(value.strip(_BLANKS))
            last = there
    headers = Headers.of_lines(by_name)
    if start_line.startswith("SIP/"):
        if fault:
            raise RemoteProtocolError(400, fault)
        return _response(start_line, headers)
    return _request(start_line, headers, fault)


def _fault_of_lines(text: str, lines: list[str]) -> str:
    """Say what is wrong with the lines as such; cut off what is too many."""
    ends = len(lines) - 1
    fault = ""
    if ends > MAX_LINES:
        del lines[MAX_LINES + 1 :]
        fault = "Too Many Headers"
    if text.count("\n") != ends or text.count("\r") != ends:
        # Either would be a line end to some, and would break out of what we echo.
        fault = fault or "Stray Line End"
    if "\0" in text and not all(_nulls_are_quoted(line) for line in lines if "\0" in line):
        fault = fault or "Stray Null"
    return fault


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
    status, _, reason = rest.partition(" ")
    if version.upper() != SIP_VERSION or len(status) != 3 or not status.isascii():
        raise RemoteProtocolError(400, "Malformed Status Line")
    if not status.isdigit() or not 100 <= int(status) <= MAX_STATUS:
        raise RemoteProtocolError(400, "Malformed Status Line")
    return Response(int(status), reason, headers)


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
            uri = parse_uri(parts[1])
        except InvalidValue as error:
            fault = fault or f"Malformed Request-URI: {error.problem}"
    request = Request(method, uri, headers)
    if not fault and version.upper() != SIP_VERSION:
        raise _refused(request, 505, "Version Not Supported")
    if fault:
        raise _refused(request, 400, fault)
    return request


def _check(message: Request | Response) -> None:
    """Read the headers that every message has. Raises RemoteProtocolError."""
    try:
        message.via  # noqa: B018  each is read, and kept, here
        message.from_  # noqa: B018
        message.to  # noqa: B018
        message.call_id  # noqa: B018
        cseq = message.cseq
        _check_single(message)
    except InvalidValue as error:
        raise _refused(message, 400, f"Malformed {error}") from error
    if isinstance(message, Request) and cseq.method != message.method:
        raise _refused(message, 400, "CSeq Method Does Not Match")


def _check_single(message: Message) -> None:
    lines = message.headers.lines
    for name in _SINGLE:
        if len(lines(name)) > 1:
            raise InvalidValue(name, "it is there more than once")


def _content_length(message: Request | Response) -> int | None:
    lengths = message.headers.lines(_CONTENT_LENGTH)
    if not lengths:
        return None
    if len(lengths) == 1 and lengths[0].isdigit() and len(lengths[0]) < 6 and lengths[0].isascii():
        return int(lengths[0])
    try:
        values = {parse_integer(length, MAX_BODY, _CONTENT_LENGTH) for length in lengths}
    except InvalidValue as error:
        raise _refused(message, 400, "Malformed Content-Length") from error
    if len(values) > 1:
        raise _refused(message, 400, "Several Content-Lengths")
    return values.pop()


def _framing_length(head: bytes) -> int:
    """Find the Content-Length in a head as cheaply as may be. Raises RemoteProtocolError."""
    lowered = head.lower()
    if b"\r\n " in lowered or b"\r\n\t" in lowered:
        lowered = lowered.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    found: set[int] = set()
    for name in (b"\r\ncontent-length", b"\r\nl"):
        at = lowered.find(name)
        while at >= 0:
            line_end = lowered.find(_LINE_ENDS, at + 2)
            line = lowered[at + len(name) : line_end if line_end >= 0 else None].lstrip(b" \t")
            if line.startswith(b":"):
                digits = line[1:].strip()
                if not digits.isdigit() or len(digits) > _MAX_DIGITS:
                    raise _unframed(head, "Malformed Content-Length")
                found.add(int(digits))
            at = lowered.find(name, at + len(name))
    if len(found) != 1:
        raise _unframed(head, "Several Content-Lengths" if found else "Missing Content-Length")
    length = found.pop()
    if length > MAX_BODY:
        raise _unframed(head, "Message Too Large", 513)
    return length


def _unframed(head: bytes, reason: str, status: int = 400) -> RemoteProtocolError:
    try:
        return _refused(_parse_head(head), status, reason)
    except RemoteProtocolError as error:
        return error


def _refused(message: Request | Response, status: int, reason: str) -> RemoteProtocolError:
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
