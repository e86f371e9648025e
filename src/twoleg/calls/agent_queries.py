"""Finding free users and reserving them, for many calls in one statement.

The parts of SQL here follow a common table `seeking(call_id, account_id, user_id, ring_group_id,
rung, begun)`: each call seeks one user, or somebody of one ring group that it has not rung yet;
`begun` says that it has rung somebody of the group.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg

from twoleg.directory.ring_groups import Strategy

Connection = psycopg.AsyncConnection[Any]

# Whom an older call waits for is not taken by a younger one, on whichever engine they wait; calls
# of this statement are put in their order by the statement itself.
_OLDER: Final = """
  w.call_id < s.call_id AND w.call_id NOT IN (SELECT call_id FROM seeking)
  AND (SELECT o.ended_at IS NULL FROM calls o WHERE o.id = w.call_id)
"""

# OFFSET 0 has each row looked up by its key, whatever the planner believes of the tables' sizes.
# `turn` is the order of the group's strategy. Of a group's calls the oldest gets the first of it;
# where all are rung together, it gets them all. Users are inserted in the order of their ids, so
# that no two engines wait for each other in a ring.
RESERVE: Final = f"""
free AS MATERIALIZED (
  SELECT g.id AS ring_group_id, g.strategy, m.user_id, m.place,
    row_number() OVER (PARTITION BY g.id ORDER BY CASE g.strategy
      WHEN 'round_robin' THEN mod(m.place - mod(g.next_position, m.members) + m.members, m.members)
      WHEN 'longest_idle' THEN coalesce(extract(epoch FROM u.last_call_ended_at)::float8, 0)
      WHEN 'random' THEN random() END, m.place) AS turn
  FROM (SELECT DISTINCT ring_group_id AS id FROM seeking WHERE ring_group_id IS NOT NULL) s,
  LATERAL (
    SELECT id, strategy, next_position FROM ring_groups
    WHERE id = s.id AND deleted_at IS NULL OFFSET 0
  ) g, LATERAL (
    SELECT user_id, row_number() OVER (ORDER BY position) - 1 AS place,
      count(*) OVER () AS members
    FROM ring_group_members WHERE ring_group_id = g.id OFFSET 0
  ) m, LATERAL (
    SELECT last_call_ended_at FROM users
    WHERE id = m.user_id AND deleted_at IS NULL AND availability = 'available'
      AND (wrap_up_until IS NULL OR wrap_up_until <= now())
      AND (phone_number IS NOT NULL OR EXISTS (
        SELECT FROM bindings b WHERE b.user_id = m.user_id AND b.expires_at > now()))
    OFFSET 0
  ) u
  WHERE NOT EXISTS (SELECT FROM reservations r WHERE r.user_id = m.user_id)
), candidates AS (
  SELECT s.call_id, s.account_id, s.ring_group_id, f.strategy, f.user_id, f.place, f.turn,
    dense_rank() OVER (PARTITION BY s.ring_group_id ORDER BY s.call_id) AS asker,
    row_number() OVER (PARTITION BY s.call_id ORDER BY f.turn) AS choice
  FROM seeking s JOIN free f USING (ring_group_id)
  WHERE f.user_id <> ALL (s.rung)
    AND NOT EXISTS (SELECT FROM waiting_calls w WHERE w.user_id = f.user_id AND {_OLDER})
    AND NOT EXISTS (
      SELECT FROM ring_group_members o JOIN waiting_calls w USING (ring_group_id)
      WHERE o.user_id = f.user_id AND f.user_id <> ALL (w.rung) AND {_OLDER})
), wanted AS MATERIALIZED (
  SELECT s.call_id, s.account_id, s.ring_group_id, s.user_id, 0 AS place, 0 AS turn,
    NULL AS strategy
  FROM seeking s
  WHERE s.ring_group_id IS NULL
    AND (SELECT u.deleted_at IS NULL AND u.availability = 'available'
         FROM users u WHERE u.id = s.user_id)
    AND NOT EXISTS (SELECT FROM reservations r WHERE r.user_id = s.user_id)
    AND NOT EXISTS (SELECT FROM waiting_calls w WHERE w.user_id = s.user_id AND {_OLDER})
  UNION ALL
  SELECT call_id, account_id, ring_group_id, user_id, place, turn, strategy
  FROM candidates WHERE CASE strategy WHEN 'ring_all' THEN asker = 1 ELSE choice = asker END
), reserved AS (
  INSERT INTO reservations (user_id, call_id, wrap_up_seconds)
  SELECT DISTINCT ON (w.user_id) w.user_id, w.call_id, coalesce(
    (SELECT g.wrap_up_seconds FROM ring_groups g WHERE g.id = w.ring_group_id),
    (SELECT a.wrap_up_seconds FROM accounts a WHERE a.id = w.account_id), 0)
  FROM wanted w ORDER BY w.user_id, w.call_id
  ON CONFLICT (user_id) DO NOTHING RETURNING user_id, call_id
), advanced AS (
  UPDATE ring_groups g SET next_position = last.place + 1
  FROM (
    SELECT DISTINCT ON (w.ring_group_id) w.ring_group_id, w.place
    FROM wanted w JOIN reserved USING (call_id, user_id) WHERE w.strategy = 'round_robin'
    ORDER BY w.ring_group_id, w.turn DESC
  ) last WHERE g.id = last.ring_group_id
)
"""  # noqa: S608

# Of each row `s` of seeking: the columns of Found, and what they are taken from.
FOUND: Final = """
  g.strategy, g.ring_seconds, g.max_wait_seconds, g.fallback, g.screening, f.anybody,
  CASE WHEN f.anybody THEN true
    WHEN s.ring_group_id IS NULL THEN EXISTS (
      SELECT FROM users u WHERE u.id = s.user_id AND u.deleted_at IS NULL)
    ELSE EXISTS (
      SELECT FROM ring_group_members m
      WHERE m.ring_group_id = s.ring_group_id AND m.user_id <> ALL (s.rung)
        AND (NOT s.begun OR EXISTS (
          SELECT FROM users u WHERE u.id = m.user_id AND u.availability = 'available'
            AND (u.wrap_up_until > now() OR EXISTS (
              SELECT FROM reservations r WHERE r.user_id = u.id))))) END,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'user_id', u.id, 'phone_number', u.phone_number, 'sip_username', u.sip_username,
      'screening', u.screening,
      'bindings', (SELECT coalesce(jsonb_agg(jsonb_build_object('contact', b.contact_uri,
          'path', b.path, 'flow', b.flow, 'engine_id', b.engine_id)), '[]')
        FROM bindings b WHERE b.user_id = u.id AND b.expires_at > now()))), '[]')
   FROM reserved r JOIN users u ON u.id = r.user_id WHERE r.call_id = s.call_id)
