"""The statements about appointments."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, ScalarSelect, Select, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql import func

from twoleg.directory import owned_rows
from twoleg.directory.errors import Conflict, NotFound
from twoleg.directory.owned_rows import Fields
from twoleg.directory.wall_clock import wall_and_instant, zone_of
from twoleg.reminders.appointments.values import (
    Appointment,
    AppointmentFilter,
    AppointmentStatus,
    ReminderState,
)
from twoleg.reminders.planning import plan_appointments
from twoleg.reminders.timing import Dropped
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import fetch_all, fetch_one, run

_APPOINTMENTS: Final = tables.appointments
_REMINDERS: Final = tables.reminders
_REFERENCES: Final = {"contact_id": tables.contacts, "reminder_plan_id": tables.reminder_plans}
_STORED: Final = [
    _APPOINTMENTS.c[name]
    for name in Appointment.__dataclass_fields__
    if name not in ("reminders", "attempts")
]


async def list_appointments(
    connection: Connection,
    account_id: int,
    wanted: AppointmentFilter,
    *,
    after_id: int | None,
    limit: int,
) -> list[Appointment]:
    """Return up to `limit` appointments by rising id."""
    statement = (
        _shown(account_id)
        .where(*conditions_of(wanted, after_id))
        .order_by(_APPOINTMENTS.c.id)
        .limit(min(limit, owned_rows.MAX_ROWS))
    )
    return [Appointment(**row) for row in await fetch_all(connection, statement)]


def conditions_of(wanted: AppointmentFilter, after_id: int | None) -> list[ColumnElement[bool]]:
    """Return what holds of the appointments that are wanted, behind `after_id`."""
    columns = _APPOINTMENTS.c
    conditions: list[ColumnElement[bool]] = [
        columns[name] == value
        for name in ("contact_id", "reminder_plan_id", "external_id", "status")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.starts_from is not None:
        conditions.append(columns.starts_at >= wanted.starts_from)
    if wanted.starts_before is not None:
        conditions.append(columns.starts_at < wanted.starts_before)
    if after_id is not None:
        conditions.append(columns.id > after_id)
    return conditions


async def find_appointment(
    connection: Connection, account_id: int, appointment_id: int
) -> Appointment:
    """Return the appointment; raises NotFound."""
    mine = _shown(account_id).where(_APPOINTMENTS.c.id == appointment_id)
    row = await fetch_one(connection, mine)
    if row is None:
        raise NotFound("appointments", appointment_id)
    return Appointment(**row)


async def create_appointment(
    connection: Connection, account_id: int, fields: Fields
) -> Appointment:
    """Make an appointment and plan its reminders, by the default plan where it names none.

    Raises Invalid, and Conflict where its `external_id` is another's.
    """
    columns = dict(fields)
    await _check(connection, account_id, columns)
    if "reminder_plan_id" not in columns:
        columns["reminder_plan_id"] = await default_plan(connection, account_id)
    columns["time_zone"] = columns.get("time_zone") or await _account_zone(connection, account_id)
    _read_start(columns, columns["time_zone"])
    await _have_no_double(connection, account_id, columns.get("external_id"), None)
    row = await owned_rows.insert_row(connection, _APPOINTMENTS, account_id, columns)
    await plan_appointments(connection, [row["id"]])
    return await find_appointment(connection, account_id, row["id"])


async def change_appointment(
    connection: Connection, account_id: int, appointment_id: int, fields: Fields
) -> Appointment:
    """Change the appointment, and move its reminders with it.

    One that is moved is to be reminded of anew, whatever was answered before, unless `fields` says
    otherwise. Raises NotFound, Invalid, Conflict.
    """
    columns = dict(fields)
    before = await owned_rows.lock_row(connection, _APPOINTMENTS, account_id, appointment_id)
    await _check(connection, account_id, columns)
    if "wall_starts_at" in columns or "time_zone" in columns:
        columns.setdefault("wall_starts_at", before["wall_starts_at"])
        _read_start(columns, columns.get("time_zone") or before["time_zone"])
    columns["to_be_planned"] = True
    if columns.get("starts_at", before["starts_at"]) != before["starts_at"]:
        columns.setdefault("status", AppointmentStatus.SCHEDULED)
    if "status" in columns and columns["status"] != before["status"]:
        columns |= {"status_at": func.now(), "status_call_id": None}
    if "external_id" in columns:
        await _have_no_double(connection, account_id, columns["external_id"], appointment_id)
    await owned_rows.update_row(connection, _APPOINTMENTS, account_id, appointment_id, columns)
    await plan_appointments(connection, [appointment_id])
    return await find_appointment(connection, account_id, appointment_id)


async def delete_appointment(connection: Connection, account_id: int, appointment_id: int) -> None:
    """Delete the appointment; nobody is reminded of it any more. Raises NotFound."""
    await owned_rows.mark_deleted(connection, _APPOINTMENTS, account_id, appointment_id)
    dropped = {"state": ReminderState.DROPPED, "reason": Dropped.APPOINTMENT_CANCELLED}
    of_it = _REMINDERS.c.appointment_id == appointment_id
    planned = _REMINDERS.c.state == ReminderState.PLANNED
    await run(connection, update(_REMINDERS).where(of_it, planned).values(due_at=None, **dropped))


async def default_plan(connection: Connection, account_id: int) -> int | None:
    """Return the plan for appointments that name none."""
    plans = tables.reminder_plans.c
    mine = (plans.account_id == account_id) & plans.is_default & plans.deleted_at.is_(None)
    row = await fetch_one(connection, select(plans.id).where(mine))
    return None if row is None else int(row["id"])


async def _check(connection: Connection, account_id: int, fields: Fields) -> None:
    for name, table in _REFERENCES.items():
        if (id_ := fields.get(name)) is not None:
            await owned_rows.require_ids(connection, table, account_id, [id_], field=name)


async def _have_no_double(
    connection: Connection, account_id: int, external_id: str | None, appointment_id: int | None
) -> None:
    if external_id is None:
        return
    columns = _APPOINTMENTS.c
    statement = select(columns.id).where(
        columns.account_id == account_id,
        columns.feed_id.is_(None),
        columns.external_id == external_id,
        columns.deleted_at.is_(None),
        columns.id.is_distinct_from(appointment_id),
    )
    if await fetch_one(connection, statement) is not None:
        raise Conflict("external_id", "The external_id has already been taken.")


async def _account_zone(connection: Connection, account_id: int) -> str:
    accounts = tables.accounts.c
    row = await fetch_one(connection, select(accounts.time_zone).where(accounts.id == account_id))
    return "UTC" if row is None else str(row["time_zone"])


def _read_start(columns: dict[str, Any], time_zone: str) -> None:
    """Have both times of the start, whether it was given as wall time or as an instant."""
    zone, given = zone_of(time_zone), columns["wall_starts_at"]
    columns["wall_starts_at"], columns["starts_at"] = wall_and_instant(given, zone)


def _shown(account_id: int) -> Select[Any]:
    reminders = _REMINDERS.c
    reminder = func.jsonb_build_object(
        "moment", reminders.moment, "state", reminders.state, "due_at", reminders.due_at,
        "attempts", reminders.attempts, "reason", reminders.reason,
    )  # fmt: skip
    attempts, calls = tables.reminder_attempts.c, tables.calls.c
    attempt = func.jsonb_build_object(
        "call_id", attempts.call_id, "moment", reminders.moment, "placed_at", attempts.placed_at,
        "ended_at", calls.ended_at, "outcome", calls.outcome, "answer", attempts.answer,
    )  # fmt: skip
    called = tables.reminder_attempts.join(
        _REMINDERS, attempts.reminder_id == _REMINDERS.c.id
    ).join(tables.calls, attempts.call_id == calls.id)
    return select(
        *_STORED,
        _every(reminder, reminders.moment, _REMINDERS).label("reminders"),
        _every(attempt, attempts.call_id, called).label("attempts"),
    ).where(_APPOINTMENTS.c.account_id == account_id, _APPOINTMENTS.c.deleted_at.is_(None))


def _every(
    shown: ColumnElement[Any], order: ColumnElement[Any], source: FromClause
) -> ScalarSelect[Any]:
    """Return what `source` has of an appointment, as a list of JSON objects."""
    listed = func.jsonb_agg(aggregate_order_by(shown, order))
    return (
        select(func.coalesce(listed, func.jsonb_build_array()))
        .select_from(source)
        .where(_REMINDERS.c.appointment_id == _APPOINTMENTS.c.id)
        .scalar_subquery()
    )
