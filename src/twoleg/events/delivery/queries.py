"""The statements of delivery: whose turn it is, what is due, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final, NamedTuple

from psycopg.rows import dict_row

from twoleg.events.delivery.messages import FINAL, FIXED, STATUSES, Message
from twoleg.events.webhooks.values import DeliveryState
from twoleg.store.database import Connection

LEASE_SECONDS: Final = 15.0
"""How long a worker that is heard of no more keeps its receivers from others."""

_LEASE: Final = """
UPDATE webhook_receivers r SET worker = %(worker)s,
  leased_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM (
  SELECT id FROM webhook_receivers
  WHERE due_at <= clock_timestamp() AND leased_until < clock_timestamp()
  ORDER BY due_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
) AS due
WHERE r.id = due.id RETURNING r.id, r.webhook_id, r.failing_since
"""
_RENEW: Final = """
UPDATE webhook_receivers SET leased_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id IN (
  SELECT id FROM webhook_receivers WHERE id = ANY(%(ids)s) AND worker = %(worker)s
  ORDER BY id FOR NO KEY UPDATE)
RETURNING id
"""
# First the lock, then the look, in a snapshot of its own: what was added before the lock is seen,
# and who adds something later finds `due_at` as it is then.
_LOCK: Final = """
SELECT id FROM webhook_receivers WHERE id = ANY(%(ids)s) AND worker = %(worker)s
ORDER BY id FOR NO KEY UPDATE
"""
_RELEASE: Final = """
UPDATE webhook_receivers r SET worker = NULL, leased_until = 'epoch', due_at = (
  SELECT min(d.next_attempt_at) FROM webhook_deliveries d
  WHERE d.receiver_id = r.id AND d.state = 'pending')
WHERE r.id = ANY(%(ids)s)
"""
_CALL_FIELDS: Final = [f"'{name}', c.{name}" for name in (*FIXED, *FINAL)]
# What is at hand already is read over by its key alone.
_DUE: Final = f"""
SELECT d.id, d.receiver_id, d.webhook_id, d.call_id, d.appointment_id, d.type, d.message_id,
  d.attempts, d.created_at, coalesce(d.url, w.url) AS url,
  CASE WHEN d.webhook_id IS NULL THEN ARRAY[a.callback_secret]
    WHEN w.old_secret IS NOT NULL AND w.old_secret_until > now()
      THEN ARRAY[w.secret, w.old_secret]
    ELSE ARRAY[w.secret] END AS secrets,
  d.webhook_id IS NULL OR w.deleted_at IS NULL AND (w.active OR d.event_id IS NULL) AS active,
  CASE WHEN e.id IS NOT NULL THEN jsonb_build_object('id', e.id, 'sequence', e.sequence,
    'at', e.at, 'data', e.data) END AS event,
  CASE WHEN c.id IS NOT NULL THEN jsonb_build_object({", ".join(_CALL_FIELDS)}) END AS call,
  CASE WHEN e.id IS NULL THEN NULL WHEN e.type = ANY(%(statuses)s) THEN substr(e.type, 6) ELSE (
    SELECT substr(s.type, 6) FROM call_events s
    WHERE s.call_id = e.call_id AND s.sequence < e.sequence AND s.type = ANY(%(statuses)s)
    ORDER BY s.sequence DESC LIMIT 1) END AS status
FROM unnest(%(ids)s::bigint[], %(asked)s::int[]) AS lane(id, asked)
  CROSS JOIN LATERAL (
    SELECT * FROM webhook_deliveries
    WHERE receiver_id = lane.id AND state = 'pending' AND next_attempt_at <= clock_timestamp()
    ORDER BY next_attempt_at, id LIMIT lane.asked
  ) AS d
  JOIN accounts a ON a.id = d.account_id
  LEFT JOIN webhooks w ON w.id = d.webhook_id
  LEFT JOIN call_events e ON e.id = d.event_id
  LEFT JOIN calls c ON c.id = e.call_id
