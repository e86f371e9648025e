"""What people say that a call came to: kept beside its outcome, and never guessed.

It may be said while the call runs, when its engine alone counts the call's events. The engine is
told then, and writes the event as any other; where it does not come to that, the database does so
by a trigger as the call ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from twoleg.events import EVENTS_CHANNEL

DISPOSITIONS_CHANNEL: Final = "twoleg_dispositions"
"""Told the id of a running call whose disposition was set."""

DISPOSITION_SET: Final = "call.disposition_set"

MAX_NOTES: Final = 2000
"""Characters of the notes on one call."""

_LOCK: Final = """
SELECT c.engine_id IS NOT NULL AND c.ended_at IS NULL, c.disposition, c.notes, a.dispositions
FROM calls c JOIN accounts a ON a.id = c.account_id
WHERE c.account_id = %s AND c.id = %s FOR NO KEY UPDATE OF c
"""
_SET: Final = """
WITH said AS (
  UPDATE calls SET disposition = %(disposition)s, notes = %(notes)s, sequence = sequence + 1
  WHERE id = %(id)s RETURNING id, account_id, sequence
), told AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, data)
  SELECT account_id, id, sequence, %(type)s, %(data)s FROM said
)
SELECT pg_notify(%(events)s, '') FROM said
"""
_HAVE_TOLD: Final = """
WITH said AS (
  UPDATE calls SET disposition = %(disposition)s, notes = %(notes)s, disposition_untold = true
  WHERE id = %(id)s RETURNING id
)
SELECT pg_notify(%(engines)s, id::text) FROM said
"""
_UNTOLD: Final = """
SELECT id, disposition, notes FROM calls
WHERE engine_id = %s AND ended_at IS NULL AND disposition_untold
"""


class UnknownDisposition(Exception):
    """The account's list has no such disposition; `allowed` is the list."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(list(allowed))
        self.allowed = tuple(allowed)


async def dispose(
    connection: psycopg.AsyncConnection[Any],
    account_id: int,
    call_id: int,
    given: Mapping[str, str | None],
) -> bool:
    """Set what `given` has of `disposition` and `notes`; False: the account has no such call.

    Raises UnknownDisposition. What is as it was is no event.
    """
    async with connection.transaction():
        cursor = await connection.execute(_LOCK, (account_id, call_id))
        row = await cursor.fetchone()
        if row is None:
            return False
        runs, disposition, notes, allowed = row
        wanted = given.get("disposition")
        if wanted is not None and wanted not in allowed:
            raise UnknownDisposition(allowed)
        said = {"disposition": disposition, "notes": notes} | dict(given)
        if said != {"disposition": disposition, "notes": notes}:
            parameters = said | {
                "id": call_id,
                "type": DISPOSITION_SET,
                "data": Jsonb(said),
                "events": EVENTS_CHANNEL,
                "engines": DISPOSITIONS_CHANNEL,
            }
            await connection.execute(_HAVE_TOLD if runs else _SET, parameters)
        return True


async def untold_dispositions(
    connection: psycopg.AsyncConnection[Any], engine_id: int
) -> list[tuple[int, str | None, str | None]]:
    """Return id, disposition and notes of the engine's calls of which no event tells yet."""
    cursor = await connection.execute(_UNTOLD, (engine_id,))
    return await cursor.fetchall()
