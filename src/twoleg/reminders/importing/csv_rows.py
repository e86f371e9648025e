"""Appointments from a CSV file, as spreadsheets and practice systems write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from functools import partial
from typing import Final

from twoleg.directory.importing.csv_tables import (
    LANGUAGE_HEADERS,
    NAME_HEADERS,
    PHONE_HEADERS,
    TIME_ZONE_HEADERS,
    Cells,
    Headers,
    phone_number_of,
    read_table,
)
from twoleg.directory.importing.rows import MAX_NAME, Refused, RefusedRow
from twoleg.directory.wall_clock import wall_and_instant, zone_of
from twoleg.reminders.importing.rows import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_EXTERNAL_ID,
    ImportedAppointment,
)

MAX_LANGUAGE: Final = 20
MAX_MINUTES: Final = 7 * 24 * 60


class Column(StrEnum):
    """What a column of the file may hold."""

    PHONE_NUMBER = "phone_number"
    NAME = "name"
    LANGUAGE = "language"
    STARTS_AT = "starts_at"
    """Date and time in one."""

    DATE = "date"
    TIME = "time"
    TIME_ZONE = "time_zone"
    DURATION_MINUTES = "duration_minutes"
    PLACE = "place"
    STAFF = "staff"
    NOTES = "notes"
    EXTERNAL_ID = "external_id"
    STATUS = "status"


_HEADERS: Final = Headers(
    usual={
        Column.PHONE_NUMBER: PHONE_HEADERS,
        Column.NAME: NAME_HEADERS,
        Column.LANGUAGE: LANGUAGE_HEADERS,
        Column.STARTS_AT: "startsat start starts starttime begin datetime appointment"
        " appointmenttime termin dtstart",
        Column.DATE: "date day startdate appointmentdate datum fecha",
        Column.TIME: "time hour uhrzeit zeit hora heure",
        Column.TIME_ZONE: TIME_ZONE_HEADERS,
        Column.DURATION_MINUTES: "duration durationminutes minutes length dauer",
        Column.PLACE: "place location address room ort adresse",
        Column.STAFF: "staff doctor provider employee practitioner with arzt mitarbeiter",
        Column.NOTES: "notes note comment remarks bemerkung notiz",
        Column.EXTERNAL_ID: "externalid id appointmentid uid reference key",
        Column.STATUS: "status state",
    },
    needed=((Column.PHONE_NUMBER,), (Column.STARTS_AT, Column.DATE)),
)
_CANCELLED: Final = frozenset({"cancelled", "canceled", "abgesagt", "storniert", "deleted"})
_DATE_FORMS: Final = ("%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d")
_MONTH_FIRST, _DAY_FIRST = "%m/%d/%Y", "%d/%m/%Y"
_MONTH_FIRST_IN: Final = frozenset(
    {"US", "CA", "PH", "PR", "GU", "VI", "AS", "MP", "FM", "MH", "PW"}
)
"""Where 06/10/2026 is a day of June: nearly everywhere else it is one of October."""

_TIME_FORMS: Final = (
    *("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M%p", "%I %p", "%H.%M", "%H%M", "%HH%M", "%HH"),
    *("%H:%M UHR", "%H UHR"),
)
_BLANK: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """How a file is to be read.

    `columns` maps headers of the file to columns; headers that it leaves out are known by their
    names. `country` (ISO 3166) is that of numbers without a country code; and it tells whether
    06/10/2026 is in June, as it is where there is no country, or in October.
    """

    time_zone: str
    country: str | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)


def read_csv(
    lines: Iterable[str], options: CsvOptions
) -> Iterator[ImportedAppointment | RefusedRow]:
    """Yield one thing for each row of a CSV file. Raises CannotRead for a file that is none."""
    return read_table(lines, _HEADERS, options.columns, partial(_appointment, options))


def _appointment(options: CsvOptions, number: int, cells: Cells[Column]) -> ImportedAppointment:
    time_zone = cells.time_zone(Column.TIME_ZONE) or options.time_zone
    wall, starts_at = wall_and_instant(_starts(cells, options), zone_of(time_zone))
    status = (cells.text(Column.STATUS) or "").lower()
    return ImportedAppointment(
        row=number,
        phone_number=phone_number_of(
            cells.needed(Column.PHONE_NUMBER), Column.PHONE_NUMBER, options.country
        ),
        name=cells.text(Column.NAME, MAX_NAME),
        language=cells.text(Column.LANGUAGE, MAX_LANGUAGE),
        wall_starts_at=wall,
        time_zone=time_zone,
        starts_at=starts_at,
        duration_minutes=_minutes(cells),
        place=cells.text(Column.PLACE),
        staff=cells.text(Column.STAFF),
        notes=cells.text(Column.NOTES),
        external_id=cells.text(Column.EXTERNAL_ID, MAX_EXTERNAL_ID),
        cancelled=status in _CANCELLED,
    )


def _starts(cells: Cells[Column], options: CsvOptions) -> datetime:
    """Read the start, from one cell or two; naive, unless it has an offset."""
    apart = Column.DATE in cells.cells and cells.text(Column.STARTS_AT) is None
    column = Column.DATE if apart else Column.STARTS_AT
    text = _BLANK.sub(" ", cells.needed(column))
    clock = cells.text(Column.TIME)
    slashes = _MONTH_FIRST if (options.country or "US") in _MONTH_FIRST_IN else _DAY_FIRST
    starts = _combined(text, clock, (*_DATE_FORMS, slashes))
    if starts is None:
        raise Refused(
            column,
            f"The {column} must be a date and a time, such as 2026-06-10 10:00 (10.06.2026 and"
            f" {date(2026, 6, 10).strftime(slashes)} are read too).",
        )
    if not FIRST_YEAR <= starts.year <= LAST_YEAR:
        raise Refused(column, f"The {column} must be in the years {FIRST_YEAR} to {LAST_YEAR}.")
    return starts


def _combined(text: str, clock: str | None, forms: Iterable[str]) -> datetime | None:
    if clock is None:
        try:
            iso = datetime.fromisoformat(text)
        except ValueError:
            text, _, clock = text.partition(" ")
        else:
            return iso if len(text) > len("2026-06-10") else None
    day, at = _date(text, forms), _time(clock.strip().upper())
    return None if day is None or at is None else datetime.combine(day, at)


def _date(text: str, forms: Iterable[str]) -> date | None:
    for form in forms:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  # it has no zone yet
        except ValueError:
            continue
    return None


def _time(text: str) -> time | None:
    for form in _TIME_FORMS:
        try:
            return datetime.strptime(text, form).time()  # noqa: DTZ007
        except ValueError:
            continue
    return None


def _minutes(cells: Cells[Column]) -> int | None:
    text = cells.text(Column.DURATION_MINUTES)
    if text is None:
        return None
    minutes = text.lower().removesuffix("min").strip()
    if not minutes.isdecimal() or int(minutes) > MAX_MINUTES:
        raise Refused(
            Column.DURATION_MINUTES,
            f"The duration_minutes must be a whole number up to {MAX_MINUTES}.",
        )
    return int(minutes)
