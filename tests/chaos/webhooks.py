"""A receiver of webhooks that takes everything, and remembers what it took."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LOOPBACK = "127.0.0.1"


class Receiver:
    """Counts deliveries: the ids that each event came with, by call and sequence."""

    def __init__(self) -> None:
        self.port = 0
        self.ids: dict[tuple[int, int], set[str]] = defaultdict(set)
        self.taken = 0

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Receiver]:
        receiver = cls()
        server = await asyncio.start_server(receiver._serve, LOOPBACK, 0)
        receiver.port = server.sockets[0].getsockname()[1]
        async with server:
            yield receiver

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(
                    line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
                )
                body = json.loads(await reader.readexactly(int(fields["content-length"])))
                self._take(fields["webhook-id"], body)
                writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def _take(self, webhook_id: str, body: dict) -> None:
        self.taken += 1
        data = body["data"]
        self.ids[int(data["id"]), int(data["sequence"])].add(webhook_id)
