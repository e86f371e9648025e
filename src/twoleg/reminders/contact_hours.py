"""Whose clock counts, and when that contact may be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone

from twoleg.directory.phone_numbers import country_of, parse
from twoleg.reminders.calling_hours import CallingHours, QuietHours, public_holidays
from twoleg.reminders.wall_clock import UnknownZone, zone_of

_UNKNOWN: Final = "Etc/Unknown"


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


def contact_zone(own: str | None, phone_number: str, otherwise: str) -> ZoneInfo:
    """Return the contact's `own` zone, else its number's if that is in one alone, else another."""
    for name in (own, _zone_of_number(phone_number), otherwise):
        try:
            if name is not None:
                return zone_of(name)
        except UnknownZone:
            continue
    return zone_of("UTC")


@lru_cache(maxsize=4096)
def _zone_of_number(phone_number: str) -> str | None:
    """Return the zone of an E.164 number whose block lies in one zone, as area codes mostly do."""
    try:
        zones = timezone.time_zones_for_number(phonenumbers.parse(phone_number))
    except phonenumbers.NumberParseException:
        return None
    return zones[0] if len(zones) == 1 and zones[0] != _UNKNOWN else None
