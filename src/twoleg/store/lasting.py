"""A connection for as long as a process runs, whatever becomes of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import psycopg
import structlog

from twoleg.store.database import Connection, Database

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


async def stay_connected(
    database: Database, work: Callable[[Connection], Coroutine[Any, Any, None]], without: str
) -> None:
    """Do `work` over a connection of its own, and over a new one whenever that is lost.

    `without` tells the log what is missing meanwhile. Never returns.
    """
    loop = asyncio.get_running_loop()
    pause = FIRST_PAUSE_SECONDS
    while True:
        began_at = loop.time()
        try:
            async with await database.connect() as connection:
                await work(connection)
        except (OSError, psycopg.Error) as error:
            log.warning(without, error=type(error).__name__)
        if loop.time() - began_at > LONGEST_PAUSE_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
