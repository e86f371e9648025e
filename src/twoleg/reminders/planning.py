"""From appointments and plans to reminders: planned when made, moved with them, dropped in time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from twoleg.directory.contact_zone import contact_zone
from twoleg.directory.wall_clock import zone_of
from twoleg.reminders.calling_hours import CallingHours
from twoleg.reminders.contact_hours import hours_of
from twoleg.reminders.plans.values import moment_from_json
from twoleg.reminders.timing import LEAD, Dropped, Moment, due_at
from twoleg.store.database import Connection

BATCH: Final = 500
"""Appointments that are planned in one transaction."""

MAX_PLANS: Final = 1024
"""Plans whose moments are kept as they were read."""

_LOAD: Final = """
SELECT a.id, a.account_id, a.starts_at, a.time_zone, a.created_at, a.status,
  a.deleted_at IS NOT NULL OR a.status = 'cancelled',
  a.status IN ('confirmed', 'reschedule_requested', 'callback_requested'),
  c.opted_out OR c.deleted_at IS NOT NULL OR a.status = 'opted_out',
  c.time_zone, c.phone_number, p.line_id,
  CASE WHEN p.active AND p.deleted_at IS NULL THEN p.moments::text ELSE '[]' END,
  coalesce(p.quiet_hours, o.quiet_hours), p.weekdays, p.skip_holidays, now(),
  (SELECT coalesce(jsonb_object_agg(r.moment,
     jsonb_build_array(r.due_at, r.planned_for, r.attempts > 0)), '{}')::text
   FROM reminders r
   WHERE r.appointment_id = a.id AND r.state = 'planned' AND r.starts_at = a.starts_at)
FROM appointments a JOIN contacts c ON c.id = a.contact_id JOIN accounts o ON o.id = a.account_id
  LEFT JOIN reminder_plans p ON p.id = a.reminder_plan_id
WHERE a.id = ANY(%s)
"""

# What rings or was called stays as it is, unless the appointment has moved since.
_STORE: Final = """
WITH wanted AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(reminders)s::jsonb) AS x(
    account_id bigint, appointment_id bigint, moment smallint, line_id bigint, state text,
    due_at timestamptz, planned_for timestamptz, starts_at timestamptz, reason text,
    time_zone text)
), planned AS (
  INSERT INTO reminders AS r (account_id, appointment_id, moment, line_id, state, due_at,
    planned_for, starts_at, reason, time_zone)
  SELECT account_id, appointment_id, moment, line_id, state, due_at, planned_for, starts_at,
    reason, time_zone
  FROM wanted
  ON CONFLICT (appointment_id, moment) DO UPDATE SET line_id = excluded.line_id,
    state = excluded.state, due_at = excluded.due_at, planned_for = excluded.planned_for,
    starts_at = excluded.starts_at,
    reason = excluded.reason, spoken = false, time_zone = excluded.time_zone,
    attempts = CASE WHEN r.starts_at = excluded.starts_at THEN r.attempts ELSE 0 END
  WHERE r.state = 'planned' OR (r.state = 'dropped' AND r.attempts = 0)
    OR (r.state <> 'calling' AND r.starts_at <> excluded.starts_at)
), gone AS (
  UPDATE reminders r SET state = 'dropped', due_at = NULL, reason = 'plan_changed'
  WHERE r.appointment_id = ANY(%(appointments)s) AND r.state = 'planned' AND NOT EXISTS (
    SELECT FROM wanted w WHERE w.appointment_id = r.appointment_id AND w.moment = r.moment)
)
UPDATE appointments SET to_be_planned = false WHERE id = ANY(%(appointments)s)
"""

_TO_BE_PLANNED: Final = """
SELECT id FROM appointments WHERE to_be_planned
ORDER BY starts_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""


class _Loaded(NamedTuple):
    """An appointment with everything that its reminders depend on."""

    id: int
    account_id: int
    starts_at: datetime
    time_zone: str
    created_at: datetime
    status: str
    cancelled: bool
    answered: bool
    opted_out: bool
    contact_time_zone: str | None
    phone_number: str
    line_id: int | None
    moments: str
    """A list, as JSON: that of a plan is read once for all of its appointments."""

    quiet_hours: dict[str, str] | None
    weekdays: list[int] | None
    skip_holidays: bool | None
    now: datetime
    planned: str
    """Of each moment when it is due, what for, and whether it was called: as JSON, rarely read."""

    def standing(self, moment: int) -> _Standing | None:
        """Return how the reminder of a moment is planned now; None: it is not."""
        found = json.loads(self.planned).get(str(moment))
        if found is None:
            return None
        due, planned_for, was_called = found
        return _Standing(
            due=datetime.fromisoformat(due),
            planned_for=None if planned_for is None else datetime.fromisoformat(planned_for),
            was_called=was_called,
        )


