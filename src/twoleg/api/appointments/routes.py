"""`/appointments`: list, make, read, change, delete."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from twoleg.api.appointments.schemas import (
    Appointment,
    AppointmentChange,
    ExternalId,
    NewAppointment,
)
from twoleg.api.authentication import AppointmentReader, AppointmentWriter
from twoleg.api.csv_replies import RESPONSES, csv_reply, wants_csv
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.state import DatabaseOf
from twoleg.api.values import Id, WantedTime
from twoleg.reminders.appointments import (
    AppointmentFilter,
    AppointmentStatus,
    change_appointment,
    create_appointment,
    delete_appointment,
    find_appointment,
    list_appointments,
)
from twoleg.reports.appointment_list import appointment_lines

PATH: Final = "/appointments"

router = APIRouter(prefix=PATH, tags=["appointments"])


def _wanted(
    contact_id: Id | None = None,
    reminder_plan_id: Id | None = None,
    external_id: ExternalId | None = None,
    status: AppointmentStatus | None = None,
    starts_from: WantedTime | None = None,
    starts_before: WantedTime | None = None,
) -> AppointmentFilter:
    return AppointmentFilter(
        contact_id=contact_id,
        reminder_plan_id=reminder_plan_id,
        external_id=external_id,
        status=status,
        starts_from=starts_from,
        starts_before=starts_before,
    )


Wanted = Annotated[AppointmentFilter, Depends(_wanted)]


@router.get("", response_model=Page[Appointment], responses=RESPONSES)
async def read_appointments(
    request: Request,
    principal: AppointmentReader,
    database: DatabaseOf,
    wanted: Wanted,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
) -> Any:
    """List appointments in the order they were made; `Accept: text/csv` gives all as CSV."""
    if wants_csv(request):
        lines = appointment_lines(database, principal.account_id, wanted)
        return await csv_reply(lines, "appointments", marked=False)
    async with database.connection() as connection:
        found = await list_appointments(
            connection,
            principal.account_id,
            wanted,
            after_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.get(".csv", responses=RESPONSES)
async def appointments_as_csv(
    principal: AppointmentReader, database: DatabaseOf, wanted: Wanted
) -> Any:
    """List appointments with what became of them, for a spreadsheet."""
    lines = appointment_lines(database, principal.account_id, wanted)
    return await csv_reply(lines, "appointments", marked=True)


@router.post("", status_code=201, response_model=Appointment)
async def make_appointment(
    body: NewAppointment, principal: AppointmentWriter, database: DatabaseOf, response: Response
) -> Any:
    """Make an appointment."""
    async with database.connection() as connection:
        made = await create_appointment(connection, principal.account_id, body.given())
    created(response, PATH, made.id)
    return made


@router.get("/{appointment_id}", response_model=Appointment)
async def read_appointment(
    appointment_id: Id, principal: AppointmentReader, database: DatabaseOf
) -> Any:
    """Read one appointment."""
    async with database.connection() as connection:
        return await find_appointment(connection, principal.account_id, appointment_id)


@router.patch("/{appointment_id}", response_model=Appointment)
async def edit_appointment(
    appointment_id: Id, body: AppointmentChange, principal: AppointmentWriter, database: DatabaseOf
) -> Any:
    """Change the fields that are given."""
    async with database.connection() as connection:
        return await change_appointment(
            connection, principal.account_id, appointment_id, body.given()
        )


@router.delete("/{appointment_id}", status_code=204)
async def remove_appointment(
    appointment_id: Id, principal: AppointmentWriter, database: DatabaseOf
) -> None:
    """Delete an appointment; nobody is reminded of it any more."""
    async with database.connection() as connection:
        await delete_appointment(connection, principal.account_id, appointment_id)
