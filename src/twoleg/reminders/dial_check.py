"""Whether a reminder whose call has waited may still be called: visits move, and night falls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from twoleg.calls.destinations import Refusal
from twoleg.calls.dial_check import DialChecks, Question
from twoleg.calls.ports import DialCheck
from twoleg.reminders.contact_hours import hours_of

_STANDING: Final = """
SELECT x.place - 1, a.deleted_at IS NULL AND a.starts_at = r.starts_at
    AND a.status IN ('scheduled', 'reminded', 'unreachable')
    AND p.active AND p.deleted_at IS NULL AND p.moments -> r.moment::int IS NOT NULL
    AND c.deleted_at IS NULL,
  c.time_zone, c.phone_number, a.time_zone, coalesce(p.quiet_hours, o.quiet_hours), p.weekdays,
  p.skip_holidays, now()
FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS x(reminder_id, place)
  JOIN reminders r ON r.id = x.reminder_id JOIN appointments a ON a.id = r.appointment_id
  JOIN contacts c ON c.id = a.contact_id JOIN accounts o ON o.id = a.account_id
  JOIN reminder_plans p ON p.id = a.reminder_plan_id
"""

OUTDATED: Final = "reminder_outdated: the appointment or its plan has changed, or it was answered"
QUIET: Final = f"{Refusal.QUIET_HOURS}: it is a time at which the plan leaves the contact alone"


class _Standing(NamedTuple):
    is_wanted: bool
    contact_time_zone: str | None
    phone_number: str
    time_zone: str
    quiet_hours: dict[str, str] | None
    weekdays: list[int]
    skip_holidays: bool
    now: datetime


_IS_STILL_WANTED: Final = Question(_STANDING, _Standing)


@dataclass(frozen=True, slots=True)
class ReminderDialCheck:
    """The `DialCheck` of a reminder call: the rules of every call, and those of its plan."""

    reminder_id: int
    checks: DialChecks
    every_call: DialCheck

    async def objection(self, agent_user_id: int | None) -> str | None:
        """Say, as a call's `failure` does, what stands against calling; None: nothing does.

        Raises NotChecked where the database does not say so in time.
        """
        rule = await self.every_call.objection(agent_user_id)
        if rule is not None:
            return rule
        standing = await self.checks.ask(_IS_STILL_WANTED, self.reminder_id)
        if standing is None or not standing.is_wanted:
            return OUTDATED
        hours = hours_of(
            contact_time_zone=standing.contact_time_zone,
            phone_number=standing.phone_number,
            time_zone=standing.time_zone,
            quiet_hours=standing.quiet_hours,
            weekdays=standing.weekdays,
            skip_holidays=standing.skip_holidays,
        )
        return None if hours.allow(standing.now) else QUIET
