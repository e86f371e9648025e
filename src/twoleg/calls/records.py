"""The read side of calls: what happened, with both legs and every event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from twoleg.calls.recordings.rows import RecordingRow, recordings_of
from twoleg.calls.states import Status

Connection = psycopg.AsyncConnection[Any]
# One more than the pages of the API, so that they see whether more follow.
MAX_PAGE: Final = 201


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRecord:
    """One SIP dialog of a call, or the attempt at one."""

    call_id: int
    role: str
    user_id: int | None
    to_uri: str | None
    trunk_id: int | None
    started_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    sip_status: int | None
    q850_cause: int | None
    reason: str | None
    codec: str | None
    quality: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One change of a call."""

    call_id: int
    sequence: int
    type: str
    at: datetime
    data: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """A call as it stands."""

    id: int
    status: str
    outcome: str | None
    ended_by: str | None
    failure: str | None
    source: str
    user_id: int | None
    ring_group_id: int | None
    contact_id: int | None
    line_id: int | None
    user_phone_number: str | None
    contact_phone_number: str | None
    line_phone_number: str | None
    created_at: datetime
    ended_at: datetime | None
    agent_ring_seconds: Decimal | None
    contact_ring_seconds: Decimal | None
    talk_seconds: Decimal | None
    total_seconds: Decimal | None
    answered_by: str | None
    answered_by_ms: int | None
    options: Mapping[str, Any] | None
    metadata: Mapping[str, Any] | None
    callback_url: str | None
    disposition: str | None
    notes: str | None
    legs: Sequence[LegRecord] = field(default=())
    events: Sequence[EventRecord] = field(default=())
    recording: RecordingRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls of an account; None does not narrow. `phone_number` is any party's, E.164."""

    status: str | None = None
    outcome: str | None = None
    answered_by: str | None = None
    disposition: str | None = None
    user_id: int | None = None
    ring_group_id: int | None = None
    contact_id: int | None = None
    line_id: int | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    phone_number: str | None = None


class CallPosition(NamedTuple):
    """Where a page of calls ends: those that follow were placed earlier."""

    created_at: datetime
    id: int


_CALL_COLUMNS: Final = [
    name for name in CallRecord.__dataclass_fields__ if name not in ("legs", "events", "recording")
]
_EQUAL: Final = (
    "status",
    "outcome",
    "answered_by",
    "disposition",
    "user_id",
    "ring_group_id",
    "contact_id",
    "line_id",
)
_CONDITIONS: Final = {name: f"{name} = %({name})s" for name in _EQUAL} | {
    "created_from": "created_at >= %(created_from)s",
    "created_to": "created_at < %(created_to)s",
}
# Of whom a number may be. Each has an index of its own; a call is found by the first that fits.
_NUMBERS: Final = (
    "contact_phone_number = %(phone_number)s",
    "line_phone_number = %(phone_number)s AND contact_phone_number <> %(phone_number)s",
    (
        "user_phone_number = %(phone_number)s"
        " AND %(phone_number)s NOT IN (contact_phone_number, line_phone_number)"
    ),
)
# Every index that a list is read by is of calls that have ended. So a call costs each of them one
# entry, when it ends; those that run are few and have an index by account.
_PART: Final = sql.SQL("""(
SELECT {columns} FROM calls WHERE {condition} ORDER BY created_at DESC, id DESC LIMIT %(limit)s)""")


async def find_call(connection: Connection, account_id: int, call_id: int) -> CallRecord | None:
    """Return the account's call with its legs and events, None where there is no such call."""
    condition = "account_id = %(account_id)s AND id = %(id)s"
    parameters = {"account_id": account_id, "id": call_id, "limit": 1}
    found = await _read(connection, _newest_of([condition]), parameters)
    return found[0] if found else None


async def list_calls(
    connection: Connection,
    account_id: int,
    wanted: CallFilter,
    *,
    before: CallPosition | None,
    limit: int,
) -> list[CallRecord]:
    """Return up to `limit` calls, newest first, beginning behind `before`."""
    return await _read(connection, *_list_statement(account_id, wanted, before, limit))


def _list_statement(
    account_id: int, wanted: CallFilter, before: CallPosition | None, limit: int
) -> tuple[sql.Composed, dict[str, Any]]:
    parameters: dict[str, Any] = {"account_id": account_id, "limit": min(limit, MAX_PAGE)}
    conditions = ["account_id = %(account_id)s"]
    if before is not None:
        parameters |= {"before_at": before.created_at, "before_id": before.id}
        # By the first of them the index is entered where the days that are wanted end later.
        conditions.append("created_at <= %(before_at)s")
        conditions.append("(created_at, id) < (%(before_at)s, %(before_id)s)")
    for name in CallFilter.__dataclass_fields__:
        value = getattr(wanted, name)
        if value is not None:
            parameters[name] = value
            conditions += [_CONDITIONS[name]] if name in _CONDITIONS else []
    common = " AND ".join(conditions)
    parts = [f"{common} AND {narrowed}" for narrowed in _parts(wanted)]
    return _newest_of(parts), parameters


def _parts(wanted: CallFilter) -> list[str]:
    """Return the conditions of which each call that is `wanted` meets one, by what finds it."""
    numbers = _NUMBERS if wanted.phone_number is not None else ("true",)
    parts = []
    if wanted.status in (None, Status.ENDED):
        parts += [f"ended_at IS NOT NULL AND {number}" for number in numbers]
    if wanted.status != Status.ENDED:
        parts += [f"ended_at IS NULL AND {number}" for number in numbers]
    return parts


def _newest_of(parts: Sequence[str]) -> sql.Composed:
    """Return the statement that reads the newest calls of those that meet one of `parts`."""
    columns = sql.SQL(", ").join(map(sql.Identifier, _CALL_COLUMNS))
    found_by = [_PART.format(columns=columns, condition=sql.SQL(part)) for part in parts]
    query = sql.SQL(" UNION ALL ").join(found_by)
    if len(parts) > 1:
        query += sql.SQL(" ORDER BY created_at DESC, id DESC LIMIT %(limit)s")
    return query


async def _read(
    connection: Connection, query: sql.Composed, parameters: Mapping[str, Any]
) -> list[CallRecord]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        # Planned for these very values: which index is best depends on how rare each of them is.
        await cursor.execute(query, parameters, prepare=False)
        rows = await cursor.fetchall()
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    legs = await _of_calls(connection, LegRecord, "legs", "position", ids)
    events = await _of_calls(connection, EventRecord, "call_events", "sequence", ids)
    recordings = await recordings_of(connection, ids)
    return [
        CallRecord(
            **row,
            legs=legs.get(row["id"], ()),
            events=events.get(row["id"], ()),
            recording=recordings.get(row["id"]),
        )
        for row in rows
    ]


async def _of_calls(
    connection: Connection, kind: type[Any], table: str, order: str, ids: Sequence[int]
) -> dict[int, list[Any]]:
    query = sql.SQL(
        "SELECT {columns} FROM {table} WHERE call_id = ANY(%s) ORDER BY call_id, {order}"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, kind.__dataclass_fields__)),
        table=sql.Identifier(table),
        order=sql.Identifier(order),
    )
    found: dict[int, list[Any]] = {}
    async with connection.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(query, (list(ids),))
        for each in await cursor.fetchall():
            found.setdefault(each.call_id, []).append(each)
    return found
