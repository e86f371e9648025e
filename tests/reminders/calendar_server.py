"""A web server with a calendar, which says what a test wants, over real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HOST = "127.0.0.1"


class CalendarServer:
    """Answers every GET with `status`, `headers` and `body`; `asked` is what was asked for."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.asked: list[dict[str, str]] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, tls: ssl.SSLContext | None = None) -> AsyncIterator[CalendarServer]:
        servers: list[CalendarServer] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await servers[0].serve(reader, writer)

        listening = await asyncio.start_server(serve, HOST, 0, ssl=tls)
        async with listening:
            servers.append(cls(listening.sockets[0].getsockname()[1]))
            yield servers[0]

    def url(self, path: str = "/basic.ics?key=secret", host: str = HOST) -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines)
            self.asked.append({name.lower(): value for name, value in fields.items()})
            self.asked[-1]["target"] = first.split(" ")[1]
            headers = {"Content-Length": str(len(self.body)), **self.headers}
            text = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            reply = f"HTTP/1.1 {self.status} Whatever\r\n{text}Connection: close\r\n\r\n"
            writer.write(reply.encode() + self.body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
