"""`/imports`, and where files are sent: see how far they are, read what was refused."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from typing import IO, Any, Final

from fastapi import APIRouter, Request, Response

from twoleg.api.authentication import (
    AppointmentWriter,
    DirectoryWriter,
    ImportReader,
    Principal,
)
from twoleg.api.bodies import BodyTooLarge
from twoleg.api.errors import FieldErrors
from twoleg.api.imports.schemas import ColumnsJson, Import, RefusedRow, columns_of
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.state import DatabaseOf
from twoleg.api.values import Country, Id, TimeZone
from twoleg.calls.requests import selected_is_invalid
from twoleg.directory import NotFound
from twoleg.directory.accounts import find_account
from twoleg.directory.contacts.importing import Column as ContactColumn
from twoleg.directory.importing.imports import (
    MAX_BYTES,
    PART_BYTES,
    ImportKind,
    TooLarge,
    begin_import,
    find_import,
    list_imports,
    list_refusals,
)
from twoleg.directory.tokens import Scope
from twoleg.reminders.importing.csv_rows import Column as AppointmentColumn
from twoleg.reminders.plans import find_plan
from twoleg.store import Database
from twoleg.store.database import Connection

PATH: Final = "/imports"
_IN_MEMORY: Final = 1024 * 1024
"""Bytes of a file that are not put on disk while they come."""

_APPOINTMENTS: Final = {
    "text/csv": ImportKind.APPOINTMENTS_CSV,
    "text/calendar": ImportKind.APPOINTMENTS_CALENDAR,
}
_CONTACTS: Final = {"text/csv": ImportKind.CONTACTS_CSV}
_SCOPES: Final = {
    ImportKind.APPOINTMENTS_CSV: Scope.APPOINTMENTS_READ,
    ImportKind.APPOINTMENTS_CALENDAR: Scope.APPOINTMENTS_READ,
    ImportKind.CONTACTS_CSV: Scope.DIRECTORY_READ,
}
"""What a token needs to read of an import."""

router = APIRouter(tags=["imports"])


def _body(examples: Mapping[str, str]) -> dict[str, Any]:
    """Describe a body that is a file of one of these types."""
    content = {
        kind: {"schema": {"type": "string"}, "examples": {"file": {"value": example}}}
        for kind, example in examples.items()
    }
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/appointments/import",
    status_code=202,
    response_model=Import,
    openapi_extra=_body(
        {
            "text/csv": "name,phone,start\nEva,+18181276543,2026-06-10 10:00\n",
            "text/calendar": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n",
        }
    ),
)
async def import_appointments(
    request: Request,
    principal: AppointmentWriter,
    database: DatabaseOf,
    response: Response,
    dry_run: bool = False,
    reminder_plan_id: Id | None = None,
    time_zone: TimeZone | None = None,
    country: Country | None = None,
    columns: ColumnsJson = None,
) -> Any:
    """Take in appointments from a CSV or iCalendar file, which is the body.

    The reply comes at once; `/imports/{id}` tells how far it is. The same file twice makes nothing
    twice.
    """
    kind = _kind_of(request, _APPOINTMENTS)
    options: dict[str, Any] = {
        "dry_run": dry_run,
        "columns": columns_of(columns, AppointmentColumn),
        "country": country,
    }
    async with database.connection() as connection:
        account = await find_account(connection, principal.account_id)
        if reminder_plan_id is not None:
            await _require_plan(connection, principal, reminder_plan_id)
    options |= {
        "reminder_plan_id": reminder_plan_id,
        "time_zone": time_zone or account.time_zone,
    }
    begun = await _begun(database, principal, kind, options, request)
    created(response, PATH, begun.id)
    return begun


@router.post(
    "/contacts/import",
    status_code=202,
    response_model=Import,
    openapi_extra=_body({"text/csv": "name,phone,language\nEva,+18181276543,de\n"}),
)
async def import_contacts(
    request: Request,
    principal: DirectoryWriter,
    database: DatabaseOf,
    response: Response,
    dry_run: bool = False,
    country: Country | None = None,
    columns: ColumnsJson = None,
) -> Any:
    """Take in contacts from a CSV file, which is the body.

    The reply comes at once; `/imports/{id}` tells how far it is. A contact is found by its phone
    number: the same file twice makes nothing twice, and nobody who opted out is opted in again.
    """
    kind = _kind_of(request, _CONTACTS)
    options = {
        "dry_run": dry_run,
        "columns": columns_of(columns, ContactColumn),
        "country": country,
    }
    begun = await _begun(database, principal, kind, options, request)
    created(response, PATH, begun.id)
    return begun


def _kind_of(request: Request, kinds: Mapping[str, ImportKind]) -> ImportKind:
    """Return what the body is said to be. Raises FieldErrors."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in kinds:
        message = f"The body must be a file of {' or '.join(kinds)}, said by Content-Type."
        raise FieldErrors({"body": [message]})
    return kinds[content_type]


async def _require_plan(connection: Connection, principal: Principal, plan_id: int) -> None:
    try:
        await find_plan(connection, principal.account_id, plan_id)
    except NotFound as error:
        field = "reminder_plan_id"
        raise FieldErrors({field: selected_is_invalid(field)}) from error


async def _begun(
    database: Database,
    principal: Principal,
    kind: ImportKind,
    options: Mapping[str, Any],
    request: Request,
) -> Any:
    """Take the body whole, and then a connection: a client that is slow holds none meanwhile."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        async for chunk in request.stream():
            await asyncio.to_thread(file.write, chunk)
        file.seek(0)
        async with database.connection() as connection:
            try:
                return await begin_import(
                    connection, principal.account_id, kind, options, _parts(file)
                )
            except TooLarge as error:
                raise BodyTooLarge(MAX_BYTES) from error


async def _parts(file: IO[bytes]) -> AsyncIterator[bytes]:
    while part := await asyncio.to_thread(file.read, PART_BYTES):
        yield part


@router.get(PATH, response_model=Page[Import])
async def read_imports(
    principal: ImportReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
) -> Any:
    """List imports in the order they were made."""
    async with database.connection() as connection:
        found = await list_imports(
            connection,
            principal.account_id,
            _readable(principal),
            after_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.get(PATH + "/{import_id}", response_model=Import)
async def read_import(import_id: Id, principal: ImportReader, database: DatabaseOf) -> Any:
    """Read one import: how far it is, and what came of it."""
    async with database.connection() as connection:
        return await find_import(connection, principal.account_id, import_id, _readable(principal))


@router.get(PATH + "/{import_id}/refused", response_model=Page[RefusedRow])
async def read_refused_rows(
    import_id: Id,
    principal: ImportReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
) -> Any:
    """List the rows that were refused, each with the column that must be mended."""
    async with database.connection() as connection:
        await find_import(connection, principal.account_id, import_id, _readable(principal))
        found = await list_refusals(
            connection, import_id, after_id=position_of(cursor), limit=limit + 1
        )
    return page_of(found, limit, found)


def _readable(principal: Principal) -> list[ImportKind]:
    """Return the kinds of imports that the token may read."""
    return [kind for kind, scope in _SCOPES.items() if principal.may(scope)]
