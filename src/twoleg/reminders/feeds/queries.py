"""The statements about calendar feeds."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import func, select, update

from twoleg.directory import owned_rows
from twoleg.directory.errors import Invalid
from twoleg.directory.owned_rows import Fields
from twoleg.reminders.feeds.values import AppointmentFeed, FeedState
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_one, run

MAX_FEEDS: Final = 100
"""Of one account."""

_FEEDS: Final = tables.appointment_feeds
_APPOINTMENTS: Final = tables.appointments
_UNREAD: Final[dict[str, Any]] = {
    "etag": None,
    "last_modified": None,
    "read_at": None,
    "state": FeedState.UNKNOWN,
    "state_detail": None,
    "events": 0,
    "events_refused": 0,
}


async def list_feeds(
    connection: Connection, account_id: int, *, after_id: int | None, limit: int
) -> list[AppointmentFeed]:
    """Return up to `limit` feeds by rising id."""
    rows = await owned_rows.select_rows(
        connection, _FEEDS, account_id, after_id=after_id, limit=limit
    )
    return [feed_of(row) for row in rows]


async def find_feed(connection: Connection, account_id: int, feed_id: int) -> AppointmentFeed:
    """Return the feed; raises NotFound."""
    return feed_of(await owned_rows.find_row(connection, _FEEDS, account_id, feed_id))


async def create_feed(connection: Connection, account_id: int, fields: Fields) -> AppointmentFeed:
    """Make a feed, which is polled soon; raises Invalid for one too many, or another's plan."""
    await _check(connection, account_id, fields)
    mine = (_FEEDS.c.account_id == account_id) & _FEEDS.c.deleted_at.is_(None)
    count = await fetch_one(
        connection, select(func.count().label("feeds")).select_from(_FEEDS).where(mine)
    )
    if count is not None and count["feeds"] >= MAX_FEEDS:
        raise Invalid("url", f"An account may have {MAX_FEEDS} feeds at most: delete one first.")
    return feed_of(await owned_rows.insert_row(connection, _FEEDS, account_id, fields))


async def change_feed(
    connection: Connection, account_id: int, feed_id: int, fields: Fields
) -> AppointmentFeed:
    """Change the feed, and poll it soon; its appointments to come follow it to another plan.

    Raises NotFound or Invalid.
    """
    before = await owned_rows.lock_row(connection, _FEEDS, account_id, feed_id)
    await _check(connection, account_id, fields)
    changed = dict(fields)
    if any(name in fields and fields[name] != before[name] for name in ("url", "country")):
        changed |= _UNREAD
    if "time_zone" in fields and fields["time_zone"] != before["time_zone"]:
        changed |= _UNREAD
    if changed:
        changed["next_poll_at"] = func.now()
    if "reminder_plan_id" in fields:
        await _use_plan(connection, feed_id, fields["reminder_plan_id"])
    return feed_of(await owned_rows.update_row(connection, _FEEDS, account_id, feed_id, changed))


async def poll_soon(connection: Connection, account_id: int, feed_id: int) -> AppointmentFeed:
    """Have the feed polled by the next worker that has time. Raises NotFound."""
    fields = {"next_poll_at": func.now()}
    return feed_of(await owned_rows.update_row(connection, _FEEDS, account_id, feed_id, fields))


async def delete_feed(
    connection: Connection, account_id: int, feed_id: int, *, with_appointments: bool
) -> None:
    """Delete the feed, `with_appointments` also those of its that are to come. Raises NotFound."""
    await owned_rows.mark_deleted(connection, _FEEDS, account_id, feed_id)
    if with_appointments:
        statement = update(_APPOINTMENTS).where(_to_come(feed_id))
        await run(connection, statement.values(deleted_at=func.now(), to_be_planned=True))


async def _check(connection: Connection, account_id: int, fields: Fields) -> None:
    if (plan_id := fields.get("reminder_plan_id")) is not None:
        await owned_rows.require_ids(
            connection, tables.reminder_plans, account_id, [plan_id], field="reminder_plan_id"
        )


async def _use_plan(connection: Connection, feed_id: int, plan_id: int | None) -> None:
    other = _APPOINTMENTS.c.reminder_plan_id.is_distinct_from(plan_id)
    statement = update(_APPOINTMENTS).where(_to_come(feed_id), other)
    await run(connection, statement.values(reminder_plan_id=plan_id, to_be_planned=True))


def _to_come(feed_id: int) -> Any:
    columns = _APPOINTMENTS.c
    return (
        (columns.feed_id == feed_id)
        & columns.deleted_at.is_(None)
        & (columns.starts_at > func.now())
    )


def feed_of(row: Row) -> AppointmentFeed:
    """Return the feed that a row holds."""
    return AppointmentFeed(**{name: row[name] for name in AppointmentFeed.__dataclass_fields__})
