"""`/contacts`: list, make, read, change, delete."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from twoleg.api.authentication import DirectoryReader, DirectoryWriter
from twoleg.api.contacts.schemas import Contact, ContactChange, NewContact
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.state import DatabaseOf
from twoleg.api.values import Id, Word, wanted_phone_number
from twoleg.directory.contacts import (
    change_contact,
    create_contact,
    delete_contact,
    find_contact,
    list_contacts,
)

PATH: Final = "/contacts"

router = APIRouter(prefix=PATH, tags=["contacts"])


@router.get("", response_model=Page[Contact])
async def read_contacts(
    principal: DirectoryReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    name: Word | None = None,
    phone_number: Word | None = None,
    opted_out: bool | None = None,
) -> Any:
    """List contacts in the order they were made."""
    async with database.connection() as connection:
        found = await list_contacts(
            connection,
            principal.account_id,
            name=name,
            phone_number=wanted_phone_number(phone_number),
            opted_out=opted_out,
            after_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.post("", status_code=201, response_model=Contact)
async def make_contact(
    body: NewContact, principal: DirectoryWriter, database: DatabaseOf, response: Response
) -> Any:
    """Make a contact."""
    async with database.connection() as connection:
        made = await create_contact(connection, principal.account_id, body.given())
    created(response, PATH, made.id)
    return made


@router.get("/{contact_id}", response_model=Contact)
async def read_contact(contact_id: Id, principal: DirectoryReader, database: DatabaseOf) -> Any:
    """Read one contact."""
    async with database.connection() as connection:
        return await find_contact(connection, principal.account_id, contact_id)


@router.patch("/{contact_id}", response_model=Contact)
async def edit_contact(
    contact_id: Id, body: ContactChange, principal: DirectoryWriter, database: DatabaseOf
) -> Any:
    """Change the fields that are given."""
    async with database.connection() as connection:
        return await change_contact(connection, principal.account_id, contact_id, body.given())


@router.delete("/{contact_id}", status_code=204)
async def remove_contact(contact_id: Id, principal: DirectoryWriter, database: DatabaseOf) -> None:
    """Delete a contact; call records go on naming it."""
    async with database.connection() as connection:
        await delete_contact(connection, principal.account_id, contact_id)
