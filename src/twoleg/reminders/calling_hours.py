"""When a contact may be called: quiet hours, weekdays and public holidays of its own zone."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from twoleg.directory.quiet_hours import QuietHours
from twoleg.directory.wall_clock import wall_of

EVERY_DAY: Final = frozenset(range(1, 8))
"""ISO weekdays: 1 is Monday."""

MOST_DAYS_AHEAD: Final = 31
"""How far a time to call is looked for; no run of holidays and weekends is that long."""

_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingHours:
    """What `zone`, the contact's own, has to do with when it may be called."""

    zone: ZoneInfo
    quiet: QuietHours | None = None
    weekdays: frozenset[int] = EVERY_DAY
    days_off: Container[date] = frozenset()

    def allow(self, instant: datetime) -> bool:
        """Tell whether the contact may be called at `instant`."""
        return self._allow_wall(wall_of(instant, self.zone))

    def allow_day(self, day: date) -> bool:
        """Tell whether the contact may be called on `day` at all."""
        return day.isoweekday() in self.weekdays and day not in self.days_off

    def next_allowed(self, instant: datetime) -> datetime | None:
        """Return the first instant from `instant` on at which the contact may be called.

        Where clocks change as quiet hours end it may be later, by no more than they change.
        """
        if self.allow(instant):
            return instant
        began = wall_of(instant, self.zone).date()
        for day in _days(began, _DAY):
            opens = time() if self.quiet is None else self.quiet.end
            walls = (datetime.combine(day, time()), datetime.combine(day, opens))
            later = [there for there in self._instants(walls) if there >= instant]
            if (found := min(filter(self.allow, later), default=None)) is not None:
                return found
        return None

    def last_allowed(self, instant: datetime) -> datetime | None:
        """Return the last minute before `instant` at which the contact may be called.

        Where clocks change as quiet hours begin it may be earlier, by no more than they change.
        """
        began = wall_of(instant, self.zone).date()
        for day in _days(began, -_DAY):
            closes = datetime.combine(day, time() if self.quiet is None else self.quiet.start)
            midnight = datetime.combine(day, time()) + _DAY
            walls = (midnight - _MINUTE, closes - _MINUTE)
            earlier = [there for there in self._instants(walls) if there < instant]
            if (found := max(filter(self.allow, earlier), default=None)) is not None:
                return found
        return None

    def _instants(self, walls: Iterable[datetime]) -> Iterator[datetime]:
        """Give the instants of wall times: both of one that is left out, or comes twice."""
        for wall in walls:
            for fold in (0, 1):
                yield wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)

    def _allow_wall(self, wall: datetime) -> bool:
        return self.allow_day(wall.date()) and (self.quiet is None or wall.time() not in self.quiet)


@lru_cache(maxsize=256)
def public_holidays(country: str) -> Container[date]:
    """Return the public holidays of a country (ISO 3166); none where they are not known."""
    try:
        return holidays.country_holidays(country)
    except NotImplementedError:
        return frozenset()


def _days(first: date, step: timedelta) -> Iterator[date]:
    day = first
    for _ in range(MOST_DAYS_AHEAD):
        yield day
        day += step
