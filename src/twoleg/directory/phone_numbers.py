"""Phone numbers: E.164 everywhere inside, whatever people write."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

# Longer than any number that is written with blanks, brackets and an extension.
MAX_TEXT: Final = 64
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


class InvalidPhoneNumber(ValueError):
    """`text` is no phone number, or none that can be dialled from `region`."""

    def __init__(self, text: str, region: str | None) -> None:
        super().__init__(text, region)
        self.text = text
        self.region = region


def looks_like_e164(text: str) -> bool:
    """Tell whether `text` needs no country to be read."""
    return _E164.fullmatch(text) is not None


def parse(text: str, region: str | None) -> PhoneNumber:
    """Read `text`, dialled in `region` (ISO 3166) where it has no "+".

    Raises InvalidPhoneNumber. What comes back need not be dialled yet: see `e164`.
    """
    if len(text) > MAX_TEXT:
        raise InvalidPhoneNumber(text[:MAX_TEXT], region)
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException as error:
        raise InvalidPhoneNumber(text, region) from error


def e164(parsed: PhoneNumber) -> str:
    """Return the one way to write `parsed`; raises InvalidPhoneNumber.

    Numbers of the right length count as valid even where the plan has no such block (yet):
    carriers open blocks faster than anybody's metadata follows.
    """
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_possible_number(parsed) or not looks_like_e164(number):
        raise InvalidPhoneNumber(number, None)
    return number


def normalise(text: str, region: str | None = None) -> str:
    """Return `text` as E.164; raises InvalidPhoneNumber."""
    return e164(parse(text, region))


def country_of(parsed: PhoneNumber) -> str | None:
    """Return the country (ISO 3166) of a number; None where it belongs to none."""
    country = phonenumbers.region_code_for_number(parsed) or main_country_of(parsed)
    return country if is_country(country) else None


def main_country_of(parsed: PhoneNumber) -> str:
    """Return the largest country of the number's country code."""
    return phonenumbers.region_code_for_country_code(parsed.country_code or 0)


def is_country(code: str) -> bool:
    """Tell whether `code` is a country that has phone numbers."""
    return code in phonenumbers.SUPPORTED_REGIONS
