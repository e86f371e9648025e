"""Whose clock counts, and when that contact may be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twoleg.directory.contact_zone import contact_zone
from twoleg.directory.phone_numbers import country_of, parse
from twoleg.directory.quiet_hours import QuietHours
from twoleg.reminders.calling_hours import CallingHours, public_holidays


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
    return CallingHours(
        zone=contact_zone(contact_time_zone, phone_number, time_zone),
        quiet=QuietHours.from_json(quiet_hours),
        weekdays=frozenset(weekdays),
        days_off=frozenset() if country is None else public_holidays(country),
    )
