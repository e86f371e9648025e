"""Appointments from a CSV file, as spreadsheets and practice systems write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from itertools import chain
from types import MappingProxyType
from typing import Final

from twoleg.directory.json_objects import storable
from twoleg.directory.phone_numbers import InvalidPhoneNumber, normalise
from twoleg.directory.wall_clock import UnknownZone, instant_of, wall_of, zone_of
from twoleg.reminders.importing.rows import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_EXTERNAL_ID,
    MAX_TEXT,
    CannotRead,
    ImportedAppointment,
    RefusedRow,
)

MAX_COLUMNS: Final = 200
MAX_NAME: Final = 200
MAX_LANGUAGE: Final = 20
MAX_MINUTES: Final = 7 * 24 * 60
DELIMITERS: Final = ",;\t|"


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


_HEADERS: Final = MappingProxyType(
    {
        Column.PHONE_NUMBER: "phone phonenumber telephone mobile cell tel telefon telefonnummer"
        " handy contactphone contactphonenumber telefono telephonenumber number",
        Column.NAME: "name contact contactname patient client customer fullname patientname kunde"
        " nombre nom",
        Column.LANGUAGE: "language lang sprache locale",
        Column.STARTS_AT: "startsat start starts starttime begin datetime appointment"
        " appointmenttime termin dtstart",
        Column.DATE: "date day startdate appointmentdate datum fecha",
        Column.TIME: "time hour uhrzeit zeit hora heure",
        Column.TIME_ZONE: "timezone tz zone zeitzone",
        Column.DURATION_MINUTES: "duration durationminutes minutes length dauer",
        Column.PLACE: "place location address room ort adresse",
        Column.STAFF: "staff doctor provider employee practitioner with arzt mitarbeiter",
        Column.NOTES: "notes note comment remarks bemerkung notiz",
        Column.EXTERNAL_ID: "externalid id appointmentid uid reference key",
        Column.STATUS: "status state",
    }
)
_COLUMN_OF: Final = {
    header: column for column, headers in _HEADERS.items() for header in headers.split()
}
_CANCELLED: Final = frozenset({"cancelled", "canceled", "abgesagt", "storniert", "deleted"})
_DATE_FORMS: Final = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d")
_TIME_FORMS: Final = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M%p", "%I %p", "%H.%M", "%H%M")
_BLANK: Final = re.compile(r"\s+")
_NO_LETTER: Final = re.compile(r"[^a-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """How a file is to be read.

    `columns` maps headers of the file to columns; headers that it leaves out are known by their
    names. `country` (ISO 3166) is that of numbers without a country code.
    """

    time_zone: str
    country: str | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)


def read_csv(
    lines: Iterable[str], options: CsvOptions
) -> Iterator[ImportedAppointment | RefusedRow]:
    """Yield one thing for each row of a CSV file. Raises CannotRead for a file that is none."""
    every = iter(lines)
    first = next(every, "").removeprefix("\ufeff")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(chain((first,), every), delimiter=delimiter)
    try:
        columns = _columns(next(reader, []), options)
        for number, cells in enumerate((row for row in reader if any(row)), start=1):
            yield _row(number, dict(zip(columns, cells, strict=False)), options)
    except csv.Error as error:
        # A quotation mark that nobody closed runs into this.
        raise CannotRead(f"Line {reader.line_num} is no CSV: {error}.") from error


def _columns(header: Sequence[str], options: CsvOptions) -> list[Column | None]:
    """Tell what each column holds; None: nothing that we know. Raises CannotRead."""
    if len(header) > MAX_COLUMNS:
        raise CannotRead(f"The file has more than {MAX_COLUMNS} columns.")
    unknown = [name for name in options.columns if name not in header]
    if unknown:
        raise CannotRead(f"The file has no column {unknown[0]!r}; it has: {', '.join(header)}.")
    columns: list[Column | None] = []
    for name in header:
        known = _COLUMN_OF.get(_NO_LETTER.sub("", name.lower()))
        column = options.columns.get(name, None if known in options.columns.values() else known)
        columns.append(None if column in columns else column)
    for needed, instead in ((Column.PHONE_NUMBER, ()), (Column.STARTS_AT, (Column.DATE,))):
        if not {needed, *instead} & set(columns):
            raise CannotRead(
                f"No column is known to hold the {needed}: name it in columns, as in"
                f' {{"HEADER": "{needed}"}}. The file has: {", ".join(header)[:MAX_TEXT]}.'
            )
    return columns


def _row(
    number: int, cells: Mapping[Column | None, str], options: CsvOptions
) -> ImportedAppointment | RefusedRow:
    try:
        return _appointment(number, _Cells(cells), options)
    except _Refused as refused:
        values = {column: cell[:MAX_TEXT] for column, cell in cells.items() if column is not None}
        return RefusedRow(row=number, column=refused.column, message=refused.message, values=values)


class _Refused(Exception):
    def __init__(self, column: Column, message: str) -> None:
        super().__init__(column, message)
        self.column = column
        self.message = message


@dataclass(frozen=True, slots=True)
class _Cells:
    cells: Mapping[Column | None, str]

    def text(self, column: Column, limit: int = MAX_TEXT) -> str | None:
        """Return the cell, trimmed; None where it is empty, or not there. Raises _Refused."""
        cell = self.cells.get(column, "").strip()
        if len(cell) > limit:
            raise _Refused(column, f"The {column} may have {limit} characters at most.")
        if not storable(cell):
            raise _Refused(column, f"The {column} holds characters that cannot be stored.")
        return cell or None

    def needed(self, column: Column) -> str:
        cell = self.text(column)
        if cell is None:
            raise _Refused(column, f"The {column} is missing.")
        return cell


def _appointment(number: int, cells: _Cells, options: CsvOptions) -> ImportedAppointment:
    time_zone = cells.text(Column.TIME_ZONE) or options.time_zone
    try:
        zone = zone_of(time_zone)
    except UnknownZone:
        raise _Refused(
            Column.TIME_ZONE,
            "The time_zone must be one of the IANA database, such as Europe/Berlin.",
        ) from None
    starts = _starts(cells)
    wall = starts if starts.tzinfo is None else wall_of(starts, zone)
    status = (cells.text(Column.STATUS) or "").lower()
    return ImportedAppointment(
        row=number,
        phone_number=_phone_number(cells, options),
        name=cells.text(Column.NAME, MAX_NAME),
        language=cells.text(Column.LANGUAGE, MAX_LANGUAGE),
        wall_starts_at=wall,
        time_zone=time_zone,
        starts_at=instant_of(wall, zone),
        duration_minutes=_minutes(cells),
        place=cells.text(Column.PLACE),
        staff=cells.text(Column.STAFF),
        notes=cells.text(Column.NOTES),
        external_id=cells.text(Column.EXTERNAL_ID, MAX_EXTERNAL_ID),
        cancelled=status in _CANCELLED,
    )


def _phone_number(cells: _Cells, options: CsvOptions) -> str:
    text = cells.needed(Column.PHONE_NUMBER)
    try:
        return normalise(text, options.country)
    except InvalidPhoneNumber:
        raise _Refused(
            Column.PHONE_NUMBER,
            "The phone_number must be valid, with + and the country code where the import has no"
            " country.",
        ) from None


def _starts(cells: _Cells) -> datetime:
    """Read the start, from one cell or two; naive, unless it has an offset."""
    apart = Column.DATE in cells.cells and cells.text(Column.STARTS_AT) is None
    column = Column.DATE if apart else Column.STARTS_AT
    text = _BLANK.sub(" ", cells.needed(column))
    clock = cells.text(Column.TIME)
    starts = _combined(text, clock)
    if starts is None:
        raise _Refused(
            column,
            f"The {column} must be a date and a time, such as 2026-06-10 10:00 (10.06.2026 and"
            " 06/10/2026 are read too).",
        )
    if not FIRST_YEAR <= starts.year <= LAST_YEAR:
        raise _Refused(column, f"The {column} must be in the years {FIRST_YEAR} to {LAST_YEAR}.")
    return starts


def _combined(text: str, clock: str | None) -> datetime | None:
    if clock is None:
        try:
            iso = datetime.fromisoformat(text)
        except ValueError:
            text, _, clock = text.partition(" ")
        else:
            return iso if len(text) > len("2026-06-10") else None
    day, at = _date(text), _time(clock.strip().upper())
    return None if day is None or at is None else datetime.combine(day, at)


def _date(text: str) -> date | None:
    for form in _DATE_FORMS:
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


def _minutes(cells: _Cells) -> int | None:
    text = cells.text(Column.DURATION_MINUTES)
    if text is None:
        return None
    minutes = text.lower().removesuffix("min").strip()
    if not minutes.isdecimal() or int(minutes) > MAX_MINUTES:
        raise _Refused(
            Column.DURATION_MINUTES,
            f"The duration_minutes must be a whole number up to {MAX_MINUTES}.",
        )
    return int(minutes)
