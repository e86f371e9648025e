"""Reminders that are due become calls: as fast as the limits allow, nearest appointment first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from twoleg.calls.admission_queries import CALLS_CHANNEL
from twoleg.directory.contact_zone import contact_zone
from twoleg.directory.opt_outs import has_opted_out
from twoleg.reminders.contact_hours import hours_of
from twoleg.reminders.retries import RANG_NOBODY
from twoleg.reminders.timing import LEAD, Dropped
from twoleg.store.database import Connection

AT_ONCE: Final = 100
"""Reminders that become calls in one transaction."""

SHARE: Final = 0.5
"""Of an account's calls, and of a line's trunks, that reminders take at most.

The rest is left to agents, whose calls are never kept waiting by a morning of reminders.
"""

RATE_SECONDS: Final = 0.9
"""Calls so recent count towards the rate; a little under the second at which workers come round."""

CONTACT_BUSY: Final = timedelta(minutes=2)
"""A contact who is being reminded of one appointment is called again so much later."""

_ONE_DAY: Final = timedelta(days=1)

# Two placers at once would each fill the same room.
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtext('twoleg.reminders.placing'))"

# How much room is left, by account and by line; a line with a trunk that has no limit has none.
# Lines that share trunks share their room: those with the same first trunk take turns in it. Of
# each line only as many are looked at as could be called: ten thousand may be due. Recent calls are
# looked for by line only where a trunk's rate asks for them. A contact's calls are looked at once,
# by contact: three questions are three searches, one of them through all calls that run.
_DUE: Final = f"""
WITH live AS MATERIALIZED (
  SELECT account_id, line_id, count(*) AS calls FROM calls
  WHERE ended_at IS NULL AND source = 'reminder' GROUP BY account_id, line_id
), due_lines AS MATERIALIZED (
  SELECT l.account_id, l.id AS line_id FROM lines l WHERE EXISTS (
    SELECT FROM reminders r
    WHERE r.line_id = l.id AND r.state = 'planned' AND r.due_at <= now())
), account_room AS MATERIALIZED (
  SELECT a.id AS account_id, least(
    %(limit)s,
    ceil(%(share)s * a.calls_per_second) - (
      SELECT count(*) FROM reminder_attempts t
      WHERE t.account_id = a.id AND t.placed_at > now() - make_interval(secs => %(rate_seconds)s)),
    ceil(%(share)s * a.max_calls)
      - coalesce((SELECT sum(l.calls) FROM live l WHERE l.account_id = a.id), 0)) AS room
  FROM accounts a WHERE a.id IN (SELECT account_id FROM due_lines)
), recent AS MATERIALIZED (
  SELECT c.line_id, count(*) AS calls
  FROM reminder_attempts t JOIN calls c ON c.id = t.call_id
  WHERE t.account_id IN (SELECT account_id FROM due_lines)
    AND t.placed_at > now() - make_interval(secs => %(rate_seconds)s) GROUP BY c.line_id
), line_room AS MATERIALIZED (
  SELECT d.line_id, x.first_trunk_id, least(
    CASE WHEN x.calls IS NOT NULL THEN x.calls
      - coalesce((SELECT sum(l.calls) FROM live l WHERE l.line_id = ANY(x.lines)), 0) END,
    CASE WHEN x.rate IS NOT NULL THEN x.rate
      - coalesce((SELECT sum(l.calls) FROM recent l WHERE l.line_id = ANY(x.lines)), 0) END
  ) AS room
  FROM due_lines d, LATERAL (
    SELECT min(t.id) AS first_trunk_id,
      CASE WHEN count(*) = count(t.max_calls) THEN ceil(%(share)s * sum(t.max_calls)) END AS calls,
      CASE WHEN count(*) = count(t.calls_per_second)
        THEN ceil(%(share)s * sum(t.calls_per_second)) END AS rate,
      ARRAY(SELECT DISTINCT s.line_id FROM line_trunks m JOIN line_trunks s USING (trunk_id)
        WHERE m.line_id = d.line_id) AS lines
    FROM line_trunks lt JOIN trunks t ON t.id = lt.trunk_id
    WHERE lt.line_id = d.line_id AND t.deleted_at IS NULL
  ) x
), nearest AS (
  SELECT r.id, r.starts_at, a.room, l.room AS line_room,
    row_number() OVER (PARTITION BY d.account_id ORDER BY r.starts_at, r.id) AS turn,
    row_number() OVER (PARTITION BY l.first_trunk_id ORDER BY r.starts_at, r.id) AS line_turn
  FROM due_lines d JOIN account_room a USING (account_id) JOIN line_room l USING (line_id),
    LATERAL (
      SELECT id, starts_at FROM reminders
      WHERE line_id = d.line_id AND state = 'planned' AND due_at <= now()
      ORDER BY starts_at, id LIMIT greatest(0, least(a.room, l.room))::bigint
    ) r
), chosen AS MATERIALIZED (
  SELECT id FROM nearest WHERE turn <= room AND line_turn <= coalesce(line_room, line_turn)
  ORDER BY starts_at, id LIMIT %(limit)s
)
SELECT r.id, r.account_id, r.attempts, r.starts_at, r.line_id, p.id,
  coalesce(p.moments -> r.moment::int, '{{}}')::text, c.id, c.phone_number,
  c.opted_out OR {has_opted_out("c.account_id", "c.phone_number")},
  c.time_zone, a.time_zone, coalesce(p.quiet_hours, o.quiet_hours), p.weekdays, p.skip_holidays,
  p.max_calls_per_30_days, p.ring_group_id, p.ring_seconds, n.phone_number, now(),
  h.day_full_since, h.calls_of_30_days, h.is_called
