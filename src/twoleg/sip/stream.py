"""From the bytes of a stream to messages (RFC 3261 18.3, RFC 5626 3.5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from twoleg.sip.errors import RemoteProtocolError
from twoleg.sip.message import Request, Response
from twoleg.sip.parser import END_OF_HEAD, MAX_BODY, MAX_HEAD, check, parse_head, refused

_LINE_ENDS: Final = b"\r\n"
_PING: Final = b"\r\n\r\n"
_MAX_DIGITS: Final = 10


class KeepAlive:
    """A double CRLF on a stream, to be answered with one (RFC 5626 3.5.1)."""


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
        head, body = self._head, bytes(buffer[len(self._head) + len(END_OF_HEAD) : self._end])
        self._drop(self._end)
        try:
            message = parse_head(head)
            message.body = body
            check(message)
        except RemoteProtocolError as error:
            return error
        return message

    def _find_head(self) -> bool:
        """Look for the end of the head, and take from it how long the message is."""
        buffer = self._buffer
        end = buffer.find(END_OF_HEAD, max(0, self._searched - len(END_OF_HEAD)))
        if end > MAX_HEAD or (end < 0 and len(buffer) > MAX_HEAD):
            raise RemoteProtocolError(513, "Message Too Large")
        if end < 0:
            self._searched = len(buffer)
            return False
        self._head = bytes(buffer[:end])
        self._end = end + len(END_OF_HEAD) + _framing_length(self._head)
        return True

    def _drop(self, length: int) -> None:
        del self._buffer[:length]
        self._searched = self._end = 0
        self._head = b""


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
        return refused(parse_head(head), status, reason)
    except RemoteProtocolError as error:
        return error
