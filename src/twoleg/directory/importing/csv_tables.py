"""CSV files with a line of headers, as spreadsheets and other systems write them."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import TextIOWrapper
from itertools import chain
from typing import IO, Final, Generic, TypeVar

from twoleg.directory.importing.rows import MAX_TEXT, CannotRead, Refused, RefusedRow
from twoleg.directory.json_objects import storable
from twoleg.directory.phone_numbers import InvalidPhoneNumber, normalise
from twoleg.directory.wall_clock import UnknownZone, zone_of

MAX_COLUMNS: Final = 200
DELIMITERS: Final = ",;\t|"

PHONE_HEADERS: Final = (
    "phone phonenumber telephone mobile cell tel telefon telefonnummer handy contactphone"
    " contactphonenumber telefono telephonenumber number"
)
NAME_HEADERS: Final = (
    "name contact contactname patient client customer fullname patientname kunde nombre nom"
)
LANGUAGE_HEADERS: Final = "language lang sprache locale"
TIME_ZONE_HEADERS: Final = "timezone tz zone zeitzone"

_CHARSETS: Final = ("utf-8-sig", "cp1252")
"""What spreadsheets write: of a file that is no UTF-8 every byte is a sign of the second."""

_UNICODE_TEXT: Final = "utf-16"
"""What Excel calls so: it begins with a mark that no other file begins with."""

_PART_BYTES: Final = 256 * 1024
_NO_LETTER: Final = re.compile(r"[^a-z]")

Column = TypeVar("Column", bound=StrEnum)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Headers(Generic[Column]):
    """By which headers columns are known, and which a file must have.

    `usual` are headers in small letters, with nothing but letters; of each of `needed` a file has
    one column at least.
    """

    usual: Mapping[Column, str]
    needed: Sequence[tuple[Column, ...]]

    def columns(self, header: Sequence[str], named: Mapping[str, Column]) -> list[Column | None]:
        """Tell what each column holds; None: nothing that we know. Raises CannotRead."""
        if len(header) > MAX_COLUMNS:
            raise CannotRead(f"The file has more than {MAX_COLUMNS} columns.")
        unknown = [name for name in named if name not in header]
        if unknown:
            raise CannotRead(f"The file has no column {unknown[0]!r}; it has: {', '.join(header)}.")
        column_of = {each: column for column, known in self.usual.items() for each in known.split()}
        columns: list[Column | None] = []
        for name in header:
            known = column_of.get(_NO_LETTER.sub("", name.lower()))
            column = named.get(name, None if known in named.values() else known)
            columns.append(None if column in columns else column)
        for choice in self.needed:
            if not set(choice) & set(columns):
                raise CannotRead(
                    f"No column is known to hold the {choice[0]}: name it in columns, as in"
                    f' {{"HEADER": "{choice[0]}"}}. The file has: {", ".join(header)[:MAX_TEXT]}.'
                )
        return columns


@dataclass(frozen=True, slots=True)
class Cells(Generic[Column]):
    """The cells of one row, by what they hold."""

    cells: Mapping[Column | None, str]

    def text(self, column: Column, limit: int = MAX_TEXT) -> str | None:
        """Return the cell, trimmed; None where it is empty, or not there. Raises Refused."""
        cell = self.cells.get(column, "").strip()
        if len(cell) > limit:
            raise Refused(column, f"The {column} may have {limit} characters at most.")
        if not storable(cell):
            raise Refused(column, f"The {column} holds characters that cannot be stored.")
        return cell or None

    def needed(self, column: Column) -> str:
        """Return the cell, which must hold something. Raises Refused."""
        cell = self.text(column)
        if cell is None:
            raise Refused(column, f"The {column} is missing.")
        return cell

    def time_zone(self, column: Column) -> str | None:
        """Return the zone's name, if there is one. Raises Refused."""
        name = self.text(column)
        try:
            return None if name is None else zone_of(name).key
        except UnknownZone:
            raise Refused(
                column, f"The {column} must be one of the IANA database, such as Europe/Berlin."
            ) from None


def phone_number_of(text: str, column: StrEnum, country: str | None) -> str:
    """Return `text` of a cell of `column` as E.164. Raises Refused."""
    try:
        return normalise(text, country)
    except InvalidPhoneNumber:
        raise Refused(
            column,
            f"The {column} must be valid, with + and the country code where the import has no"
            " country.",
        ) from None


def read_table(
    lines: Iterable[str],
    headers: Headers[Column],
    named: Mapping[str, Column],
    row_of: Callable[[int, Cells[Column]], Row],
) -> Iterator[Row | RefusedRow]:
    """Yield what `row_of` makes of each row, which it may refuse; raises CannotRead.

    `named` maps headers of the file to columns; headers that it leaves out are known by their
    names. Rows are counted from 1, without the header.
    """
    every = iter(lines)
    first = next(every, "").removeprefix("\ufeff")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(chain((first,), every), delimiter=delimiter)
    try:
        columns = headers.columns(next(reader, []), named)
        for number, row in enumerate((row for row in reader if any(row)), start=1):
            yield _taken(number, dict(zip(columns, row, strict=False)), row_of)
    except csv.Error as error:
        # A quotation mark that nobody closed runs into this.
        raise CannotRead(f"Line {reader.line_num} is no CSV: {error}.") from error


def _taken(
    number: int,
    cells: Mapping[Column | None, str],
    row_of: Callable[[int, Cells[Column]], Row],
) -> Row | RefusedRow:
    try:
        return row_of(number, Cells(cells))
    except Refused as refused:
        values = {column: cell[:MAX_TEXT] for column, cell in cells.items() if column is not None}
        return RefusedRow(row=number, column=refused.column, message=refused.message, values=values)


def lines_of(file: IO[bytes]) -> Iterator[str]:
    """Give the lines of a file, which is at its start, in whichever charset it is.

    Lines end as they do in the file: with CR, LF or both.
    """
    text = TextIOWrapper(file, _charset(file), errors="replace", newline="")
    try:
        yield from text
    finally:
        # It is the caller's, who may have closed it before the last line was wanted.
        if not file.closed:
            text.detach()


def _charset(file: IO[bytes]) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        part = file.read(_PART_BYTES)
        if part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return _UNICODE_TEXT
        while part:
            decoder.decode(part)
            part = file.read(_PART_BYTES)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _CHARSETS[1]
    finally:
        file.seek(0)
    return _CHARSETS[0]
