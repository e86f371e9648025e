"""Wall time in a zone, and the instants that it means on the days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MAX_ZONES: Final = 1024


class UnknownZone(ValueError):
    """The IANA database has no zone of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@lru_cache(maxsize=MAX_ZONES)
def zone_of(name: str) -> ZoneInfo:
    """Return the zone of the IANA database; raises UnknownZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZone(name) from error


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, that a clock in `zone` shows as `wall` (naive).

    A wall time that a change of clocks leaves out is read with the offset before it; one that
    comes twice is its first (RFC 5545 3.3.5).
    """
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def wall_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what a clock in `zone` shows at `instant`, as a naive time."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def wall_and_instant(given: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return both times of `given`: a wall time of `zone` (naive), or an instant.

    An instant stays what it is, also the later of two that a clock in `zone` shows alike.
    """
    if given.tzinfo is None:
        return given, instant_of(given, zone)
    return wall_of(given, zone), given.astimezone(UTC)
