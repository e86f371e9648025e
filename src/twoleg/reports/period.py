"""What time a report is of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from twoleg.directory.wall_clock import instant_of, wall_of

USUAL: Final = timedelta(days=30)
LONGEST: Final = timedelta(days=2 * 366)

_DAY: Final = timedelta(days=1)


class InvalidPeriod(ValueError):
    """The time that was asked for is none; the message says why."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` up to but not `end`; `zone` is the account's, whose days and hours count."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    @classmethod
    def of(
        cls,
        first: date | datetime | None,
        last: date | datetime | None,
        zone: ZoneInfo,
        now: datetime,
    ) -> Period:
        """Return the time from `first` to `last`: days, the last one included, or instants.

        Without `last` it ends with today; without `first` it begins 30 days before its end. Raises
        InvalidPeriod.
        """
        end = _instant(wall_of(now, zone).date() if last is None else last, zone, _DAY)
        start = end - USUAL if first is None else _instant(first, zone, timedelta())
        if start >= end:
            raise InvalidPeriod("must not be before from")
        if end - start > LONGEST:
            raise InvalidPeriod(f"must be within {LONGEST.days} days of from")
        return cls(start, end, zone)


def _instant(given: date | datetime, zone: ZoneInfo, further: timedelta) -> datetime:
    if isinstance(given, datetime):
        return given
    return instant_of(datetime.combine(given, time()) + further, zone)
