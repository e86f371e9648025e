"""An open-loop HTTP/1.1 load: requests leave on schedule, whatever the replies do."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

# A bare protocol: the load must not cost more than what it measures.
_STATUS = slice(9, 12)
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass
class Replies:
    """What came back."""

    accepted: int = 0
    refused: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


class Load:
    """Keep-alive connections to one server; one request at a time on each."""

    def __init__(self, host: str, port: int, connections: int) -> None:
        self._host = host
        self._port = port
        self._wanted = connections
        self._connections: list[_Connection] = []
        self._free: list[_Connection] = []
        self._due: deque[tuple[bytes, float]] = deque()
        self._outstanding = 0
        self._idle = asyncio.Event()
        self.replies = Replies()

    async def open(self) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        for _ in range(self._wanted):
            _, connection = await loop.create_connection(
                lambda: _Connection(self), self._host, self._port
            )
            self._connections.append(connection)
        self._free = list(self._connections)

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.close()
        await asyncio.gather(*(connection.closed.wait() for connection in self._connections))

    async def run(self, requests: Sequence[bytes], per_second: float) -> None:
        """Send `requests` at `per_second`; return when each has its reply.

        The time of a reply counts from when its request was due, so that a server that stalls
        cannot hide behind a client that waits.
        """
        # Not the loop's own time: uvloop's has milliseconds.
        start = time.perf_counter()
        for number, request in enumerate(requests):
            due = start + number / per_second
            if due > time.perf_counter():
                await asyncio.sleep(due - time.perf_counter())
            self._outstanding += 1
            if self._free:
                self._free.pop().send(request, due)
            else:
                self._due.append((request, due))
        while self._outstanding:
            self._idle.clear()
            await self._idle.wait()

    async def flood(self, requests: Sequence[bytes]) -> None:
        """Send `requests` as fast as replies come, one at a time on each connection."""
        now = time.perf_counter()
        self._outstanding += len(requests)
        self._due.extend((request, now) for request in requests)
        while self._free and self._due:
            self._free.pop().send(*self._due.popleft())
        while self._outstanding:
            self._idle.clear()
            await self._idle.wait()

    def answered(self, connection: _Connection, status: int, seconds: float) -> None:
        """Count a reply; its connection takes the next request that is due."""
        self.replies.seconds.append(seconds)
        if status == 202:
            self.replies.accepted += 1
        else:
            self.replies.refused[status] = self.replies.refused.get(status, 0) + 1
        self._outstanding -= 1
        if self._due:
            connection.send(*self._due.popleft())
        else:
            self._free.append(connection)
            if not self._outstanding:
                self._idle.set()


class _Connection(asyncio.Protocol):
    """One request, one reply, and so on."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._due = 0.0
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def send(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data
        head = received.find(_END_OF_HEAD)
        if head < 0:
            return
        lowered = received[:head].lower()
        at = lowered.index(_LENGTH) + len(_LENGTH)
        length = int(lowered[at:].partition(b"\r\n")[0])
        if len(received) < head + len(_END_OF_HEAD) + length:
            return
        self._received = b""
        self._load.answered(self, int(received[_STATUS]), time.perf_counter() - self._due)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self.closed.set()

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


def post(path: str, body: bytes) -> bytes:
    """Build one POST with a JSON body."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
