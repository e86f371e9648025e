"""A hang-up that somebody asked for over the API, made to work at whatever state a call is in."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from twoleg.events import EVENTS_CHANNEL

HANG_UP_CHANNEL: Final = "twoleg_hangup"

# Who has the row locks out the engine's claim, which skips locked rows: either the engine has
# the call and is told, or it has not and never gets it.
_LOCK: Final = """
SELECT engine_id IS NULL AND status = 'queued' AS unclaimed, ended_at IS NOT NULL AS ended
FROM calls WHERE account_id = %s AND id = %s FOR NO KEY UPDATE
"""
_CANCEL: Final = """
WITH canceled AS (
  UPDATE calls SET status = 'ended', outcome = 'canceled', ended_by = 'api', ended_at = now(),
    hangup_requested_at = now(), sequence = sequence + 1, talk_seconds = 0,
    total_seconds = extract(epoch FROM now() - created_at)
  WHERE id = %s RETURNING account_id, id, sequence
), told AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT account_id, id, sequence, 'call.ended', now(),
         '{"outcome": "canceled", "ended_by": "api"}'::jsonb FROM canceled
)
SELECT pg_notify(%s, '') FROM canceled
"""
_ASK_ENGINE: Final = """
WITH asked AS (
  UPDATE calls SET hangup_requested_at = coalesce(hangup_requested_at, now())
  WHERE id = %s RETURNING id
)
SELECT pg_notify(%s, id::text) FROM asked
"""


async def request_hang_up(
    connection: psycopg.AsyncConnection[Any], account_id: int, call_id: int
) -> bool:
    """End the call, or have its engine end it; False where the account has no such call.

    A call that has ended stays as it is.
    """
    async with connection.transaction():
        cursor = await connection.execute(_LOCK, (account_id, call_id))
        row = await cursor.fetchone()
        if row is None:
            return False
        unclaimed, ended = row
        if ended:
            return True
        if unclaimed:
            await connection.execute(_CANCEL, (call_id, EVENTS_CHANNEL))
        else:
            await connection.execute(_ASK_ENGINE, (call_id, HANG_UP_CHANNEL))
        return True