WHERE d.id <> ALL(%(known)s::bigint[])
ORDER BY d.receiver_id, d.next_attempt_at, d.id
"""  # noqa: S608
_SAVE: Final = """
WITH saved AS (
  UPDATE webhook_deliveries d SET state = x.state,
    attempts = d.attempts + CASE WHEN x.attempted THEN 1 ELSE 0 END,
    last_status = x.status, last_error = x.error,
    next_attempt_at = now() + make_interval(secs => coalesce(x.pause, 0)),
    delivered_at = CASE WHEN x.state = 'delivered' THEN now() END
  FROM jsonb_to_recordset(%(results)s::jsonb) AS x(
    id bigint, state text, attempted boolean, status smallint, error text, pause float8)
  WHERE d.id = ANY (ARRAY[x.id]) AND d.state = 'pending'
  RETURNING CASE x.state WHEN 'pending' THEN 'retried' ELSE x.state END AS outcome
), totals AS (
  INSERT INTO webhook_totals AS t (outcome, attempts)
  SELECT outcome, count(*) FROM saved GROUP BY outcome ORDER BY outcome
  ON CONFLICT (outcome) DO UPDATE SET attempts = t.attempts + excluded.attempts
), healths AS (
  UPDATE webhook_receivers r SET failing_since = h.failing_since
  FROM jsonb_to_recordset(%(healths)s::jsonb) AS h(id bigint, failing_since timestamptz)
  WHERE r.id = h.id
)
UPDATE webhooks w SET active = false, disabled_reason = g.reason
FROM jsonb_to_recordset(%(given_up)s::jsonb) AS g(webhook_id bigint, reason text)
WHERE w.id = g.webhook_id AND w.active
"""
_STATUS_TYPES: Final = [f"call.{status}" for status in sorted(STATUSES)]


class Lease(NamedTuple):
    """A receiver that is ours for a while."""

    receiver_id: int
    webhook_id: int | None
    failing_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one delivery; `pause` is how long it then waits for its next attempt."""

    id: int
    state: DeliveryState
    attempted: bool = True
    status: int | None = None
    error: str | None = None
    pause: float | None = None


async def lease(connection: Connection, worker: str, most: int) -> list[Lease]:
    """Take up to `most` receivers that have something due and that no other worker has."""
    parameters = {"worker": worker, "most": most, "lease": LEASE_SECONDS}
    cursor = await connection.execute(_LEASE, parameters, prepare=True)
    return [Lease(*row) for row in await cursor.fetchall()]


async def renew(connection: Connection, worker: str, ids: Sequence[int]) -> set[int]:
    """Keep receivers for another while; return those that are still ours."""
    parameters = {"worker": worker, "ids": list(ids), "lease": LEASE_SECONDS}
    cursor = await connection.execute(_RENEW, parameters)
    return {receiver_id for (receiver_id,) in await cursor.fetchall()}


async def release(connection: Connection, worker: str, ids: Sequence[int]) -> None:
    """Give receivers back, and note when there is something to be sent to each."""
    parameters = {"worker": worker, "ids": list(ids)}
    async with connection.transaction():
        cursor = await connection.execute(_LOCK, parameters)
        ours = [receiver_id for (receiver_id,) in await cursor.fetchall()]
        await connection.execute(_RELEASE, {"ids": ours})


async def due(
    connection: Connection, rooms: dict[int, int], known: dict[int, set[int]]
) -> list[Message]:
    """Return what is due at receivers beside the `known`, about `rooms` at each, in order."""
    parameters = {
        "ids": list(rooms),
        "asked": [room + len(known[receiver_id]) for receiver_id, room in rooms.items()],
        "known": list(chain.from_iterable(known.values())),
        "statuses": _STATUS_TYPES,
    }
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_DUE, parameters, prepare=True)
        return [_message(row) for row in await cursor.fetchall()]


async def save(
    connection: Connection,
    results: Sequence[Result],
    healths: dict[int, datetime | None],
    given_up: dict[int, str],
) -> None:
    """Write what became of deliveries, since when receivers fail, and which are given up, why."""
    parameters = {
        "results": json.dumps([asdict(result) for result in results]),
        "healths": json.dumps(
            [
                {"id": receiver_id, "failing_since": since and since.isoformat()}
                for receiver_id, since in healths.items()
            ]
        ),
        "given_up": json.dumps(
            [{"webhook_id": id_, "reason": reason} for id_, reason in given_up.items()]
        ),
    }
    await connection.execute(_SAVE, parameters, prepare=True)


def _message(row: dict[str, Any]) -> Message:
    row["secrets"] = tuple(row["secrets"])
    return Message(**row)