@dataclass(frozen=True, slots=True)
class _Standing:
    due: datetime
    planned_for: datetime | None
    was_called: bool


@dataclass(frozen=True, slots=True)
class _Planned:
    moment: int
    due: datetime | Dropped
    planned_for: datetime | None = None


async def plan_appointments(connection: Connection, ids: Sequence[int]) -> None:
    """Plan the reminders of appointments anew, in the caller's transaction."""
    cursor = await connection.execute(_LOAD, (list(ids),))
    rows: list[dict[str, Any]] = []
    for row in await cursor.fetchall():
        appointment = _Loaded(*row)
        rows += [_row(appointment, planned) for planned in _plan(appointment)]
    await connection.execute(
        _STORE, {"reminders": json.dumps(rows, default=str), "appointments": list(ids)}
    )


async def plan_waiting(connection: Connection) -> int:
    """Plan up to `BATCH` appointments whose reminders something has changed; returns how many."""
    cursor = await connection.execute(_TO_BE_PLANNED, (BATCH,))
    ids = [id_ for (id_,) in await cursor.fetchall()]
    if ids:
        await plan_appointments(connection, ids)
    return len(ids)


def _plan(appointment: _Loaded) -> list[_Planned]:
    moments = _moments(appointment.moments)
    dropped = _dropped(appointment)
    if dropped is not None:
        return [_Planned(index, dropped) for index in range(len(moments))]
    hours = _hours(appointment)
    return [_due(appointment, index, moment, hours) for index, moment in enumerate(moments)]


@lru_cache(maxsize=MAX_PLANS)
def _moments(text: str) -> tuple[Moment, ...]:
    return tuple(moment_from_json(fields) for fields in json.loads(text))


def _dropped(appointment: _Loaded) -> Dropped | None:
    if appointment.cancelled:
        return Dropped.APPOINTMENT_CANCELLED
    if appointment.opted_out:
        return Dropped.OPTED_OUT
    return Dropped.ANSWERED if appointment.answered else None


def _due(appointment: _Loaded, index: int, moment: Moment, hours: CallingHours) -> _Planned:
    """Say when a reminder is due.

    One whose time has come, and is as it was, stays due, or put off to when it was; and so does the
    next try of one that was called already.
    """
    zone = zone_of(appointment.time_zone)
    starts_at = appointment.starts_at

    def due(known_since: datetime) -> datetime | Dropped:
        return due_at(moment, starts_at=starts_at, zone=zone, hours=hours, known_since=known_since)

    at = due(appointment.created_at)
    if not isinstance(at, Dropped) and at >= appointment.now:
        return _Planned(index, at, at)
    standing = appointment.standing(index)
    if standing is not None and (standing.was_called or standing.planned_for == at):
        later = hours.next_allowed(standing.due)
        if later is None or later > starts_at - LEAD:
            return _Planned(index, Dropped.NO_TIME_ALLOWED)
        return _Planned(index, later, standing.planned_for)
    at = at if isinstance(at, Dropped) else due(appointment.now)
    return _Planned(index, at, None if isinstance(at, Dropped) else at)


def _hours(appointment: _Loaded) -> CallingHours:
    return hours_of(
        contact_time_zone=appointment.contact_time_zone,
        phone_number=appointment.phone_number,
        time_zone=appointment.time_zone,
        quiet_hours=appointment.quiet_hours,
        weekdays=appointment.weekdays or (),
        skip_holidays=bool(appointment.skip_holidays),
    )


def _row(appointment: _Loaded, planned: _Planned) -> dict[str, Any]:
    dropped = isinstance(planned.due, Dropped)
    return {
        "account_id": appointment.account_id,
        "appointment_id": appointment.id,
        "moment": planned.moment,
        "line_id": appointment.line_id,
        "state": "dropped" if dropped else "planned",
        "due_at": None if dropped else planned.due,
        "planned_for": planned.planned_for,
        "starts_at": appointment.starts_at,
        "reason": planned.due if dropped else None,
        "time_zone": None if dropped else _zone(appointment).key,
    }


def _zone(appointment: _Loaded) -> ZoneInfo:
    return contact_zone(
        appointment.contact_time_zone, appointment.phone_number, appointment.time_zone
    )
