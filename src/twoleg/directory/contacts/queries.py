"""The statements about contacts and their phone numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from twoleg.directory import owned_rows
from twoleg.directory.contacts.values import MAX_PHONE_NUMBERS, Contact
from twoleg.directory.errors import Invalid, NotFound
from twoleg.directory.json_objects import checked, merged
from twoleg.directory.owned_rows import Fields
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_all, fetch_one, run

_CONTACTS: Final = tables.contacts
_NUMBERS: Final = tables.contact_phone_numbers


async def list_contacts(
    connection: Connection,
    account_id: int,
    *,
    name: str | None = None,
    phone_number: str | None = None,
    opted_out: bool | None = None,
    after_id: int | None,
    limit: int,
) -> list[Contact]:
    """Return up to `limit` contacts by rising id; `phone_number` (E.164) is any of theirs."""
    statement = _shown(account_id).order_by(_CONTACTS.c.id).limit(min(limit, owned_rows.MAX_ROWS))
    if name is not None:
        statement = statement.where(_CONTACTS.c.name.icontains(name, autoescape=True))
    if phone_number is not None:
        who_has_it = select(_NUMBERS.c.contact_id).where(
            _NUMBERS.c.account_id == account_id, _NUMBERS.c.phone_number == phone_number
        )
        statement = statement.where(_CONTACTS.c.id.in_(who_has_it))
    if opted_out is not None:
        statement = statement.where(_CONTACTS.c.opted_out.is_(opted_out))
    if after_id is not None:
        statement = statement.where(_CONTACTS.c.id > after_id)
    return [_contact(row) for row in await fetch_all(connection, statement)]


async def find_contact(connection: Connection, account_id: int, contact_id: int) -> Contact:
    """Return the contact; raises NotFound."""
    row = await fetch_one(connection, _shown(account_id).where(_CONTACTS.c.id == contact_id))
    if row is None:
        raise NotFound("contacts", contact_id)
    return _contact(row)


async def create_contact(connection: Connection, account_id: int, fields: Fields) -> Contact:
    """Make a contact from one `phone_number`, `phone_numbers` or both; raises Invalid."""
    columns = dict(fields)
    numbers = list(columns.pop("phone_numbers", []))
    main = columns.get("phone_number") or next(iter(numbers), None)
    if main is None:
        raise Invalid("phone_number", "The phone_number field is required.")
    columns["phone_number"] = main
    row = await owned_rows.insert_row(connection, _CONTACTS, account_id, columns)
    await _add_numbers(connection, account_id, row["id"], [main, *numbers])
    return await find_contact(connection, account_id, row["id"])


async def change_contact(
    connection: Connection, account_id: int, contact_id: int, fields: Fields
) -> Contact:
    """Change the contact; raises NotFound or Invalid.

    `attributes` are merged; `phone_numbers` replaces all numbers, and its first becomes the main
    one where the main one is not among them; a `phone_number` alone is added to the others.
    """
    columns = dict(fields)
    numbers = columns.pop("phone_numbers", None)
    before = await owned_rows.lock_row(connection, _CONTACTS, account_id, contact_id)
    if "attributes" in columns:
        columns["attributes"] = _merged_attributes(before["attributes"], columns["attributes"])
    if numbers is not None:
        kept = before["phone_number"] if before["phone_number"] in numbers else numbers[0]
        columns.setdefault("phone_number", kept)
        mine = _NUMBERS.c.contact_id == contact_id
        await run(connection, delete(_NUMBERS).where(mine))
    main = columns.get("phone_number") or before["phone_number"]
    await owned_rows.update_row(connection, _CONTACTS, account_id, contact_id, columns)
    await _add_numbers(connection, account_id, contact_id, [main, *(numbers or [])])
    if main != before["phone_number"]:
        await _plan_anew(connection, contact_id)
    return await find_contact(connection, account_id, contact_id)


async def delete_contact(connection: Connection, account_id: int, contact_id: int) -> None:
    """Delete the contact; call records go on naming it. Raises NotFound."""
    await owned_rows.mark_deleted(connection, _CONTACTS, account_id, contact_id)


async def _plan_anew(connection: Connection, contact_id: int) -> None:
    """Have the contact's reminders planned anew: another number may be on another clock."""
    appointments = tables.appointments
    to_come = (appointments.c.contact_id == contact_id) & (appointments.c.starts_at > func.now())
    await run(connection, update(appointments).where(to_come).values(to_be_planned=True))


def _merged_attributes(before: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    try:
        return checked(merged(before, patch))
    except ValueError as error:
        raise Invalid("attributes", f"The attributes {error}.") from error


async def _add_numbers(
    connection: Connection, account_id: int, contact_id: int, numbers: Sequence[str]
) -> None:
    rows = [
        {"account_id": account_id, "contact_id": contact_id, "phone_number": number}
        for number in dict.fromkeys(numbers)
    ]
    await run(connection, insert(_NUMBERS).values(rows).on_conflict_do_nothing())
    mine = _NUMBERS.c.contact_id == contact_id
    count = await fetch_one(connection, select(func.count().label("numbers")).where(mine))
    if count is not None and count["numbers"] > MAX_PHONE_NUMBERS:
        raise Invalid(
            "phone_numbers", f"The phone_numbers may be {MAX_PHONE_NUMBERS} numbers at most."
        )


def _shown(account_id: int) -> Select[Any]:
    columns = [_CONTACTS.c[name] for name in Contact.__dataclass_fields__ if name in _CONTACTS.c]
    numbers = (
        select(_NUMBERS.c.phone_number)
        .where(_NUMBERS.c.contact_id == _CONTACTS.c.id)
        .order_by(_NUMBERS.c.phone_number != _CONTACTS.c.phone_number, _NUMBERS.c.phone_number)
    )
    return select(*columns, func.array(numbers.scalar_subquery()).label("phone_numbers")).where(
        _CONTACTS.c.account_id == account_id, _CONTACTS.c.deleted_at.is_(None)
    )


def _contact(row: Row) -> Contact:
    return Contact(**row)