"""
FOUND_FROM: Final = """
  LEFT JOIN ring_groups g ON g.id = s.ring_group_id AND g.deleted_at IS NULL
  CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM wanted w WHERE w.call_id = s.call_id) AS anybody OFFSET 0
  ) f
"""
FOUND_COLUMNS: Final = 8

# Whom a call rang before is free from here on, whether or not somebody else is found.
_SEEK: Final = f"""
WITH seeking AS MATERIALIZED (
  SELECT x.call_id, c.account_id, x.user_id, x.ring_group_id, x.rung, x.begun, x.kept_user_id
  FROM jsonb_to_recordset(%(seeks)s::jsonb) AS x(
    call_id bigint, user_id bigint, ring_group_id bigint, rung bigint[], begun boolean,
    kept_user_id bigint)
  JOIN calls c ON c.id = x.call_id AND c.engine_id + 0 = %(engine)s AND c.ended_at IS NULL
), rung_before AS (
  DELETE FROM reservations r USING seeking s
  WHERE r.call_id = s.call_id AND r.user_id IS DISTINCT FROM s.kept_user_id
), {RESERVE}, waited AS (
  DELETE FROM waiting_calls w USING reserved r WHERE w.call_id = r.call_id
)
SELECT s.call_id, {FOUND} FROM seeking s {FOUND_FROM}
"""  # noqa: S608

# Who counts a group's queue has the group's row until it has joined the queue.
_LOCK_QUEUES: Final = """
SELECT FROM ring_groups WHERE id = ANY(%s) AND max_waiting IS NOT NULL
ORDER BY id FOR NO KEY UPDATE
"""
_JOIN_QUEUES: Final = """
INSERT INTO waiting_calls (call_id, user_id, ring_group_id, rung)
SELECT x.call_id, x.user_id, x.ring_group_id, x.rung
FROM (
  SELECT x.*, row_number() OVER (PARTITION BY x.ring_group_id ORDER BY x.call_id) AS place
  FROM jsonb_to_recordset(%(seeks)s::jsonb) AS x(
    call_id bigint, user_id bigint, ring_group_id bigint, rung bigint[])
  JOIN calls c ON c.id = x.call_id AND c.engine_id + 0 = %(engine)s AND c.ended_at IS NULL
) x LEFT JOIN ring_groups g ON g.id = x.ring_group_id
WHERE g.max_waiting IS NULL OR x.place + (
  SELECT count(*) FROM waiting_calls w JOIN calls c ON c.id = w.call_id
  WHERE w.ring_group_id = x.ring_group_id AND c.ended_at IS NULL) <= g.max_waiting
