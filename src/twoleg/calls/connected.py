"""A connection to the database for as long as an engine runs, whatever becomes of the database."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import psycopg

from twoleg.store import Database, lasting

Connection = psycopg.AsyncConnection[Any]

# What an engine asks for is a few rows by their keys. Plans that were made while the tables were
# small must not read them whole when they are large, nor sort what an index has in its order, and
# planning anew costs more than it gains.
_PLANNER: Final = """
SELECT set_config(name, setting, false) FROM (VALUES
  ('plan_cache_mode', 'force_generic_plan'), ('jit', 'off'), ('enable_seqscan', 'off'),
  ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_bitmapscan', 'off'),
  ('enable_sort', 'off'), ('enable_incremental_sort', 'off')
) AS settings(name, setting)
"""


async def stay_connected(
    database: Database, work: Callable[[Connection], Coroutine[Any, Any, None]], without: str
) -> None:
    """Do `work` over a connection of its own, and over a new one whenever that is lost.

    `without` tells the log what is missing meanwhile. Never returns.
    """

    async def planned(connection: Connection) -> None:
        await connection.execute(_PLANNER)
        await work(connection)

    await lasting.stay_connected(database, planned, without)
