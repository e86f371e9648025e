"""Storing the contacts of a file: each row on what the rows before it left, a batch at a time.

A contact is found by any of its numbers, and of several the oldest is taken. A row changes what it
says, adds its numbers, and merges its attributes; it can opt a contact out, and never in again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from psycopg.rows import dict_row

from twoleg.directory.contacts.importing.csv_rows import (
    Column,
    ImportedContact,
    too_many_numbers,
)
from twoleg.directory.contacts.values import MAX_PHONE_NUMBERS
from twoleg.directory.importing.rows import Refused, RefusedRow, Stored
from twoleg.directory.importing.taking_in import lock_imports
from twoleg.directory.json_objects import checked, merged
from twoleg.store.database import Connection

_KNOWN: Final = """
SELECT c.id, c.name, c.phone_number, c.time_zone, c.language, c.opted_out, c.attributes, ARRAY(
  SELECT p.phone_number FROM contact_phone_numbers p WHERE p.contact_id = c.id) AS phone_numbers
FROM contacts c WHERE c.deleted_at IS NULL AND c.id IN (
  SELECT min(k.id) FROM contact_phone_numbers p JOIN contacts k ON k.id = p.contact_id
  WHERE p.account_id = %s AND p.phone_number = ANY(%s) AND k.deleted_at IS NULL
  GROUP BY p.phone_number)
ORDER BY c.id FOR UPDATE OF c
"""

_MAKE: Final = """
WITH new AS MATERIALIZED (
  SELECT nextval((SELECT pg_get_serial_sequence('contacts', 'id')::regclass)) AS new_id, *
  FROM jsonb_to_recordset(%(rows)s::jsonb) AS x(
    name text, phone_number text, time_zone text, language text, opted_out bool,
    attributes jsonb, phone_numbers text[])
), made AS (
  INSERT INTO contacts (id, account_id, name, phone_number, time_zone, language, opted_out,
    attributes) OVERRIDING SYSTEM VALUE
  SELECT new_id, %(account)s, name, phone_number, time_zone, language, opted_out, attributes
  FROM new
)
INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)
SELECT new_id, %(account)s, unnest(phone_numbers) FROM new
"""

_CHANGE: Final = """
WITH given AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS x(
    id bigint, name text, time_zone text, language text, opted_out bool, attributes jsonb,
    phone_numbers text[])
), changed AS (
  UPDATE contacts c SET name = g.name, time_zone = g.time_zone, language = g.language,
    opted_out = g.opted_out, attributes = g.attributes
  FROM given g WHERE c.id = g.id
)
INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)
SELECT id, %(account)s, unnest(phone_numbers) FROM given
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contact:
    id: int | None = None
    name: str | None
    phone_number: str
    time_zone: str | None
    language: str | None
    opted_out: bool
    attributes: Mapping[str, Any]
    phone_numbers: tuple[str, ...]

    def with_row(self, row: ImportedContact) -> _Contact:
        """Return the contact as `row` changes it. Raises Refused."""
        given = (row.phone_number, *row.phone_numbers)
        numbers = tuple(dict.fromkeys((*self.phone_numbers, *given)))
        if len(numbers) > MAX_PHONE_NUMBERS:
            raise too_many_numbers()
        try:
            attributes = checked(merged(self.attributes, row.attributes))
        except ValueError as error:
            raise Refused(
                Column.ATTRIBUTES, f"The attributes, with those of the contact, {error}."
            ) from error
        return replace(
            self,
            name=row.name or self.name,
            time_zone=row.time_zone or self.time_zone,
            language=row.language or self.language,
            opted_out=self.opted_out or row.opted_out,
            attributes=attributes,
            phone_numbers=numbers,
        )


class _Book:
    """The contacts that a batch is about, as they are after each of its rows."""

    def __init__(self, known: Iterable[_Contact]) -> None:
        self.before = list(known)
        self.now = list(self.before)
        self._place_of: dict[str, int] = {}
        for place, contact in enumerate(self.before):
            self._index(place, contact)

    def take(self, row: ImportedContact) -> tuple[_Contact | None, _Contact]:
        """Store a row; return its contact as it was, if it was there, and as it is.

        Raises Refused.
        """
        place = self._place_of.get(row.phone_number)
        if place is None:
            before, after = None, _new(row)
            place = len(self.now)
            self.now.append(after)
        else:
            before = self.now[place]
            after = self.now[place] = before.with_row(row)
        self._index(place, after)
        return before, after

    def made(self) -> list[_Contact]:
        return self.now[len(self.before) :]

    def changed(self) -> list[_Contact]:
        pairs = zip(self.before, self.now, strict=False)
        return [now for before, now in pairs if now != before]

    def _index(self, place: int, contact: _Contact) -> None:
        # Places rise with ids, and of contacts with one number the oldest is taken.
        for number in contact.phone_numbers:
            self._place_of[number] = min(place, self._place_of.get(number, place))


async def store_contacts(
    connection: Connection, account_id: int, rows: Sequence[ImportedContact]
) -> Stored:
    """Store a batch of rows in the caller's transaction."""
    await lock_imports(connection, account_id)
    book = _Book(await _known(connection, account_id, [row.phone_number for row in rows]))
    created = changed = 0
    refused: list[RefusedRow] = []
    for row in rows:
        try:
            before, after = book.take(row)
        except Refused as error:
            refused.append(_refused(row, error))
            continue
        created += before is None
        changed += before is not None and before != after
    for statement, contacts in ((_MAKE, book.made()), (_CHANGE, book.changed())):
        if contacts:
            given = json.dumps([asdict(each) for each in contacts])
            parameters = {"rows": given, "account": account_id}
            await connection.execute(statement, parameters, prepare=True)
    return Stored(created, changed, len(rows) - created - changed - len(refused), refused)


async def _known(connection: Connection, account_id: int, numbers: Sequence[str]) -> list[_Contact]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_KNOWN, (account_id, numbers), prepare=True)
        return [
            _Contact(**row | {"phone_numbers": tuple(row["phone_numbers"])})
            for row in await cursor.fetchall()
        ]


def _new(row: ImportedContact) -> _Contact:
    return _Contact(
        name=row.name,
        phone_number=row.phone_number,
        time_zone=row.time_zone,
        language=row.language,
        opted_out=row.opted_out,
        attributes=merged({}, row.attributes),
        phone_numbers=(row.phone_number, *row.phone_numbers),
    )


def _refused(row: ImportedContact, error: Refused) -> RefusedRow:
    values = {
        Column.NAME: row.name or "",
        Column.PHONE_NUMBER: row.phone_number,
        Column.PHONE_NUMBERS: ", ".join(row.phone_numbers),
        Column.ATTRIBUTES: json.dumps(row.attributes),
    }
    return RefusedRow(row=row.row, column=error.column, message=error.message, values=values)
