"""How files of contacts are taken in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Final

from twoleg.directory.contacts.importing.csv_rows import Column, ImportedContact, read_csv
from twoleg.directory.contacts.importing.storing import store_contacts
from twoleg.directory.importing.csv_tables import lines_of
from twoleg.directory.importing.imports import Import
from twoleg.directory.importing.rows import RefusedRow, Stored
from twoleg.directory.importing.taking_in import Importer
from twoleg.store.database import Connection


def _read(taken: Import, file: IO[bytes]) -> Iterator[ImportedContact | RefusedRow]:
    columns = {name: Column(each) for name, each in (taken.options.get("columns") or {}).items()}
    return read_csv(lines_of(file), columns, taken.options.get("country"))


async def _store(connection: Connection, taken: Import, rows: Sequence[ImportedContact]) -> Stored:
    return await store_contacts(connection, taken.account_id, rows)


def _names(row: ImportedContact) -> tuple[str, ...]:
    return (row.phone_number, *row.phone_numbers)


CONTACTS_CSV: Final = Importer(_read, _store, _names)
