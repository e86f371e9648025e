"""`/appointments/import` and `/imports`: send a file, see how far it is, read what was refused."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from twoleg.api.authentication import AppointmentReader, AppointmentWriter
from twoleg.api.bodies import BodyTooLarge
from twoleg.api.errors import FieldErrors
from twoleg.api.imports.schemas import ColumnsJson, Import, RefusedRow, columns_of
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.state import DatabaseOf
from twoleg.api.values import Country, Id, TimeZone
from twoleg.directory.accounts import find_account
from twoleg.reminders.importing.imports import (
    MAX_BYTES,
    ImportKind,
    TooLarge,
    begin_import,
    find_import,
    list_imports,
    list_refusals,
)
from twoleg.reminders.plans import find_plan

PATH: Final = "/imports"
_KINDS: Final = {
    "text/csv": ImportKind.APPOINTMENTS_CSV,
    "text/calendar": ImportKind.APPOINTMENTS_CALENDAR,
}

router = APIRouter(tags=["imports"])


@router.post(
    "/appointments/import",
    status_code=202,
    response_model=Import,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "string"}, "examples": {"file": {"value": example}}}
                for kind, example in (
                    ("text/csv", "name,phone,start\nEva,+18181276543,2026-06-10 10:00\n"),
                    ("text/calendar", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"),
                )
            },
        }
    },
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
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind = _KINDS.get(content_type)
    if kind is None:
        message = "The body must be a file of text/csv or text/calendar, said by Content-Type."
        raise FieldErrors({"body": [message]})
    options: dict[str, Any] = {"dry_run": dry_run, "columns": columns_of(columns)}
    async with database.connection() as connection:
        account = await find_account(connection, principal.account_id)
        if reminder_plan_id is not None:
            await find_plan(connection, principal.account_id, reminder_plan_id)
        options |= {
            "reminder_plan_id": reminder_plan_id,
            "time_zone": time_zone or account.time_zone,
            "country": country,
        }
        try:
            begun = await begin_import(
                connection, principal.account_id, kind, options, request.stream()
            )
        except TooLarge as error:
            raise BodyTooLarge(MAX_BYTES) from error
    created(response, PATH, begun.id)
    return begun


@router.get(PATH, response_model=Page[Import])
async def read_imports(
    principal: AppointmentReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
) -> Any:
    """List imports in the order they were made."""
    async with database.connection() as connection:
        found = await list_imports(
            connection, principal.account_id, after_id=position_of(cursor), limit=limit + 1
        )
    return page_of(found, limit, found)


@router.get(PATH + "/{import_id}", response_model=Import)
async def read_import(import_id: Id, principal: AppointmentReader, database: DatabaseOf) -> Any:
    """Read one import: how far it is, and what came of it."""
    async with database.connection() as connection:
        return await find_import(connection, principal.account_id, import_id)


@router.get(PATH + "/{import_id}/refused", response_model=Page[RefusedRow])
async def read_refused_rows(
    import_id: Id,
    principal: AppointmentReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
) -> Any:
    """List the rows that were refused, each with the column that must be mended."""
    async with database.connection() as connection:
        await find_import(connection, principal.account_id, import_id)
        found = await list_refusals(
            connection, import_id, after_id=position_of(cursor), limit=limit + 1
        )
    return page_of(found, limit, found)
