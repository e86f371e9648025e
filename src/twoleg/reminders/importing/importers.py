"""How files of each kind are taken in, those of contacts too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import IO, Final

from twoleg.directory.contacts.importing import CONTACTS_CSV
from twoleg.directory.importing.csv_tables import lines_of
from twoleg.directory.importing.imports import Import, ImportKind
from twoleg.directory.importing.rows import RefusedRow, Stored
from twoleg.directory.importing.taking_in import Importer
from twoleg.reminders.appointments.queries import default_plan
from twoleg.reminders.importing.calendar_rows import CalendarOptions, read_calendar
from twoleg.reminders.importing.csv_rows import Column, CsvOptions, read_csv
from twoleg.reminders.importing.rows import ImportedAppointment
from twoleg.reminders.importing.storing import key_of, store_rows
from twoleg.store.database import Connection


def _read_csv(taken: Import, file: IO[bytes]) -> Iterator[ImportedAppointment | RefusedRow]:
    columns = {name: Column(each) for name, each in (taken.options.get("columns") or {}).items()}
    zone, country = taken.options["time_zone"], taken.options.get("country")
    options = CsvOptions(time_zone=zone, country=country, columns=columns)
    return read_csv(lines_of(file), options)


def _read_calendar(taken: Import, file: IO[bytes]) -> Iterator[ImportedAppointment | RefusedRow]:
    zone, country = taken.options["time_zone"], taken.options.get("country")
    options = CalendarOptions(time_zone=zone, country=country)
    return read_calendar(file.read(), options, datetime.now(UTC))


async def _store(
    connection: Connection, taken: Import, rows: Sequence[ImportedAppointment]
) -> Stored:
    plan_id = taken.options.get("reminder_plan_id")
    if plan_id is None:
        plan_id = await default_plan(connection, taken.account_id)
    return await store_rows(connection, taken.account_id, rows, plan_id=plan_id)


def _names(row: ImportedAppointment) -> tuple[tuple[object, ...]]:
    return (key_of(row),)


IMPORTERS: Final[Mapping[ImportKind, Importer]] = MappingProxyType(
    {
        ImportKind.APPOINTMENTS_CSV: Importer(_read_csv, _store, _names),
        ImportKind.APPOINTMENTS_CALENDAR: Importer(_read_calendar, _store, _names),
        ImportKind.CONTACTS_CSV: CONTACTS_CSV,
    }
)