FROM chosen JOIN reminders r USING (id) JOIN appointments a ON a.id = r.appointment_id
  JOIN contacts c ON c.id = a.contact_id JOIN accounts o ON o.id = r.account_id
  JOIN reminder_plans p ON p.id = a.reminder_plan_id JOIN lines n ON n.id = r.line_id,
  LATERAL (
    SELECT (array_agg(t.placed_at ORDER BY t.placed_at DESC) FILTER (
        WHERE t.placed_at > now() - interval '1 day' AND x.rang))[p.max_calls_per_day]
        AS day_full_since,
      count(*) FILTER (WHERE x.rang) AS calls_of_30_days,
      count(*) FILTER (WHERE k.ended_at IS NULL) > 0 AS is_called
    FROM reminder_attempts t JOIN calls k ON k.id = t.call_id,
      LATERAL (SELECT k.outcome = ANY(%(rang_nobody)s) IS NOT TRUE AS rang) x
    WHERE t.contact_id = c.id AND t.placed_at > now() - interval '30 days'
  ) h
WHERE NOT a.to_be_planned
ORDER BY r.starts_at, r.id FOR NO KEY UPDATE OF r SKIP LOCKED
"""  # noqa: S608

# The last reminder of an appointment whose others were called in vain: nobody will be told of it.
_PUT_OFF: Final = """
WITH put_off AS (
  UPDATE reminders r SET due_at = x.due_at, state = coalesce(x.state, r.state), reason = x.reason
  FROM jsonb_to_recordset(%s::jsonb) AS x(id bigint, due_at timestamptz, state text, reason text)
  WHERE r.id = x.id RETURNING r.id, r.appointment_id, r.state
)
UPDATE appointments a SET status = 'unreachable', status_at = now(), status_call_id = (
  SELECT max(t.call_id) FROM reminder_attempts t JOIN reminders r ON r.id = t.reminder_id
  WHERE r.appointment_id = a.id AND r.starts_at = a.starts_at)
WHERE a.status = 'scheduled' AND a.id IN (
    SELECT appointment_id FROM put_off WHERE state = 'dropped')
  AND NOT EXISTS (SELECT FROM reminders r WHERE r.appointment_id = a.id
    AND r.state IN ('planned', 'calling') AND r.id NOT IN (
      SELECT id FROM put_off WHERE state = 'dropped'))
  AND EXISTS (SELECT FROM reminders r WHERE r.appointment_id = a.id
    AND r.starts_at = a.starts_at AND r.attempts > 0)
