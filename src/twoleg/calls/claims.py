"""Claiming queued calls: one statement takes them, reserves their users, and loads what to dial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg

from twoleg.calls.admission_queries import CALLS_CHANNEL

_COLUMNS: Final = """
  c.id, c.account_id, c.user_id, c.ring_group_id, c.contact_id, c.line_id, c.user_phone_number,
  c.contact_phone_number, c.line_phone_number, c.options, c.sequence, c.hangup_requested_at,
  c.created_at
"""
# OFFSET 0 has each row looked up by its key, whatever the planner believes of the tables' sizes.
_WANTED: Final = """
  SELECT c.id AS call_id, c.user_id, 0 AS place
  FROM claimed c
  WHERE (SELECT u.deleted_at IS NULL FROM users u WHERE u.id = c.user_id)
  UNION ALL
  SELECT c.id, m.user_id, m.position + 1
  FROM claimed c, LATERAL (
    SELECT user_id, position FROM ring_group_members WHERE ring_group_id = c.ring_group_id OFFSET 0
  ) m
  WHERE c.ring_group_id IS NOT NULL AND m.user_id IS DISTINCT FROM c.user_id
    AND (SELECT u.deleted_at IS NULL AND u.availability = 'available'
         FROM users u WHERE u.id = m.user_id)
"""
_LOAD: Final = """
SELECT c.id, c.account_id, c.ring_group_id, c.user_phone_number, c.contact_phone_number,
  c.line_phone_number, c.options, c.sequence, c.hangup_requested_at IS NOT NULL,
  extract(epoch FROM clock_timestamp() - c.created_at)::float8,
  (SELECT screening FROM accounts WHERE id = c.account_id), g.screening,
  (SELECT name FROM contacts WHERE id = c.contact_id), l.country, g.strategy, g.ring_seconds,
  coalesce((c.options->>'max_wait_seconds')::integer, g.max_wait_seconds, 0),
  (SELECT count(*) FROM wanted w WHERE w.call_id = c.id),
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'id', t.id, 'host', t.host, 'port', t.port, 'transport', t.transport,
      'username', t.username, 'password', t.password, 'from_domain', t.from_domain,
      'caller_id_mode', t.caller_id_mode, 'number_format', t.number_format,
      'codecs', t.codecs, 'priority', t.priority, 'weight', t.weight)
      ORDER BY t.priority, lt.position), '[]')
   FROM line_trunks lt JOIN trunks t ON t.id = lt.trunk_id
   WHERE lt.line_id = c.line_id AND t.deleted_at IS NULL),
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'user_id', u.id, 'place', w.place, 'phone_number', u.phone_number,
      'sip_username', u.sip_username, 'screening', u.screening,
      'bindings', (SELECT coalesce(jsonb_agg(jsonb_build_object('contact', b.contact_uri,
          'path', b.path, 'flow', b.flow, 'engine_id', b.engine_id)), '[]')
        FROM bindings b WHERE b.user_id = u.id AND b.expires_at > now())) ORDER BY w.place), '[]')
   FROM wanted w JOIN reserved r USING (call_id, user_id) JOIN users u ON u.id = w.user_id
   WHERE w.call_id = c.id)
FROM claimed c LEFT JOIN lines l ON l.id = c.line_id
  LEFT JOIN ring_groups g ON g.id = c.ring_group_id
