"""`/reminder-plans`: list, make, read, change, delete."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from twoleg.api.authentication import AppointmentReader, AppointmentWriter
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.reminder_plans.schemas import NewReminderPlan, ReminderPlan, ReminderPlanChange
from twoleg.api.state import DatabaseOf
from twoleg.api.values import Id, Word
from twoleg.reminders.plans import (
    change_plan,
    create_plan,
    delete_plan,
    find_plan,
    list_plans,
)

PATH: Final = "/reminder-plans"

router = APIRouter(prefix=PATH, tags=["reminder plans"])


@router.get("", response_model=Page[ReminderPlan])
async def read_reminder_plans(
    principal: AppointmentReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    name: Word | None = None,
) -> Any:
    """List reminder plans in the order they were made."""
    async with database.connection() as connection:
        found = await list_plans(
            connection,
            principal.account_id,
            name=name,
            after_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.post("", status_code=201, response_model=ReminderPlan)
async def make_reminder_plan(
    body: NewReminderPlan, principal: AppointmentWriter, database: DatabaseOf, response: Response
) -> Any:
    """Make a reminder plan."""
    async with database.connection() as connection:
        made = await create_plan(connection, principal.account_id, body.given())
    created(response, PATH, made.id)
    return made


@router.get("/{plan_id}", response_model=ReminderPlan)
async def read_reminder_plan(
    plan_id: Id, principal: AppointmentReader, database: DatabaseOf
) -> Any:
    """Read one reminder plan."""
    async with database.connection() as connection:
        return await find_plan(connection, principal.account_id, plan_id)


@router.patch("/{plan_id}", response_model=ReminderPlan)
async def edit_reminder_plan(
    plan_id: Id, body: ReminderPlanChange, principal: AppointmentWriter, database: DatabaseOf
) -> Any:
    """Change the fields that are given."""
    async with database.connection() as connection:
        return await change_plan(connection, principal.account_id, plan_id, body.given())


@router.delete("/{plan_id}", status_code=204)
async def remove_reminder_plan(
    plan_id: Id, principal: AppointmentWriter, database: DatabaseOf
) -> None:
    """Delete a reminder plan; its reminders that are not called yet are dropped."""
    async with database.connection() as connection:
        await delete_plan(connection, principal.account_id, plan_id)
