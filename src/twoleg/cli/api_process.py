"""The api process: uvicorn on a socket of ours, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from fastapi import FastAPI

from twoleg.api import create_app
from twoleg.cli.collector import spare_what_is_loaded
from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.listening import AddressUnusable
from twoleg.cli.stopping import stop_requested
from twoleg.events import EventStream
from twoleg.settings import ListenAddress, Settings
from twoleg.store import Database

LISTEN_BACKLOG = 2048
STOP_SECONDS = 3
KEEP_ALIVE_SECONDS = 75
UNTAKEN_SECONDS = 60
"""How long a client may leave what was sent to it untaken, before its connection is dropped."""


async def run(settings: Settings, url: str, *, supervised: bool) -> None:
    """Serve the HTTP API on the database at `url`. Raises AddressUnusable."""
    with contextlib.closing(_listening(settings.http)) as listener:
        async with stop_requested(supervised=supervised) as stop, Database.open(url) as database:
            app = create_app(settings, database)
            await _serve(_Server(app, settings.trusted_proxies), listener, stop)


def _config(app: FastAPI, trusted: str | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
        proxy_headers=trusted is not None,
        forwarded_allow_ips=trusted or "",
    )


async def _serve(server: _Server, listener: socket.socket, stop: asyncio.Event) -> None:
    serving = asyncio.create_task(server.serve([listener]))
    up = asyncio.create_task(server.up.wait())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, up}, return_when=asyncio.FIRST_COMPLETED)
        if up.done():
            host, port = listener.getsockname()[:2]
            spare_what_is_loaded()
            print(f"ready http://{ListenAddress(host, port)}", flush=True)  # noqa: T201
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            raise SystemExit(ExitCode.FAILED)  # uvicorn has logged why
    finally:
        server.end_streams()
        server.should_exit = True
        up.cancel()
        stopping.cancel()
        await serving


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own, that says when it is up."""

    def __init__(self, app: FastAPI, trusted: str | None) -> None:
        super().__init__(_config(app, trusted))
        self.up = asyncio.Event()
        self._app = app

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    def end_streams(self) -> None:
        """End what would never end by itself, so that nobody waits for it."""
        event_stream: EventStream | None = getattr(self._app.state, "event_stream", None)
        if event_stream is not None:
            event_stream.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self.up.set()


def _listening(address: ListenAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections have it from here: one whose client takes nothing does not stay for ever.
            timeout = 1000 * UNTAKEN_SECONDS
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout)
        listener.bind((address.host, address.port))
        # Linux refuses a second listener only here where both ask to reuse the address.
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        listener.close()
        raise AddressUnusable("http", str(address), error) from error
    return listener
