"""One HTTP/1.1 connection to a receiver: a request, its reply, and the next request.

Only what a webhook needs of HTTP: the status and Retry-After of a reply; its body is counted and
forgotten. Parsing is httptools' (llhttp).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, cast

import httptools

MAX_READ: Final = 64 * 1024
"""Bytes of a reply, body and all, that are read so that its connection can be kept."""

MAX_RETRY_AFTER_SECONDS: Final = 3600.0
_INFORMATIONAL: Final = range(100, 200)
_MAX_DIGITS: Final = 6


class ConnectionBroken(Exception):
    """No reply came; the text says why. `unheard`: not a byte of one."""

    def __init__(self, why: str, *, unheard: bool) -> None:
        super().__init__(why)
        self.unheard = unheard


@dataclass(frozen=True, slots=True)
class Head:
    """What is kept of a reply."""

    status: int
    retry_after: float | None


class Connection(asyncio.Protocol):
    """Made by `loop.create_connection`. One exchange at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reply: asyncio.Future[Head] | None = None
        self._status: int | None = None
        self._retry_after: float | None = None
        self._read = 0
        self.used = False
        """A reply came over it before."""

        self.idle_since = 0.0

    @property
    def head(self) -> Head | None:
        """The head of the last reply, if so much of it came."""
        return None if self._status is None else Head(self._status, self._retry_after)

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes) -> Head:
        """Send `request`, and return what came back. Raises ConnectionBroken.

        Cancelled, it closes the connection: a late reply must not be taken for another's. What of
        a reply was heard by then is in `head`.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionBroken("the connection broke off", unheard=True)
        self._reply = asyncio.get_running_loop().create_future()
        self._status = None
        self._retry_after = None
        self._read = 0
        self._transport.write(request)
        try:
            head = await self._reply
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._reply = None
        self.used = True
        return head

    def close(self) -> None:
        """Close at once, whatever is on its way."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._status is not None:
            # A reply without a length ends with its connection.
            self._finish()
        else:
            self._break("the connection broke off")

    def data_received(self, data: bytes) -> None:
        if self._reply is None or self._reply.done():
            # Nobody asked for it.
            self.close()
            return
        self._read += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
            self._break("the reply is no HTTP")
            self.close()
            return
        if self._read > MAX_READ:
            if self._status is not None:
                self._finish()
            else:
                self._break("the reply is too large")
            self.close()

    def on_message_begin(self) -> None:
        if self._reply is None or self._reply.done():
            # A second reply to one request would be taken for the next one's.
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) <= _MAX_DIGITS:
            self._retry_after = min(float(value), MAX_RETRY_AFTER_SECONDS)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status not in _INFORMATIONAL:
            self._status = status

    def on_message_complete(self) -> None:
        if self._status is None:
            return
        keeps = self._parser.should_keep_alive()
        self._finish()
        if not keeps:
            self.close()

    def _finish(self) -> None:
        head = self.head
        if head is not None and self._reply is not None and not self._reply.done():
            self._reply.set_result(head)

    def _break(self, why: str) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(ConnectionBroken(why, unheard=self._read == 0))
