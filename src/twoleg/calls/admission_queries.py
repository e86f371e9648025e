"""The SQL of admission: look a batch up, then count, insert and notify in one statement.

The placeholders of what each batch asks are PostgreSQL's own, which psycopg need not read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import psycopg

from twoleg.calls.admission_rules import Found
from twoleg.events import EVENTS_CHANNEL

CALLS_CHANNEL: Final = "twoleg_calls"
MAX_LINES_WITH_ONE_ENDING: Final = 20


class Counted(NamedTuple):
    """One request of a batch after the count: `id` is None where a limit refused it."""

    position: int
    id: int | None
    created_at: datetime
    window_ends_at: float
    window_calls: int
    admitted: int
    account_counted: bool


_LOOK_UP: Final = """
SELECT r.position, t.account_id, t.scopes,
       a.calls_per_second, a.max_calls, a.allowed_countries,
       u.id AS user_id, u.availability AS user_availability,
       u.phone_number AS users_own_number, g.id AS ring_group_id,
       CASE WHEN g.max_wait_seconds = 0 AND g.fallback IS NULL THEN coalesce(
         (SELECT bool_and(m.availability = 'away'
            OR coalesce(m.wrap_up_until > now(), false)
            OR EXISTS (SELECT FROM reservations b WHERE b.user_id = m.id))
          FROM (SELECT user_id FROM ring_group_members WHERE ring_group_id = g.id OFFSET 0) rm,
          LATERAL (SELECT * FROM users WHERE id = rm.user_id AND deleted_at IS NULL OFFSET 0) m),
         false) ELSE false END AS ring_group_is_busy,
       c.id AS contact_id, c.phone_number AS contact_phone_number,
       c.opted_out AS contact_opted_out,
       coalesce(l.id, ln.id) AS line_id,
       coalesce(l.phone_number, ln.phone_number) AS line_phone_number,
       coalesce(l.country, ln.country) AS line_country,
       EXISTS (SELECT FROM
         (SELECT trunk_id FROM line_trunks WHERE line_id = coalesce(l.id, ln.id) OFFSET 0) lt,
         LATERAL (SELECT FROM trunks
                  WHERE id = lt.trunk_id AND deleted_at IS NULL OFFSET 0) tr) AS line_has_trunk,
       ln.id AS numbered_line_id,
       n.id AS numbered_contact_id, n.opted_out AS numbered_contact_opted_out,
       EXISTS (SELECT FROM lines o WHERE o.account_id = t.account_id AND o.deleted_at IS NULL
               AND o.phone_number = coalesce(r.contact_number, c.phone_number))
         AS contact_is_own_line,
       EXISTS (SELECT FROM lines o WHERE o.account_id = t.account_id AND o.deleted_at IS NULL
               AND o.phone_number = r.agent_number) AS agent_is_own_line,
       a.quiet_hours, a.time_zone AS account_time_zone,
       coalesce(c.time_zone, n.time_zone) AS contact_time_zone, now() AS now,
       pr.id AS whisper_prompt_id
FROM json_to_recordset($1::json) AS r(
       position int, token text, user_id bigint, ring_group_id bigint, contact_id bigint,
       contact_number text, line_id bigint, line_number text, agent_number text,
       whisper_prompt_id bigint)
JOIN tokens t ON t.token_hash = decode(r.token, 'hex') AND t.deleted_at IS NULL
     AND (t.expires_at IS NULL OR t.expires_at > now())
JOIN accounts a ON a.id = t.account_id
LEFT JOIN users u ON u.id = r.user_id AND u.account_id = t.account_id AND u.deleted_at IS NULL
LEFT JOIN ring_groups g ON g.id = r.ring_group_id AND g.account_id = t.account_id
     AND g.deleted_at IS NULL
LEFT JOIN contacts c ON c.id = r.contact_id AND c.account_id = t.account_id
     AND c.deleted_at IS NULL
LEFT JOIN lines l ON l.id = r.line_id AND l.account_id = t.account_id AND l.deleted_at IS NULL
LEFT JOIN lines ln ON ln.phone_number = r.line_number AND ln.account_id = t.account_id
     AND ln.deleted_at IS NULL
LEFT JOIN prompts pr ON pr.id = r.whisper_prompt_id AND pr.account_id = t.account_id
     AND pr.deleted_at IS NULL
