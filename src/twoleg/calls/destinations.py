"""Which numbers may be dialled: validity, emergency services, premium rate, country."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType, shortnumberinfo

from twoleg.directory.phone_numbers import (
    InvalidPhoneNumber,
    country_of,
    e164,
    main_country_of,
    parse,
)

# Emergency numbers are short everywhere; with a country code before it none is longer.
MAX_EMERGENCY_DIGITS: Final = 6
REMEMBERED_NUMBERS: Final = 4096
_NOT_DIALLED: Final = re.compile(r"[^0-9+]", re.ASCII)


class Refusal(StrEnum):
    """Why a call is refused before anybody is dialled: the `reason` of a reply."""

    CONTACT_OPTED_OUT = "contact_opted_out"
    DESTINATION_NOT_ALLOWED = "destination_not_allowed"
    EMERGENCY_NUMBER = "emergency_number"
    NO_AGENT_AVAILABLE = "no_agent_available"
    OWN_NUMBER = "own_number"
    QUIET_HOURS = "quiet_hours"
    USER_INACTIVE = "user_inactive"


@dataclass(frozen=True, slots=True)
class Destination:
    """A number that someone wants dialled, as the numbering plans see it.

    `number` is E.164, None where the text is no phone number; `country` is an ISO 3166 code.
    """

    number: str | None
    country: str | None = None
    emergency: bool = False
    premium_rate: bool = False

    def refusal(self, allowed_countries: Collection[str] | None) -> Refusal | None:
        """Tell why this may not be dialled; no countries given allows them all."""
        if self.emergency:
            return Refusal.EMERGENCY_NUMBER
        if self.premium_rate:
            return Refusal.DESTINATION_NOT_ALLOWED
        if allowed_countries and self.country not in allowed_countries:
            return Refusal.DESTINATION_NOT_ALLOWED
        return None


@lru_cache(maxsize=REMEMBERED_NUMBERS)
def destination(text: str, region: str | None) -> Destination:
    """Read `text` with `region` as the default; pure, so answers are remembered."""
    dialled = _NOT_DIALLED.sub("", text)
    if _is_emergency(dialled, region):
        return Destination(None, region, emergency=True)
    try:
        parsed = parse(text, region)
        if _is_emergency(str(parsed.national_number), main_country_of(parsed)):
            return Destination(None, main_country_of(parsed), emergency=True)
        number = e164(parsed)
    except InvalidPhoneNumber:
        return Destination(None)
    return Destination(number, country_of(parsed), premium_rate=_is_premium_rate(parsed))


def _is_premium_rate(number: PhoneNumber) -> bool:
    """Tell whether `number`, or what a network reaches by its first digits, is premium rate.

    Networks that do not know how long a number is connect it once it is complete, and ignore what
    follows: digits behind it must not hide what is dialled.
    """
    begins = PhoneNumber()
    begins.merge_from(number)
    while phonenumbers.is_possible_number(begins):
        kind = phonenumbers.number_type(begins)
        if kind != PhoneNumberType.UNKNOWN:
            return bool(kind == PhoneNumberType.PREMIUM_RATE)
        begins.national_number = (begins.national_number or 0) // 10
    return False


def _is_emergency(digits: str, region: str | None) -> bool:
    if region is None or len(digits) > MAX_EMERGENCY_DIGITS:
        return False
    return bool(shortnumberinfo.is_emergency_number(digits, region))
