"""A receiver of webhooks on loopback that answers as a test wants it to."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

from twoleg.events.addresses import AddressPolicy

ANYWHERE = AddressPolicy(allow_private=True)
"""Messages may go to loopback, where the receiver is."""


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> None:
        """Raises WebhookVerificationError."""
        Webhook(secret).verify(self.body, self.headers)


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: AsyncIterator[bytes] | None = None


Answering = Callable[[Received], Awaitable[Answer]]


async def taken(received: Received) -> Answer:
    return Answer()


async def never(received: Received) -> Answer:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def statuses(*given: int) -> Answering:
    """Answer with one after another, the last one for ever."""
    left = list(given)

    async def answer(received: Received) -> Answer:
        return Answer(left.pop(0) if len(left) > 1 else left[0])

    return answer


class Receiver:
    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.received: list[Received] = []
        self.connections = 0
        self.at_once = 0
        self.most_at_once = 0
        self._arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""
        self.left = asyncio.Event()
        """A sender broke its connection off."""

    async def until(self, count: int) -> list[Received]:
        """Wait for so many requests."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                await self._answer(await _request(reader), writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.left.set()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, received: Received, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            async with self._arrived:
                self.received.append(received)
                self._arrived.notify_all()
            answer = await self.answering(received)
        finally:
            self.at_once -= 1
        head = f"HTTP/1.1 {answer.status} X\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        length = "Transfer-Encoding: chunked" if answer.body else "Content-Length: 0"
        writer.write(f"{head}{length}\r\n\r\n".encode())
        await writer.drain()
        if answer.body is not None:
            async for chunk in answer.body:
                writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                await writer.drain()
            writer.write(b"0\r\n\r\n")

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    return Received(first.split()[1], headers, body)


@asynccontextmanager
async def receiving(
    answering: Answering = taken, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    receiver = Receiver(answering)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        server.close()
        await receiver.close()