"""

# Everything in one statement: a reminder is called if, and only if, its call is there.
_PLACE: Final = """
WITH wanted AS MATERIALIZED (
  SELECT x.*, nextval((SELECT pg_get_serial_sequence('calls', 'id')::regclass)) AS call_id
  FROM jsonb_to_recordset(%(reminders)s::jsonb) AS x(
    id bigint, account_id bigint, contact_id bigint, line_id bigint, contact_phone_number text,
    line_phone_number text, ring_group_id bigint, ring_seconds int, plan_id bigint, moment text,
    starts_at timestamptz, time_zone text)
), placed AS (
  INSERT INTO calls (id, account_id, source, contact_id, line_id, contact_phone_number,
    line_phone_number, options, sequence) OVERRIDING SYSTEM VALUE
  SELECT call_id, account_id, 'reminder', contact_id, line_id, contact_phone_number,
    line_phone_number, jsonb_strip_nulls(jsonb_build_object(
      'reminder_id', id, 'staff_ring_group_id', ring_group_id,
      'ring_seconds', jsonb_build_object('contact', ring_seconds))), 1 FROM wanted
), events AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT account_id, call_id, 1, 'call.queued', now(), '{}' FROM wanted
), attempts AS (
  INSERT INTO reminder_attempts (call_id, reminder_id, account_id, contact_id,
    reminder_plan_id, moment, starts_at, time_zone)
  SELECT call_id, id, account_id, contact_id, plan_id, moment::jsonb, starts_at, time_zone
  FROM wanted
), called AS (
  UPDATE reminders r SET state = 'calling', attempts = r.attempts + 1
  FROM wanted w WHERE r.id = w.id
), counted AS (
  INSERT INTO account_admissions AS s (account_id, admitted)
  SELECT account_id, count(*) FROM wanted GROUP BY account_id ORDER BY account_id
  ON CONFLICT (account_id) DO UPDATE SET admitted = s.admitted + excluded.admitted
)
SELECT count(pg_notify(%(channel)s, '')) FROM (SELECT FROM wanted LIMIT 1) AS any_call
"""


class _Due(NamedTuple):
    id: int
    account_id: int
    attempts: int
    starts_at: datetime
    line_id: int
    plan_id: int
    moment: str
    """As JSON."""

    contact_id: int
    contact_phone_number: str
    opted_out: bool
    contact_time_zone: str | None
    time_zone: str
    quiet_hours: dict[str, str] | None
    weekdays: list[int]
    skip_holidays: bool
    max_calls_per_30_days: int
    ring_group_id: int | None
    ring_seconds: int
    line_phone_number: str
    now: datetime
    day_full_since: datetime | None
    """The first of as many calls within a day as there may be."""

    calls_of_30_days: int
    is_called: bool


async def place_due(connection: Connection) -> int:
    """Make calls of up to `AT_ONCE` reminders that are due; returns how many it dealt with.

    To be called in a transaction; another process that is at it now has it all.
    """
    cursor = await connection.execute(_LOCK)
    if await cursor.fetchone() != (True,):
        return 0
    parameters = {
        "share": SHARE,
        "rate_seconds": RATE_SECONDS,
        "limit": AT_ONCE,
        "rang_nobody": list(RANG_NOBODY),
    }
    cursor = await connection.execute(_DUE, parameters)
    due = [_Due(*row) for row in await cursor.fetchall()]
    now: list[_Due] = []
    later: list[dict[str, Any]] = []
    reached: set[int] = set()
    for reminder in due:
        otherwise = _when(reminder, also_now=reminder.contact_id in reached)
        if otherwise is None:
            now.append(reminder)
            reached.add(reminder.contact_id)
        else:
            later.append(_put_off(reminder, otherwise))
    if later:
        await connection.execute(_PUT_OFF, (json.dumps(later, default=str),))
    if now:
        await _place(connection, now)
    return len(due)


def _when(reminder: _Due, *, also_now: bool) -> datetime | Dropped | None:
    """Say when a reminder is called, or why never; None: now."""
    now, latest = reminder.now, reminder.starts_at - LEAD
    if reminder.opted_out:
        return Dropped.OPTED_OUT
    if now > latest:
        return Dropped.APPOINTMENT_BEGINS
    if reminder.calls_of_30_days >= reminder.max_calls_per_30_days:
        return Dropped.TOO_MANY_CALLS
    wanted = now
    if reminder.day_full_since is not None:
        wanted = reminder.day_full_since + _ONE_DAY
    elif reminder.is_called or also_now:
        wanted = now + CONTACT_BUSY
    hours = hours_of(
        contact_time_zone=reminder.contact_time_zone,
        phone_number=reminder.contact_phone_number,
        time_zone=reminder.time_zone,
        quiet_hours=reminder.quiet_hours,
        weekdays=reminder.weekdays,
        skip_holidays=reminder.skip_holidays,
    )
    at = hours.next_allowed(wanted)
    if at is None or at > latest:
        return Dropped.NO_TIME_ALLOWED
    return None if at == now else at


def _put_off(reminder: _Due, otherwise: datetime | Dropped) -> dict[str, Any]:
    if isinstance(otherwise, Dropped):
        return {"id": reminder.id, "due_at": None, "state": "dropped", "reason": otherwise}
    return {"id": reminder.id, "due_at": otherwise, "state": None, "reason": None}


async def _place(connection: Connection, reminders: Sequence[_Due]) -> None:
    rows = [
        {
            "id": reminder.id,
            "account_id": reminder.account_id,
            "contact_id": reminder.contact_id,
            "line_id": reminder.line_id,
            "contact_phone_number": reminder.contact_phone_number,
            "line_phone_number": reminder.line_phone_number,
            "ring_group_id": reminder.ring_group_id,
            "ring_seconds": reminder.ring_seconds,
            "plan_id": reminder.plan_id,
            "moment": reminder.moment,
            "starts_at": reminder.starts_at,
            "time_zone": contact_zone(
                reminder.contact_time_zone, reminder.contact_phone_number, reminder.time_zone
            ).key,
        }
        for reminder in reminders
    ]
    parameters = {"reminders": json.dumps(rows, default=str), "channel": CALLS_CHANNEL}
    await connection.execute(_PLACE, parameters)