ON CONFLICT (call_id) DO UPDATE SET user_id = excluded.user_id,
  ring_group_id = excluded.ring_group_id, rung = excluded.rung
RETURNING call_id
"""
_LEAVE_QUEUES: Final = """
DELETE FROM waiting_calls w USING calls c
WHERE w.call_id = ANY(%s) AND c.id = w.call_id AND c.engine_id + 0 = %s
"""
_RELEASE: Final = """
DELETE FROM reservations r
USING unnest(%s::bigint[], %s::bigint[]) AS x(call_id, user_id), calls c
WHERE r.user_id = x.user_id AND r.call_id = x.call_id
  AND c.id = x.call_id AND c.engine_id + 0 = %s
"""
# What was reserved in the moment in which its call ended, or its engine was lost.
_SWEEP: Final = """
WITH left_over AS (
  DELETE FROM waiting_calls w USING calls c WHERE c.id = w.call_id AND c.ended_at IS NOT NULL
)
DELETE FROM reservations r USING calls c WHERE c.id = r.call_id AND c.ended_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Found:
    """Whom one look found for a call: `agents`, as JSON objects, are reserved for it now.

    The rest is about the ring group that was looked in, None where it was a user.
    """

    strategy: str | None
    ring_seconds: int | None
    max_wait_seconds: int | None
    fallback: Mapping[str, Any] | None
    screening: str | None
    contended: bool
    """Somebody was free; with nobody in `agents`, another call was quicker."""

    others: bool
    """There is somebody to wait for: the user, or one of the group that the call has not rung.

    Once it has rung some of the group, that is who is busy, and not who is away or has no phone.
    """

    agents: Sequence[Mapping[str, Any]]

    @property
    def is_ring_all(self) -> bool:
        """Whether all that are free are rung at once."""
        return self.strategy == Strategy.RING_ALL


def found_outside(phone_number: str) -> Found:
    """Give a phone number as an agent that nobody else can have."""
    agent = {
        "user_id": None,
        "phone_number": phone_number,
        "sip_username": "",
        "screening": None,
        "bindings": (),
    }
    return replace(NOBODY, agents=(agent,))


NOBODY: Final = Found(None, None, None, None, None, contended=False, others=False, agents=())


@dataclass(frozen=True, slots=True)
class Seek:
    """One call that seeks a user, or one of a ring group except those in `rung`."""

    call_id: int
    user_id: int | None
    ring_group_id: int | None
    rung: tuple[int, ...] = ()
    begun: bool = False
    """It has rung somebody of the group."""

    kept_user_id: int | None = None
    """Who stays reserved for the call although it was rung before."""


async def seek(connection: Connection, engine_id: int, seeks: Iterable[Seek]) -> dict[int, Found]:
    """Free whom each call rang before and reserve whom it rings next.

    A call that this engine no longer has is not in what is returned.
    """
    parameters = {"engine": engine_id, "seeks": _json(seeks)}
    async with connection.cursor() as cursor:
        await cursor.execute(_SEEK, parameters, prepare=True)
        return {row[0]: Found(*row[1:]) for row in await cursor.fetchall()}


async def join_queues(connection: Connection, engine_id: int, seeks: Sequence[Seek]) -> set[int]:
    """Have calls wait for their user or group; return those for which there was a place."""
    groups = [each.ring_group_id for each in seeks if each.ring_group_id is not None]
    async with connection.transaction(), connection.cursor() as cursor:
        if groups:
            await cursor.execute(_LOCK_QUEUES, (groups,), prepare=True)
        parameters = {"engine": engine_id, "seeks": _json(seeks)}
        await cursor.execute(_JOIN_QUEUES, parameters, prepare=True)
        return {call_id for (call_id,) in await cursor.fetchall()}


async def leave_queues(connection: Connection, engine_id: int, call_ids: Iterable[int]) -> None:
    """Have calls of this engine wait no longer."""
    await connection.execute(_LEAVE_QUEUES, (list(call_ids), engine_id))


async def release(
    connection: Connection, engine_id: int, reservations: Iterable[tuple[int, int]]
) -> None:
    """Free users that calls of this engine rang: pairs of call and user."""
    pairs = list(reservations)
    calls, users = [call for call, _ in pairs], [user for _, user in pairs]
    await connection.execute(_RELEASE, (calls, users, engine_id))


async def sweep(connection: Connection) -> None:
    """Free whoever is reserved by a call that has ended."""
    await connection.execute(_SWEEP)


def _json(seeks: Iterable[Seek]) -> str:
    return json.dumps(
        [
            {
                "call_id": each.call_id,
                "user_id": each.user_id,
                "ring_group_id": each.ring_group_id,
                "rung": each.rung,
                "begun": each.begun,
                "kept_user_id": each.kept_user_id,
            }
            for each in seeks
        ]
    )
