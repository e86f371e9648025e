"""Dates and times of day in words, as people say them in their language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time

DEFAULT_LOCALE: Final = Locale("en")

# CLDR's full date, such as "EEEE, d 'de' MMMM 'de' y": the year goes with what ties it on.
_YEAR: Final = re.compile(r"(?:,?\s*'de'|,)?\s*y+(?:\s*'[^']*'|[^\sA-Za-z',]+)?")

# The voice reads "14:00" as numbers with a colon: what is said aloud is written out.
_TIMES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "en": ("%-I %p", "%-I %M %p"),
        "de": ("%-H Uhr", "%-H Uhr %-M"),
        "es": ("%-H horas", "%-H horas y %-M"),
        "fr": ("%-H heures", "%-H heures %-M"),
        "it": ("ore %-H", "ore %-H e %-M"),
        "nl": ("%-H uur", "%-H uur %-M"),
        "pt": ("%-H horas", "%-H horas e %-M"),
    }
)
"""By language: whole hours, and hours with minutes."""


def spoken_date(wall: datetime, language: str) -> str:
    """Return "Tuesday, June 10" in a language (RFC 5646): no year, which nobody says.

    `wall` is what the clock on the wall shows; its zone is not looked at.
    """
    locale = _locale(language)
    whole = str(locale.date_formats["full"])
    return str(format_date(wall.date(), format=_YEAR.sub("", whole).strip(), locale=locale))


def spoken_time(wall: datetime, language: str) -> str:
    """Return "10 30 AM", "10 Uhr 30" or what the language has, with whole hours by themselves."""
    locale = _locale(language)
    forms = _TIMES.get(locale.language)
    if forms is None:
        return str(format_time(wall.time(), format="short", locale=locale))
    return wall.strftime(forms[0 if wall.minute == 0 else 1])


def _locale(language: str) -> Locale:
    parts = language.replace("-", "_").split("_")
    while parts:
        try:
            return Locale.parse("_".join(parts))
        except (UnknownLocaleError, ValueError):
            parts.pop()
    return DEFAULT_LOCALE
