"""The statements about reminder plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select, update

from twoleg.directory import owned_rows
from twoleg.directory.errors import Invalid
from twoleg.directory.owned_rows import Fields
from twoleg.reminders.plans.values import US_QUIET_HOURS, ReminderPlan, Voicemail
from twoleg.speech import Template, TemplateError
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_one, run

_PLANS: Final = tables.reminder_plans
_REFERENCES: Final = {
    "line_id": tables.lines,
    "ring_group_id": tables.ring_groups,
    "prompt_id": tables.prompts,
    "voicemail_prompt_id": tables.prompts,
}


async def list_plans(
    connection: Connection,
    account_id: int,
    *,
    name: str | None = None,
    after_id: int | None,
    limit: int,
) -> list[ReminderPlan]:
    """Return up to `limit` plans by rising id; `name` is any part of theirs."""
    conditions = [] if name is None else [_PLANS.c.name.icontains(name, autoescape=True)]
    rows = await owned_rows.select_rows(
        connection, _PLANS, account_id, *conditions, after_id=after_id, limit=limit
    )
    return [_plan(row) for row in rows]


async def find_plan(connection: Connection, account_id: int, plan_id: int) -> ReminderPlan:
    """Return the plan; raises NotFound."""
    return _plan(await owned_rows.find_row(connection, _PLANS, account_id, plan_id))


async def create_plan(connection: Connection, account_id: int, fields: Fields) -> ReminderPlan:
    """Make a plan; raises Invalid for what does not fit together, or is not the account's.

    One that is given no quiet hours has the account's, or else `US_QUIET_HOURS`.
    """
    await _check(connection, account_id, fields)
    _check_speech(fields)
    await _be_the_only_default(connection, account_id, fields)
    columns = dict(fields)
    if "quiet_hours" not in columns and not await _has_quiet_hours(connection, account_id):
        columns["quiet_hours"] = dict(US_QUIET_HOURS)
    return _plan(await owned_rows.insert_row(connection, _PLANS, account_id, columns))


async def change_plan(
    connection: Connection, account_id: int, plan_id: int, fields: Fields
) -> ReminderPlan:
    """Change the plan, and with it the reminders that are not called yet.

    Raises NotFound or Invalid.
    """
    before = await owned_rows.lock_row(connection, _PLANS, account_id, plan_id)
    await _check(connection, account_id, fields)
    if fields.get("active"):
        # Its line may be gone by now.
        await _check(connection, account_id, {"line_id": fields.get("line_id", before["line_id"])})
    _check_speech(before | dict(fields))
    await _be_the_only_default(connection, account_id, fields)
    return _plan(await owned_rows.update_row(connection, _PLANS, account_id, plan_id, fields))


async def delete_plan(connection: Connection, account_id: int, plan_id: int) -> None:
    """Delete the plan; its reminders that are not called yet are dropped. Raises NotFound."""
    await owned_rows.mark_deleted(connection, _PLANS, account_id, plan_id)


async def _check(connection: Connection, account_id: int, fields: Fields) -> None:
    for name, table in _REFERENCES.items():
        if (id_ := fields.get(name)) is not None:
            await owned_rows.require_ids(connection, table, account_id, [id_], field=name)


def _check_texts(fields: Mapping[str, Any]) -> None:
    for name in ("text", "voicemail_text"):
        try:
            Template.parse(fields.get(name) or "")
        except TemplateError as error:
            raise Invalid(name, f"The {name} {error.message}.") from error


def _check_speech(fields: Mapping[str, Any]) -> None:
    """Have one thing to say, and one for machines if they get a message."""
    _check_texts(fields)
    if (fields.get("text") is None) == (fields.get("prompt_id") is None):
        raise Invalid("text", "Give either a text or a prompt_id: what the contact hears.")
    texts = (fields.get("voicemail_text"), fields.get("voicemail_prompt_id"))
    if fields.get("voicemail") == Voicemail.MESSAGE and texts == (None, None):
        raise Invalid(
            "voicemail_text", "A voicemail message needs a voicemail_text or a voicemail_prompt_id."
        )


async def _be_the_only_default(connection: Connection, account_id: int, fields: Fields) -> None:
    if fields.get("is_default"):
        others = (_PLANS.c.account_id == account_id) & _PLANS.c.is_default
        await run(connection, update(_PLANS).where(others).values(is_default=False))


async def _has_quiet_hours(connection: Connection, account_id: int) -> bool:
    accounts = tables.accounts.c
    row = await fetch_one(connection, select(accounts.quiet_hours).where(accounts.id == account_id))
    return row is not None and row["quiet_hours"] is not None


def _plan(row: Row) -> ReminderPlan:
    return ReminderPlan(**{name: row[name] for name in ReminderPlan.__dataclass_fields__})
