"""Whose clock counts, and when that contact may be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from twoleg.directory.contact_zone import contact_zone
from twoleg.directory.phone_numbers import country_of, parse
from twoleg.directory.quiet_hours import QuietHours
from twoleg.reminders.calling_hours import CallingHours, public_holidays

MAX_RULES: Final = 1024
"""Many contacts share few rules: so many are kept as they were read."""


def hours_of(
    *,
    contact_time_zone: str | None,
    phone_number: str,
    time_zone: str,
    quiet_hours: Mapping[str, Any] | None,
    weekdays: Sequence[int],
    skip_holidays: bool,
) -> CallingHours:
    """Return when a contact may be called: a plan's or account's rules in the contact's zone.

    `time_zone` is the appointment's, for contacts of whom no zone is known; `quiet_hours` as in
    `QuietHours.from_json`; holidays are those of the number's country.
    """
    country = country_of(parse(phone_number, None)) if skip_holidays else None
    return _hours(
        contact_zone(contact_time_zone, phone_number, time_zone),
        None if quiet_hours is None else tuple(quiet_hours.items()),
        tuple(weekdays),
        country,
    )


@lru_cache(maxsize=MAX_RULES)
def _hours(
    zone: ZoneInfo,
    quiet_hours: tuple[tuple[str, Any], ...] | None,
    weekdays: tuple[int, ...],
    country: str | None,
) -> CallingHours:
    return CallingHours(
        zone=zone,
        quiet=QuietHours.from_json(None if quiet_hours is None else dict(quiet_hours)),
        weekdays=frozenset(weekdays),
        days_off=frozenset() if country is None else public_holidays(country),
    )
