"""Dates and times of day in words, as people say them in their language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time

DEFAULT_LOCALE: Final = Locale("en")

# CLDR's full date, such as "EEEE, d 'de' MMMM 'de' y": the year goes with what ties it on.
_YEAR: Final = re.compile(r"(?:,?\s*'de'|,)?\s*y+(?:\s*'[^']*'|[^\sA-Za-z',]+)?")

_DAY: Final = re.compile(r"\b(\d{1,2})\b\.?")

_GERMAN_DAYS: Final = (
    "ersten zweiten dritten vierten fünften sechsten siebten achten neunten zehnten elften zwölften"
    " dreizehnten vierzehnten fünfzehnten sechzehnten siebzehnten achtzehnten neunzehnten"
    " zwanzigsten einundzwanzigsten zweiundzwanzigsten dreiundzwanzigsten vierundzwanzigsten"
    " fünfundzwanzigsten sechsundzwanzigsten siebenundzwanzigsten achtundzwanzigsten"
    " neunundzwanzigsten dreißigsten einunddreißigsten"
)


def _english_day(day: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(0 if day // 10 == 1 else day % 10, "th")
    return f"{day}{ending}"


# The voice takes the full stop of "6. Januar" for the end of a sentence.
_DAYS: Final[Mapping[str, Callable[[int], str]]] = MappingProxyType(
    {
        "en": _english_day,
        "de": lambda day: f"den {_GERMAN_DAYS.split()[day - 1]}",
        "fr": lambda day: "1er" if day == 1 else str(day),
        "it": lambda day: "primo" if day == 1 else str(day),
    }
)
"""By language: how a day of the month is said, where a plain number is not it."""

# The voice reads "14:00" as numbers with a colon: what is said aloud is written out.
_TIMES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "en": ("%-I %p", "%-I %-M %p"),
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
    """Return "Tuesday, June 10th" in a language (RFC 5646): no year, which nobody says.

    `wall` is what the clock on the wall shows; its zone is not looked at.
    """
    locale = _locale(language)
    whole = str(locale.date_formats["full"])
    said = str(format_date(wall.date(), format=_YEAR.sub("", whole).strip(), locale=locale))
    day = _DAYS.get(locale.language, str)
    return _DAY.sub(lambda found: day(int(found.group(1))), said)


def spoken_time(wall: datetime, language: str) -> str:
    """Return "10 30 AM", "10 Uhr 30" or what the language has, with whole hours by themselves."""
    locale = _locale(language)
    forms = _TIMES.get(locale.language)
    if forms is None:
        return str(format_time(wall.time(), format="short", locale=locale))
    said = wall.strftime(forms[0 if wall.minute == 0 else 1])
    # Nobody says "nine five".
    return (
        said.replace(" ", " oh ", 1) if locale.language == "en" and 0 < wall.minute < 10 else said
    )


def _locale(language: str) -> Locale:
    parts = language.replace("-", "_").split("_")
    while parts:
        try:
            return Locale.parse("_".join(parts))
        except (UnknownLocaleError, ValueError):
            parts.pop()
    return DEFAULT_LOCALE
