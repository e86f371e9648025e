"""Whose clock counts: the zone in which a contact lives."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone

from twoleg.directory.wall_clock import UnknownZone, zone_of

_UNKNOWN: Final = "Etc/Unknown"


def contact_zone(own: str | None, phone_number: str, otherwise: str) -> ZoneInfo:
    """Return the contact's `own` zone, else its number's if that is in one alone, else another."""
    known = _zone(own) or _zone(_zone_of_number(phone_number)) or _zone(otherwise)
    return zone_of("UTC") if known is None else known


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else zone_of(name)
    except UnknownZone:
        return None


@lru_cache(maxsize=4096)
def _zone_of_number(phone_number: str) -> str | None:
    """Return the zone of an E.164 number whose block lies in one zone, as area codes mostly do."""
    try:
        zones = timezone.time_zones_for_number(phonenumbers.parse(phone_number))
    except phonenumbers.NumberParseException:
        return None
    return zones[0] if len(zones) == 1 and zones[0] != _UNKNOWN else None
