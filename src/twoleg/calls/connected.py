"""A connection to the database for as long as an engine runs, whatever becomes of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import psycopg
import structlog

from twoleg.store import Database

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0

Connection = psycopg.AsyncConnection[Any]

# What an engine asks for is a few rows by their keys. Plans that were made while the tables were
# small must not read them whole when they are large, and planning anew costs more than it gains.
_PLANNER: Final = """
SELECT set_config(name, setting, false) FROM (VALUES
  ('plan_cache_mode', 'force_generic_plan'), ('jit', 'off'), ('enable_seqscan', 'off'),
  ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_bitmapscan', 'off')
) AS settings(name, setting)
"""

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
                await connection.execute(_PLANNER)
                await work(connection)
        except (OSError, psycopg.Error) as error:
            log.warning(without, error=type(error).__name__)
        if loop.time() - began_at > LONGEST_PAUSE_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
