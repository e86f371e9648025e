"""Claiming queued calls: one statement takes them, reserves their users, and loads what to dial.

Calls that name a ring group are looked after by a second one: the search through groups is most of
what a statement costs that has it, and few calls need it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import psycopg
import structlog

from twoleg.calls.admission_queries import CALLS_CHANNEL
from twoleg.calls.agent_queries import NOBODY, Found, seek
from twoleg.calls.agent_search import AgentSearch, Target
from twoleg.calls.seeking import (
    FOUND,
    FOUND_COLUMNS,
    FOUND_FROM,
    FOUND_USER,
    FOUND_USER_FROM,
    RESERVE_USERS,
)
from twoleg.sip.values import immutable

_TRUNKS: Final = """
  (SELECT coalesce(json_agg(json_build_object(
      'id', t.id, 'host', t.host, 'port', t.port, 'transport', t.transport,
      'media_encryption', t.media_encryption,
      'username', t.username, 'password', t.password, 'from_domain', t.from_domain,
      'caller_id_mode', t.caller_id_mode, 'privacy', t.privacy,
      'number_format', t.number_format, 'dial_prefix', t.dial_prefix,
      'codecs', t.codecs, 'priority', t.priority, 'weight', t.weight,
      'is_limited', t.max_calls IS NOT NULL OR t.calls_per_second IS NOT NULL)
      ORDER BY t.priority, lt.position), '[]')::text
   FROM (SELECT trunk_id, position FROM line_trunks WHERE line_id = s.line_id OFFSET 0) lt,
   LATERAL (SELECT * FROM trunks WHERE id = lt.trunk_id AND deleted_at IS NULL OFFSET 0) t)
"""
_CALL: Final = f"""
  nullif(s.options, '{{}}'), s.call_id, s.account_id, s.user_id, s.named_group_id,
  s.user_phone_number, s.contact_phone_number, s.line_phone_number, s.sequence,
  s.hangup_requested_at IS NOT NULL,
  extract(epoch FROM clock_timestamp() - s.created_at)::float8,
  a.screening, ARRAY[a.recording, a.recording_announcement], a.allowed_countries,
  k.name, k.language, l.country, {_TRUNKS}
"""
# OFFSET 0 has each row looked up by its key, whatever the planner believes of the tables' sizes.
_CALL_FROM: Final = """
  JOIN LATERAL (SELECT * FROM accounts WHERE id = s.account_id OFFSET 0) a ON true
  LEFT JOIN LATERAL (SELECT name, language FROM contacts WHERE id = s.contact_id OFFSET 0) k ON true
  LEFT JOIN LATERAL (SELECT country FROM lines WHERE id = s.line_id OFFSET 0) l ON true
"""

# Of each row `s` of seeking, which has more columns than agent_queries wants: those of Claim.
CLAIMED: Final = f"""
SELECT {_CALL}, {FOUND} FROM seeking s {_CALL_FROM} {FOUND_FROM}
"""  # noqa: S608

# Accounts take turns, beginning behind the one that was last: each gives as many of its calls, the
# oldest first, as make up the room. The recursion looks up one account after another that has
# queued calls, without reading what else is queued. The parameters are PostgreSQL's own, of which
# $1 is the engine, $2 the room, $3 the account: psycopg takes a long statement with names apart
# anew each time, for 45 us.
_CLAIM: Final = f"""
WITH RECURSIVE next_accounts AS (
  (SELECT account_id FROM calls
   WHERE engine_id IS NULL AND ended_at IS NULL AND account_id > $3
   ORDER BY account_id, id LIMIT 1)
  UNION ALL
  SELECT (SELECT c.account_id FROM calls c
    WHERE c.engine_id IS NULL AND c.ended_at IS NULL AND c.account_id > n.account_id
    ORDER BY c.account_id, c.id LIMIT 1)
  FROM next_accounts n WHERE n.account_id IS NOT NULL
), first_accounts AS (
  (SELECT account_id FROM calls
   WHERE engine_id IS NULL AND ended_at IS NULL AND account_id <= $3
   ORDER BY account_id, id LIMIT 1)
  UNION ALL
  SELECT (SELECT c.account_id FROM calls c
    WHERE c.engine_id IS NULL AND c.ended_at IS NULL AND c.account_id > f.account_id
      AND c.account_id <= $3
    ORDER BY c.account_id, c.id LIMIT 1)
  FROM first_accounts f WHERE f.account_id IS NOT NULL
), turns AS MATERIALIZED (
  SELECT account_id FROM (
    SELECT account_id FROM next_accounts WHERE account_id IS NOT NULL
    UNION ALL SELECT account_id FROM first_accounts WHERE account_id IS NOT NULL
  ) a LIMIT $2
), due AS MATERIALIZED (
  SELECT q.id FROM turns t, LATERAL (
    SELECT id FROM calls
    WHERE account_id = t.account_id AND engine_id IS NULL AND ended_at IS NULL
    ORDER BY account_id, id LIMIT (SELECT $2 / count(*) FROM turns)
    FOR NO KEY UPDATE SKIP LOCKED
  ) q
), seeking AS (
  UPDATE calls c SET engine_id = $1, claimed_at = now() FROM due WHERE c.id = due.id
  RETURNING c.id AS call_id, c.account_id, c.user_id, c.user_id IS NULL AND
    c.ring_group_id IS NOT NULL AS asks_group, c.ring_group_id AS named_group_id, c.contact_id,
    c.line_id, c.user_phone_number, c.contact_phone_number, c.line_phone_number, c.options,
    c.sequence, c.hangup_requested_at, c.created_at
), {RESERVE_USERS}
SELECT {_CALL}, {FOUND_USER} FROM seeking s {_CALL_FROM} {FOUND_USER_FROM}
ORDER BY s.call_id
"""  # noqa: S608

CLAIMS_DO_NOT_WAIT: Final = "SET synchronous_commit = off"
"""A claim need not reach the disk before the agent is rung.