"""

# The oldest call gets a user that two of them want. Users are inserted in the order of their ids,
# so that no two engines wait for each other in a ring.
_CLAIM: Final = f"""
WITH due AS MATERIALIZED (
  SELECT id FROM calls WHERE engine_id IS NULL AND ended_at IS NULL
  ORDER BY id LIMIT %(room)s FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
  UPDATE calls c SET engine_id = %(engine)s, claimed_at = now() FROM due WHERE c.id = due.id
  RETURNING {_COLUMNS}
), wanted AS ({_WANTED}), reserved AS (
  INSERT INTO reservations (user_id, call_id)
  SELECT DISTINCT ON (user_id) user_id, call_id FROM wanted ORDER BY user_id, call_id
  ON CONFLICT (user_id) DO NOTHING RETURNING user_id, call_id
)
{_LOAD} ORDER BY c.id
"""  # noqa: S608

# Reserves only for as many calls as there is room for, and loads only those.
_CLAIM_AGENTS: Final = f"""
WITH claimed AS MATERIALIZED (
  SELECT {_COLUMNS} FROM calls c
  WHERE c.id = ANY(%(waiting)s) AND c.engine_id = %(engine)s AND c.ended_at IS NULL
), wanted AS MATERIALIZED ({_WANTED}), placeable AS MATERIALIZED (
  SELECT DISTINCT w.call_id FROM wanted w
  WHERE NOT EXISTS (SELECT FROM reservations r WHERE r.user_id = w.user_id)
  ORDER BY w.call_id LIMIT %(room)s
), reserved AS (
  INSERT INTO reservations (user_id, call_id)
  SELECT DISTINCT ON (user_id) user_id, call_id FROM wanted JOIN placeable USING (call_id)
  ORDER BY user_id, call_id
  ON CONFLICT (user_id) DO NOTHING RETURNING user_id, call_id
)
{_LOAD} WHERE c.id IN (SELECT call_id FROM placeable) ORDER BY c.id
"""  # noqa: S608

_GIVE_BACK: Final = """
WITH given AS (
  UPDATE calls SET engine_id = NULL, claimed_at = NULL
  WHERE id = ANY(%(calls)s) AND engine_id = %(engine)s AND status = 'queued'
  RETURNING id
), freed AS (
  DELETE FROM reservations r USING given g WHERE r.call_id = g.id
)
SELECT pg_notify(%(channel)s, '') FROM given
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed call with all that its plan is made from; trunks and agents are JSON objects."""

    call_id: int
    account_id: int
    ring_group_id: int | None
    user_phone_number: str | None
    contact_phone_number: str
    line_phone_number: str
    options: dict[str, Any]
    sequence: int
    hangup_requested: bool
    queued_seconds: float
    account_screening: str
    group_screening: str | None
    contact_name: str | None
    country: str | None
    strategy: str | None
    group_ring_seconds: int | None
    max_wait_seconds: int
    wanted: int
    """Users that the call may ring; those of `agents` have no other call."""

    trunks: list[dict[str, Any]]
    agents: list[dict[str, Any]]

    @property
    def patience(self) -> float:
        """How long the call may wait for an agent from now on, in seconds."""
        return self.max_wait_seconds - self.queued_seconds

    @property
    def may_wait(self) -> bool:
        """Whether nobody is free now, and the call may wait for somebody."""
        return not self.agents and not self.hangup_requested and self.patience > 0


async def claim(connection: psycopg.AsyncConnection[Any], engine_id: int, room: int) -> list[Claim]:
    """Take up to `room` queued calls, the oldest first; no other engine has them then."""
    return await _claims(connection, _CLAIM, {"engine": engine_id, "room": room})


async def claim_agents(
    connection: psycopg.AsyncConnection[Any], engine_id: int, waiting: list[int], room: int
) -> list[Claim]:
    """Reserve users that are free by now for up to `room` claimed calls, the oldest first.

    Gives those calls anew; one that another call was quicker than still has no agents.
    """
    parameters = {"engine": engine_id, "waiting": waiting, "room": room}
    return await _claims(connection, _CLAIM_AGENTS, parameters)


async def give_back(
    connection: psycopg.AsyncConnection[Any], engine_id: int, call_ids: list[int]
) -> None:
    """Put claimed calls that were not begun back into the queue, and tell the other engines."""
    parameters = {"engine": engine_id, "calls": call_ids, "channel": CALLS_CHANNEL}
    await connection.execute(_GIVE_BACK, parameters)


async def _claims(
    connection: psycopg.AsyncConnection[Any], statement: str, parameters: dict[str, Any]
) -> list[Claim]:
    async with connection.cursor() as cursor:
        await cursor.execute(statement, parameters, prepare=True)
        return [Claim(*row) for row in await cursor.fetchall()]