LEFT JOIN LATERAL (
     SELECT min(k.id) AS id, bool_or(k.opted_out) AS opted_out, max(k.time_zone) AS time_zone
     FROM contact_phone_numbers p JOIN contacts k ON k.id = p.contact_id
     WHERE p.account_id = t.account_id
       AND p.phone_number = coalesce(r.contact_number, c.phone_number)
       AND k.deleted_at IS NULL) n ON true
"""

# A number that nobody had when it was looked up may have a contact by now: behind the account's
# lock it is looked for again, or two processes would both make one. `granted` has that lock, and
# the function sees what was committed by then, as the statement itself does not.
_REMEMBER_NUMBERS: Final = """
unknown_numbers AS MATERIALIZED (
  SELECT account_id, contact_phone_number, known_id IS NULL AS is_new,
         coalesce(known_id,
           nextval((SELECT pg_get_serial_sequence('contacts', 'id')::regclass))) AS contact_id
  FROM (
    SELECT account_id, contact_phone_number,
           contact_with_number(account_id, contact_phone_number) AS known_id
    FROM (SELECT DISTINCT account_id, contact_phone_number FROM granted
          WHERE contact_id IS NULL) u OFFSET 0) k
), new_contacts AS (
  INSERT INTO contacts (id, account_id, phone_number) OVERRIDING SYSTEM VALUE
  SELECT contact_id, account_id, contact_phone_number FROM unknown_numbers WHERE is_new
), numbers AS (
  INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)
  SELECT contact_id, account_id, contact_phone_number FROM unknown_numbers WHERE is_new
  UNION SELECT contact_id, account_id, contact_phone_number FROM granted
  WHERE remember_number
  ON CONFLICT DO NOTHING
), dialled AS (
  SELECT g.*, coalesce(g.contact_id, u.contact_id) AS dialled_contact_id
  FROM granted g LEFT JOIN unknown_numbers u
    ON g.contact_id IS NULL AND u.account_id = g.account_id
       AND u.contact_phone_number = g.contact_phone_number
)
"""
_ALL_KNOWN: Final = "dialled AS (SELECT g.*, g.contact_id AS dialled_contact_id FROM granted g)"


# The row of account_admissions is the account's lock: who updates it counts alone. `admitted`
# counts every call that the account ever placed, so that a number of running calls, once known,
# bounds all later ones from above without being counted again.
_GRANT: Final = """
WITH asked AS MATERIALIZED (
  SELECT r.*, row_number() OVER (PARTITION BY r.account_id ORDER BY r.position) AS turn
  FROM json_to_recordset($1::json) AS r(
    position int, account_id bigint, source text, user_id bigint, ring_group_id bigint,
    contact_id bigint, contact_phone_number text, remember_number bool, line_id bigint,
    line_phone_number text, user_phone_number text, options jsonb, metadata jsonb,
    callback_url text, idempotency_key text)
), limits AS (
  SELECT s.account_id, l.calls, l.calls_per_second, l.max_calls, l.known_ended
  FROM account_admissions s JOIN json_to_recordset($2::json) AS l(
    account_id bigint, calls int, calls_per_second int, max_calls int, known_ended bigint)
    USING (account_id)
  ORDER BY s.account_id FOR NO KEY UPDATE OF s
), counted AS (
  UPDATE account_admissions s SET
    (window_started_at, window_calls, admitted, last_admitted) = (
      SELECT w.started_at, w.calls + g.granted, s.admitted + g.granted, g.granted
      FROM (SELECT
              CASE WHEN s.window_started_at + interval '1 second' > statement_timestamp()
                THEN s.window_started_at ELSE statement_timestamp() END AS started_at,
              CASE WHEN s.window_started_at + interval '1 second' > statement_timestamp()
                THEN s.window_calls ELSE 0 END AS calls) w,
           LATERAL (SELECT greatest(0, least(l.calls, l.calls_per_second - w.calls,
              l.max_calls - (s.admitted - l.known_ended)))::int AS granted) g)
  FROM limits l WHERE s.account_id = l.account_id
  RETURNING s.account_id, s.last_admitted, s.window_calls, s.admitted,
    extract(epoch FROM s.window_started_at + interval '1 second')::float8 AS window_ends_at
), granted AS MATERIALIZED (
  SELECT a.*, nextval((SELECT pg_get_serial_sequence('calls', 'id')::regclass)) AS id
  FROM asked a JOIN counted c USING (account_id) WHERE a.turn <= c.last_admitted
  ORDER BY a.position
)
"""
_INSERT: Final = f"""
new_calls AS (
  INSERT INTO calls (id, account_id, source, user_id, ring_group_id, contact_id, line_id,
    user_phone_number, contact_phone_number, line_phone_number, options, metadata,
    callback_url, idempotency_key, sequence) OVERRIDING SYSTEM VALUE
  SELECT id, account_id, source, user_id, ring_group_id, dialled_contact_id, line_id,
    user_phone_number, contact_phone_number, line_phone_number, options, metadata, callback_url,
    idempotency_key, 1
  FROM dialled
), events AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT account_id, id, 1, 'call.queued', now(), '{{}}' FROM granted
)
SELECT a.position, g.id, now() AS created_at, coalesce(c.window_ends_at, 0) AS window_ends_at,
       coalesce(c.window_calls, 0) AS window_calls, coalesce(c.admitted, 0) AS admitted,
       c.account_id IS NOT NULL AS account_counted