Where the server dies and forgets it, the call is queued again and this engine's mark, without which
no contact is attempted, finds it no longer claimed: as if the engine had died before the mark. The
mark itself waits, and everything before it is on the disk then.
"""

_WAIT: Final = "SET LOCAL synchronous_commit TO DEFAULT"
_GIVE_BACK: Final = """
WITH given AS (
  UPDATE calls SET engine_id = NULL, claimed_at = NULL
  WHERE id = ANY(%(calls)s) AND engine_id = %(engine)s AND status = 'queued'
  RETURNING id
), freed AS (
  DELETE FROM reservations r USING given g WHERE r.call_id = g.id
), waited AS (
  DELETE FROM waiting_calls w USING given g WHERE w.call_id = g.id
)
SELECT pg_notify(%(channel)s, '') FROM given
"""


ROWS_IN_ONE_GO: Final = 4
"""Claims that are read from the database's reply before signalling has its turn again."""

_NO_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType({})

_LATER: Final = replace(NOBODY, contended=True, others=True)
"""As if another call had been quicker: it is looked for somebody once more."""

log = structlog.get_logger(__name__)


@immutable()
class Claim:
    """A claimed call with all that its plan is made from.

    `trunks` are those of its line, as a JSON text, which calls of one line bring alike. `found` is
    whom the call's user or group gave at once.
    """

    options: Mapping[str, Any]
    call_id: int
    account_id: int
    user_id: int | None
    ring_group_id: int | None
    user_phone_number: str | None
    contact_phone_number: str
    line_phone_number: str
    sequence: int
    hangup_requested: bool
    queued_seconds: float
    account_screening: str
    account_recording: list[str]
    """Which calls are recorded, and who hears that first."""

    allowed_countries: list[str] | None
    contact_name: str | None
    contact_language: str | None
    country: str | None
    trunks: str
    found: Found
    expired: bool = False
    """It was in the queue for so long that nobody wants it any more."""

    def waited_too_long(self, max_queued_seconds: float) -> bool:
        """Tell whether no engine took the call for longer than that, and than it may wait."""
        asked = self.options.get("max_wait_seconds")
        waits = self.found.max_wait_seconds if asked is None else asked
        return self.queued_seconds > max_queued_seconds + (waits or 0)

    @property
    def asks_group(self) -> bool:
        """Whether it is a ring group that the call asks first."""
        return self.user_id is None and self.ring_group_id is not None

    def search(self) -> AgentSearch:
        """Begin the search for an agent, before anything was looked for."""
        named = []
        if self.user_id is not None:
            named.append(Target(user_id=self.user_id))
        if self.ring_group_id is not None:
            named.append(Target(ring_group_id=self.ring_group_id))
        asked = self.options.get("max_wait_seconds")
        return AgentSearch(self.call_id, tuple(named), asked, self.queued_seconds)


async def claim(
    connection: psycopg.AsyncConnection[Any], engine_id: int, room: int, after: int = 0
) -> list[Claim]:
    """Take up to `room` queued calls; no other engine has them then.

    They are the oldest of each account; the account `after` comes last.
    """
    async with psycopg.AsyncRawCursor(connection) as cursor:
        await cursor.execute(_CLAIM, (engine_id, room, after), prepare=True)
        claims: list[Claim] = []
        while rows := await cursor.fetchmany(ROWS_IN_ONE_GO):
            claims += map(claim_of, rows)
            if len(rows) == ROWS_IN_ONE_GO:
                await asyncio.sleep(0)
    if any(each.asks_group for each in claims):
        return await _look_in_groups(connection, engine_id, claims)
    return claims


async def _look_in_groups(
    connection: psycopg.AsyncConnection[Any], engine_id: int, claims: list[Claim]
) -> list[Claim]:
    """Look for the agents of all `claims` together, so that a user is the oldest call's."""
    try:
        found = await seek(connection, engine_id, [each.search().seek for each in claims])
    except (psycopg.OperationalError, OSError) as error:
        # The calls are ours by now: they ask again, over another connection.
        log.warning("claimed calls look for agents later", error=type(error).__name__)
        found = {}
    return [replace(each, found=found.get(each.call_id, _LATER)) for each in claims]


def claim_of(row: Sequence[Any]) -> Claim:
    """Read one row of `CLAIMED`."""
    first = -FOUND_COLUMNS
    return Claim(*[row[0] or _NO_OPTIONS, *row[1:first], Found(*row[first:])])


async def give_back(
    connection: psycopg.AsyncConnection[Any], engine_id: int, call_ids: list[int]
) -> None:
    """Put claimed calls that were not begun back into the queue, and tell the other engines."""
    parameters = {"engine": engine_id, "calls": call_ids, "channel": CALLS_CHANNEL}
    # A call that was given back and is claimed again by a server's death would be nobody's.
    async with connection.transaction():
        await connection.execute(_WAIT)
        await connection.execute(_GIVE_BACK, parameters)
