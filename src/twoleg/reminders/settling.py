"""When a reminder's call has ended: the reminder is done, or tried again in a while."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from twoleg.calls.outcomes import Outcome
from twoleg.reminders.answers import Answer, apply_answer
from twoleg.reminders.contact_hours import hours_of
from twoleg.reminders.retries import RANG_NOBODY, RetryRules, next_attempt
from twoleg.reminders.timing import Dropped
from twoleg.store.database import Connection

MINUTE: Final = timedelta(minutes=1)
AT_ONCE: Final = 200
"""Calls that are settled in one transaction."""

_ENDED: Final = """
SELECT t.call_id, t.answer, (
    SELECT e.data->>'answer' FROM call_events e
    WHERE e.call_id = t.call_id AND e.type = 'call.reminder_answered'
    ORDER BY e.sequence DESC LIMIT 1
  ), k.outcome, k.failure, k.ended_at, r.id, r.attempts, r.starts_at,
  c.opted_out, c.phone_number, c.time_zone, a.time_zone, a.deleted_at IS NOT NULL
    OR a.status NOT IN ('scheduled', 'reminded', 'unreachable'), a.starts_at <> r.starts_at,
  p.id IS NULL, coalesce(p.quiet_hours, o.quiet_hours), p.weekdays, p.skip_holidays,
  p.max_attempts, p.retry_busy_minutes, p.retry_no_answer_minutes
FROM reminder_attempts t JOIN calls k ON k.id = t.call_id
  JOIN reminders r ON r.id = t.reminder_id JOIN appointments a ON a.id = r.appointment_id
  JOIN contacts c ON c.id = t.contact_id JOIN accounts o ON o.id = t.account_id
  LEFT JOIN reminder_plans p ON p.id = a.reminder_plan_id AND p.id = t.reminder_plan_id
    AND p.active AND p.deleted_at IS NULL AND p.moments -> r.moment::int IS NOT NULL
WHERE NOT t.settled AND k.ended_at IS NOT NULL
ORDER BY t.call_id LIMIT %s FOR NO KEY UPDATE OF t SKIP LOCKED
"""

GIVEN_UP: Final = frozenset({Dropped.ATTEMPTS_USED_UP, Dropped.APPOINTMENT_BEGINS})
"""The contact was not reached, and nothing else happened that would have spared the call."""

# An appointment of which nobody could be told, and nobody will be, is unreachable; one that was
# moved while its contact was being called is reminded of anew.
_SETTLE: Final = """
WITH settled AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%s::jsonb) AS x(
    call_id bigint, id bigint, state text, due_at timestamptz, reason text, attempts smallint,
    given_up bool, moved bool)
), attempts AS (
  UPDATE reminder_attempts t SET settled = true, given_up = s.given_up
  FROM settled s WHERE t.call_id = s.call_id
), done AS (
  UPDATE reminders r SET state = s.state, due_at = s.due_at, reason = s.reason,
    attempts = s.attempts
  FROM settled s WHERE r.id = s.id AND r.state = 'calling'
  RETURNING r.id, r.appointment_id, s.call_id, s.given_up, s.moved
), moved AS (
  UPDATE appointments a SET to_be_planned = true
  FROM done d WHERE a.id = d.appointment_id AND d.moved
)
UPDATE appointments a SET status = 'unreachable', status_at = now(), status_call_id = d.call_id
FROM done d WHERE a.id = d.appointment_id AND d.given_up AND a.status = 'scheduled'
  AND NOT EXISTS (SELECT FROM reminders r WHERE r.appointment_id = a.id AND r.id <> d.id
    AND r.state IN ('planned', 'calling'))
"""


class _Ended(NamedTuple):
    call_id: int
    stored_answer: str | None
    told_answer: str | None
    outcome: str
    failure: str | None
    ended_at: datetime
    reminder_id: int
    attempts: int
    starts_at: datetime
    opted_out: bool
    phone_number: str
    contact_time_zone: str | None
    time_zone: str
    is_answered: bool
    has_moved: bool
    plan_has_changed: bool
    quiet_hours: dict[str, str] | None
    weekdays: list[int]
    skip_holidays: bool
    max_attempts: int
    retry_busy_minutes: int
    retry_no_answer_minutes: int

    @property
    def answer(self) -> str | None:
        return self.told_answer or self.stored_answer

    @property
    def tries(self) -> int:
        """How often the contact was tried to be reached: a call that rang nobody is none."""
        return self.attempts - (self.outcome in RANG_NOBODY)


async def settle_ended(connection: Connection, minute: timedelta = MINUTE) -> int:
    """Settle up to `AT_ONCE` reminder calls that have ended; returns how many.

    A `minute` of a plan's pauses is so long. To be called in a transaction.
    """
    cursor = await connection.execute(_ENDED, (AT_ONCE,))
    every = [_Ended(*row) for row in await cursor.fetchall()]
    for ended in every:
        # The database was away while the contact answered.
        if ended.told_answer is not None and ended.told_answer != ended.stored_answer:
            await apply_answer(connection, ended.call_id, Answer(ended.told_answer))
    rows = [_settled(ended, minute) for ended in every]
    if rows:
        await connection.execute(_SETTLE, (json.dumps(rows, default=str),))
    return len(rows)


def _settled(ended: _Ended, minute: timedelta) -> dict[str, Any]:
    after = _after(ended, minute)
    again = isinstance(after, datetime)
    return {
        "call_id": ended.call_id,
        "id": ended.reminder_id,
        "state": "planned" if again else "done",
        "due_at": after if again else None,
        "reason": None if again else after,
        "attempts": ended.tries,
        "given_up": after in GIVEN_UP,
        "moved": ended.has_moved,
    }


def _after(ended: _Ended, minute: timedelta) -> datetime | Dropped | None:
    """Return when the reminder is tried again, or why not; None: it was heard, or is outdated."""
    if ended.answer is not None or ended.has_moved:
        return None
    if ended.opted_out:
        return Dropped.OPTED_OUT
    if ended.is_answered:
        return Dropped.ANSWERED
    if ended.plan_has_changed:
        return Dropped.PLAN_CHANGED
    return next_attempt(
        Outcome(ended.outcome),
        failure=ended.failure,
        ended_at=ended.ended_at,
        attempts=ended.tries,
        rules=RetryRules(
            max_attempts=ended.max_attempts,
            busy=ended.retry_busy_minutes * minute,
            no_answer=ended.retry_no_answer_minutes * minute,
        ),
        hours=hours_of(
            contact_time_zone=ended.contact_time_zone,
            phone_number=ended.phone_number,
            time_zone=ended.time_zone,
            quiet_hours=ended.quiet_hours,
            weekdays=ended.weekdays,
            skip_holidays=ended.skip_holidays,
        ),
        starts_at=ended.starts_at,
    )
