"""Appointments with what became of them, as a file for a spreadsheet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.sql import func

from twoleg.reminders.appointments.queries import conditions_of
from twoleg.reminders.appointments.values import AppointmentFilter
from twoleg.reports.csv_text import csv_line
from twoleg.store import Database, tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_all

PAGE: Final = 500
"""Appointments that are read at once. No connection is held while a slow reader takes them."""

_STORED: Final = (
    "external_id",
    "wall_starts_at",
    "time_zone",
    "duration_minutes",
    "place",
    "staff",
    "notes",
    "status",
    "status_at",
    "reminder_plan_id",
    "id",
)
# By names that an import knows, as far as it reads them.
_COLUMNS: Final = {
    "external_id": "external_id",
    "name": "name",
    "phone_number": "phone_number",
    "starts_at": "wall_starts_at",
    "time_zone": "time_zone",
    "duration_minutes": "duration_minutes",
    "place": "place",
    "staff": "staff",
    "notes": "notes",
    "status": "status",
    "status_at": "status_at",
    "calls": "calls",
    "last_called_at": "last_called_at",
    "last_answer": "last_answer",
    "reminder_plan_id": "reminder_plan_id",
    "twoleg_id": "id",
}


async def appointment_lines(
    database: Database, account_id: int, wanted: AppointmentFilter
) -> AsyncIterator[str]:
    """Give the appointments as lines of CSV, names first, by rising id.

    Raises DatabaseUnavailable, when the first line is asked for or later.
    """
    after_id: int | None = None
    header = csv_line(_COLUMNS)
    while True:
        async with database.connection() as connection:
            rows = await _page(connection, account_id, wanted, after_id)
        yield header + "".join(
            csv_line([row[column] for column in _COLUMNS.values()]) for row in rows
        )
        if len(rows) < PAGE:
            return
        header, after_id = "", rows[-1]["id"]


async def _page(
    connection: Connection, account_id: int, wanted: AppointmentFilter, after_id: int | None
) -> list[Row]:
    appointments, contacts = tables.appointments.c, tables.contacts.c
    statement = (
        select(
            *[appointments[name] for name in _STORED],
            contacts.name,
            contacts.phone_number,
            _of_calls("calls", func.count()),
            _of_calls("last_called_at", func.max(tables.reminder_attempts.c.placed_at)),
            _last_answer().label("last_answer"),
        )
        .select_from(tables.appointments.join(tables.contacts))
        .where(
            appointments.account_id == account_id,
            appointments.deleted_at.is_(None),
            *conditions_of(wanted, after_id),
        )
        .order_by(appointments.id)
        .limit(PAGE)
    )
    return await fetch_all(connection, statement)


def _of_calls(name: str, figure: Any) -> Any:
    return _attempts(figure).scalar_subquery().label(name)


def _last_answer() -> Any:
    attempts, calls = tables.reminder_attempts.c, tables.calls.c
    return (
        _attempts(func.coalesce(attempts.answer, calls.outcome))
        .order_by(attempts.call_id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _attempts(shown: Any) -> Select[Any]:
    attempts = tables.reminder_attempts
    return (
        select(shown)
        .select_from(
            attempts.join(tables.reminders, attempts.c.reminder_id == tables.reminders.c.id).join(
                tables.calls, attempts.c.call_id == tables.calls.c.id
            )
        )
        .where(tables.reminders.c.appointment_id == tables.appointments.c.id)
    )
