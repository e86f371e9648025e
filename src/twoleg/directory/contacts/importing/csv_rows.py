"""Contacts from a CSV file, as spreadsheets and customer lists have them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Final

from twoleg.directory.contacts.values import MAX_PHONE_NUMBERS, is_language_tag
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
from twoleg.directory.json_objects import MAX_BYTES, checked


class Column(StrEnum):
    """What a column of the file may hold."""

    NAME = "name"
    PHONE_NUMBER = "phone_number"
    PHONE_NUMBERS = "phone_numbers"
    """Further numbers, with comma, semicolon, bar or line break between."""

    TIME_ZONE = "time_zone"
    LANGUAGE = "language"
    OPTED_OUT = "opted_out"
    ATTRIBUTES = "attributes"
    """A JSON object."""


_HEADERS: Final = Headers(
    usual={
        Column.NAME: NAME_HEADERS,
        Column.PHONE_NUMBER: PHONE_HEADERS,
        Column.PHONE_NUMBERS: "phonenumbers phones othernumbers otherphones telefonnummern"
        " weiterenummern rufnummern",
        Column.TIME_ZONE: TIME_ZONE_HEADERS,
        Column.LANGUAGE: LANGUAGE_HEADERS,
        Column.OPTED_OUT: "optedout optout donotcall dnc nocalls unsubscribed abgemeldet"
        " nichtanrufen keineanrufe werbesperre",
        Column.ATTRIBUTES: "attributes customattributes attribute eigenschaften merkmale",
    },
    needed=((Column.PHONE_NUMBER, Column.PHONE_NUMBERS),),
)
_YES: Final = frozenset(["true", "yes", "y", "1", "x", "on", "ja", "j", "wahr"])
_NO: Final = frozenset(["false", "no", "n", "0", "off", "nein", "falsch"])
_BETWEEN_NUMBERS: Final = re.compile(r"[,;|\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedContact:
    """A contact as a row has it; what is None or empty the row does not say."""

    row: int
    """Counted from 1, without the header."""

    phone_number: str
    phone_numbers: tuple[str, ...] = ()
    """Further ones, each once, without the `phone_number`."""

    name: str | None = None
    time_zone: str | None = None
    language: str | None = None
    opted_out: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """As a client would send them: null removes one."""


def read_csv(
    lines: Iterable[str], columns: Mapping[str, Column], country: str | None
) -> Iterator[ImportedContact | RefusedRow]:
    """Yield one thing for each row of a CSV file. Raises CannotRead for a file that is none.

    `columns` maps headers of the file to columns; headers that it leaves out are known by their
    names. `country` (ISO 3166) is that of numbers without a country code.
    """
    return read_table(lines, _HEADERS, columns, partial(_contact, country))


def _contact(country: str | None, number: int, cells: Cells[Column]) -> ImportedContact:
    main, *further = _phone_numbers(cells, country)
    return ImportedContact(
        row=number,
        phone_number=main,
        phone_numbers=tuple(further),
        name=cells.text(Column.NAME, MAX_NAME),
        time_zone=cells.time_zone(Column.TIME_ZONE),
        language=_language(cells),
        opted_out=_opted_out(cells),
        attributes=_attributes(cells),
    )


def _phone_numbers(cells: Cells[Column], country: str | None) -> list[str]:
    """Return every number once, the main one first. Raises Refused."""
    main = cells.text(Column.PHONE_NUMBER)
    texts = _BETWEEN_NUMBERS.split(cells.text(Column.PHONE_NUMBERS) or "")
    numbers = [] if main is None else [phone_number_of(main, Column.PHONE_NUMBER, country)]
    numbers += [
        phone_number_of(text, Column.PHONE_NUMBERS, country)
        for text in map(str.strip, texts)
        if text
    ]
    if not numbers:
        raise Refused(Column.PHONE_NUMBER, "The phone_number is missing.")
    numbers = list(dict.fromkeys(numbers))
    if len(numbers) > MAX_PHONE_NUMBERS:
        raise too_many_numbers()
    return numbers


def too_many_numbers() -> Refused:
    """Return the refusal of a row that would give a contact more numbers than it may have."""
    return Refused(
        Column.PHONE_NUMBERS,
        f"The phone_numbers may be {MAX_PHONE_NUMBERS} numbers at most, the main one included.",
    )


def _language(cells: Cells[Column]) -> str | None:
    tag = cells.text(Column.LANGUAGE)
    if tag is not None and not is_language_tag(tag):
        raise Refused(Column.LANGUAGE, "The language must be a language tag, such as en or de-CH.")
    return tag


def _opted_out(cells: Cells[Column]) -> bool:
    word = (cells.text(Column.OPTED_OUT) or "no").lower()
    if word not in _YES | _NO:
        raise Refused(Column.OPTED_OUT, "The opted_out must be true or false, yes or no, 1 or 0.")
    return word in _YES


def _attributes(cells: Cells[Column]) -> Mapping[str, Any]:
    text = cells.text(Column.ATTRIBUTES, MAX_BYTES)
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Refused(
            Column.ATTRIBUTES, 'The attributes must be a JSON object, such as {"customer": "4711"}.'
        )
    try:
        return checked(value)
    except ValueError as error:
        raise Refused(Column.ATTRIBUTES, f"The attributes {error}.") from error