FROM asked a LEFT JOIN counted c USING (account_id) LEFT JOIN granted g USING (position),
     (SELECT count(pg_notify('{CALLS_CHANNEL}', '')), count(pg_notify('{EVENTS_CHANNEL}', ''))
      FROM (SELECT FROM granted LIMIT 1) AS any_call) AS n
"""  # noqa: S608
_PLACE: Final = f"{_GRANT}, {_ALL_KNOWN}, {_INSERT}"
_PLACE_AND_REMEMBER: Final = f"{_GRANT}, {_REMEMBER_NUMBERS}, {_INSERT}"

_KNOWN_ENDED: Final = """
SELECT s.account_id, s.admitted - (SELECT count(*) FROM calls c
  WHERE c.account_id = s.account_id AND c.ended_at IS NULL) AS known_ended
FROM account_admissions s WHERE s.account_id = ANY(%s)
"""


async def look_up(
    connection: psycopg.AsyncConnection[Any], asks: Sequence[Mapping[str, Any]]
) -> dict[int, Found]:
    """Find what each of `asks` names, by position; unknown tokens have no entry."""
    async with psycopg.AsyncRawCursor(connection) as cursor:
        await cursor.execute(_LOOK_UP, (json.dumps(asks),), prepare=True)
        rows = await cursor.fetchall()
    return {row[0]: Found._make(row[1:]) for row in rows}


async def lines_that_end_with(
    connection: psycopg.AsyncConnection[Any], account_id: int, digits: str
) -> list[tuple[str, str]]:
    """Return number and country of the account's lines whose number ends with `digits`."""
    cursor = await connection.execute(
        "SELECT phone_number, country FROM lines WHERE account_id = %s AND deleted_at IS NULL"
        " AND right(phone_number, %s) = %s LIMIT %s",
        (account_id, len(digits), digits, MAX_LINES_WITH_ONE_ENDING),
    )
    return [(number, country) for number, country in await cursor.fetchall()]


async def start_counting(
    connection: psycopg.AsyncConnection[Any], account_ids: Sequence[int]
) -> None:
    """Give accounts that never placed a call their row."""
    await connection.execute(
        "INSERT INTO account_admissions (account_id) SELECT unnest(%s::bigint[])"
        " ON CONFLICT DO NOTHING",
        (list(account_ids),),
    )


async def known_ended(
    connection: psycopg.AsyncConnection[Any], account_ids: Sequence[int]
) -> dict[int, int]:
    """Count, for each account, how many of the calls that it ever placed have ended."""
    async with connection.cursor() as cursor:
        await cursor.execute(_KNOWN_ENDED, (list(account_ids),), prepare=True)
        return dict(await cursor.fetchall())


async def place(
    connection: psycopg.AsyncConnection[Any],
    calls: Sequence[Mapping[str, Any]],
    accounts: Sequence[Mapping[str, Any]],
) -> list[Counted]:
    """Insert what the limits allow of `calls`, with its first event, and notify once.

    A call whose `contact_id` is None gets the contact that has its number by now, or a new one.
    """
    parameters = (json.dumps(calls), json.dumps(accounts))
    remembers = any(call["remember_number"] or call["contact_id"] is None for call in calls)
    async with psycopg.AsyncRawCursor(connection) as cursor:
        await cursor.execute(_PLACE_AND_REMEMBER if remembers else _PLACE, parameters, prepare=True)
        return [Counted(*row) for row in await cursor.fetchall()]
