"""What is said on the channels of the database that a connection listens to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from twoleg.store.database import Connection

Heard = Callable[[str, str], None]
"""Is called with the channel and what was said there."""


async def hear(connection: Connection, heard: Heard) -> None:
    """Pass on what is said, for as long as the connection is of use; nobody else may use it.

    psycopg's `notifies()` begins to wait anew after each word, and ten times a second without
    any, which takes four times as long. What was said while LISTEN was still being answered is
    lost here, so the caller looks then. Never returns; raises psycopg.OperationalError once the
    connection is lost, and what `heard` raises.
    """
    server, loop = connection.pgconn, asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        try:
            server.consume_input()
            while (said := server.notifies()) is not None:
                heard(said.relname.decode(), said.extra.decode())
        except Exception as error:  # noqa: BLE001  # whoever waits is told
            loop.remove_reader(socket)
            if not over.done():
                over.set_exception(error)

    socket = server.socket
    loop.add_reader(socket, readable)
    try:
        await over
    finally:
        loop.remove_reader(socket)
