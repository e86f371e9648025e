"""When a reminder is due: pure rules over an appointment, a plan and the contact's hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from twoleg.directory.wall_clock import instant_of, wall_of
from twoleg.reminders.calling_hours import CallingHours

MAX_DAYS_BEFORE: Final = 90
MAX_MINUTES_BEFORE: Final = 7 * 24 * 60

LEAD: Final = timedelta(minutes=15)
"""Nobody is reminded of what begins within so long: they are on their way."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When one reminder of a plan is wanted.

    Days are days of the calendar: one day before 09:00 is 09:00, whatever the clocks did in
    between. Minutes are minutes. `at` is a fixed time of that day instead of the appointment's.
    """

    days_before: int = 0
    minutes_before: int = 0
    at: time | None = None

    def wanted_at(self, starts_at: datetime, zone: ZoneInfo) -> datetime:
        """Return the instant at which the reminder of an appointment in `zone` is wanted."""
        before = timedelta(minutes=self.minutes_before)
        # The clocks need not be asked, which may have shown the same time an hour before.
        if not self.days_before and self.at is None:
            return starts_at - before
        wall = wall_of(starts_at, zone) - self.days_before * _DAY
        if self.at is not None:
            wall = datetime.combine(wall.date(), self.at)
        return instant_of(wall, zone) - before


class Dropped(StrEnum):
    """Why there is no reminder."""

    MADE_TOO_LATE = "made_too_late"
    """It was wanted before the appointment was made."""

    NO_TIME_ALLOWED = "no_time_allowed"
    """Between then and the appointment there is no time at which the contact may be called."""

    APPOINTMENT_CANCELLED = "appointment_cancelled"
    ANSWERED = "answered"
    OPTED_OUT = "opted_out"
    PLAN_CHANGED = "plan_changed"
    TOO_MANY_CALLS = "too_many_calls"
    ATTEMPTS_USED_UP = "attempts_used_up"
    APPOINTMENT_BEGINS = "appointment_begins"


def due_at(
    moment: Moment,
    *,
    starts_at: datetime,
    zone: ZoneInfo,
    hours: CallingHours,
    known_since: datetime,
) -> datetime | Dropped:
    """Return when the reminder is to be called; `known_since` is when the appointment was made.

    Where the contact may not be called then, a day off is passed over towards the past, at the
    same time of day; quiet hours towards their end, or, where that leaves too little time before
    the appointment, towards their beginning.
    """
    wanted = moment.wanted_at(starts_at, zone)
    latest = starts_at - LEAD
    if wanted < known_since or wanted > latest:
        return Dropped.MADE_TOO_LATE
    wanted = _on_a_day_allowed(wanted, hours)
    if wanted >= known_since and hours.allow(wanted):
        return wanted
    later = hours.next_allowed(max(wanted, known_since))
    if later is not None and later <= latest:
        return later
    earlier = hours.last_allowed(wanted)
    if earlier is not None and earlier >= known_since:
        return earlier
    return Dropped.NO_TIME_ALLOWED


def _on_a_day_allowed(wanted: datetime, hours: CallingHours) -> datetime:
    wall = asked = wall_of(wanted, hours.zone)
    for _ in range(7):
        if hours.allow_day(wall.date()):
            break
        wall -= _DAY
    else:
        return wanted
    return wanted if wall == asked else instant_of(wall, hours.zone)
