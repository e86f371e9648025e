"""The statements about ring groups and their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import Select, delete, func, insert, select, update

from twoleg.directory import owned_rows
from twoleg.directory.errors import Invalid, NotFound
from twoleg.directory.owned_rows import Fields
from twoleg.directory.ring_groups.values import RingGroup
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_all, fetch_one, run

_GROUPS: Final = tables.ring_groups
_MEMBERS: Final = tables.ring_group_members
_WAITING: Final = tables.waiting_calls
_CALLS: Final = tables.calls
_FALLBACK_TABLES: Final = {"user_id": tables.users, "ring_group_id": tables.ring_groups}


async def list_ring_groups(
    connection: Connection,
    account_id: int,
    *,
    name: str | None = None,
    user_id: int | None = None,
    after_id: int | None,
    limit: int,
) -> list[RingGroup]:
    """Return up to `limit` groups by rising id; `name` is any part of theirs."""
    statement = _shown(account_id).order_by(_GROUPS.c.id).limit(min(limit, owned_rows.MAX_ROWS))
    if name is not None:
        statement = statement.where(_GROUPS.c.name.icontains(name, autoescape=True))
    if user_id is not None:
        of_user = select(_MEMBERS.c.ring_group_id).where(_MEMBERS.c.user_id == user_id)
        statement = statement.where(_GROUPS.c.id.in_(of_user))
    if after_id is not None:
        statement = statement.where(_GROUPS.c.id > after_id)
    return [_ring_group(row) for row in await fetch_all(connection, statement)]


async def find_ring_group(connection: Connection, account_id: int, group_id: int) -> RingGroup:
    """Return the group; raises NotFound."""
    row = await fetch_one(connection, _shown(account_id).where(_GROUPS.c.id == group_id))
    if row is None:
        raise NotFound("ring_groups", group_id)
    return _ring_group(row)


async def create_ring_group(connection: Connection, account_id: int, fields: Fields) -> RingGroup:
    """Make a group; raises Invalid for users or a fallback that the account has not."""
    columns = dict(fields)
    user_ids = columns.pop("user_ids", [])
    await _check(connection, account_id, None, user_ids, columns.get("fallback"))
    row = await owned_rows.insert_row(connection, _GROUPS, account_id, columns)
    await _set_members(connection, row["id"], user_ids)
    return await find_ring_group(connection, account_id, row["id"])


async def change_ring_group(
    connection: Connection, account_id: int, group_id: int, fields: Fields
) -> RingGroup:
    """Change the group; `user_ids` replaces all of its users. Raises NotFound or Invalid."""
    columns = dict(fields)
    user_ids = columns.pop("user_ids", None)
    await owned_rows.lock_row(connection, _GROUPS, account_id, group_id)
    await _check(connection, account_id, group_id, user_ids or [], columns.get("fallback"))
    await owned_rows.update_row(connection, _GROUPS, account_id, group_id, columns)
    if user_ids is not None:
        await run(connection, delete(_MEMBERS).where(_MEMBERS.c.ring_group_id == group_id))
        await _set_members(connection, group_id, user_ids)
    return await find_ring_group(connection, account_id, group_id)


async def delete_ring_group(connection: Connection, account_id: int, group_id: int) -> None:
    """Delete the group, and as the fallback of others. Raises NotFound."""
    await owned_rows.mark_deleted(connection, _GROUPS, account_id, group_id)
    await _end_fallbacks(connection, account_id, {"ring_group_id": group_id})


async def leave_ring_groups(connection: Connection, account_id: int, user_id: int) -> None:
    """Take a user out of every group, and as the fallback of any."""
    await run(connection, delete(_MEMBERS).where(_MEMBERS.c.user_id == user_id))
    await _end_fallbacks(connection, account_id, {"user_id": user_id})


async def _end_fallbacks(connection: Connection, account_id: int, to: dict[str, int]) -> None:
    mine = _GROUPS.c.account_id == account_id
    is_it = _GROUPS.c.fallback == Jsonb(to)
    await run(connection, update(_GROUPS).where(mine, is_it).values(fallback=None))


async def _check(
    connection: Connection,
    account_id: int,
    group_id: int | None,
    user_ids: Sequence[int],
    fallback: dict[str, Any] | None,
) -> None:
    await owned_rows.require_ids(connection, tables.users, account_id, user_ids, field="user_ids")
    for name, id_ in (fallback or {}).items():
        if name == "ring_group_id" and id_ == group_id:
            raise Invalid("fallback", "The fallback may not be the ring group itself.")
        table = _FALLBACK_TABLES.get(name)
        if table is None:
            continue
        await owned_rows.require_ids(connection, table, account_id, [id_], field="fallback")


async def _set_members(connection: Connection, group_id: int, user_ids: Sequence[int]) -> None:
    if user_ids:
        rows = [
            {"ring_group_id": group_id, "user_id": user_id, "position": position}
            for position, user_id in enumerate(user_ids)
        ]
        await run(connection, insert(_MEMBERS).values(rows))


def _shown(account_id: int) -> Select[Any]:
    columns = [_GROUPS.c[name] for name in RingGroup.__dataclass_fields__ if name in _GROUPS.c]
    members = (
        select(_MEMBERS.c.user_id)
        .where(_MEMBERS.c.ring_group_id == _GROUPS.c.id)
        .order_by(_MEMBERS.c.position)
    )
    waiting = (
        select(func.count())
        .select_from(_WAITING.join(_CALLS, _CALLS.c.id == _WAITING.c.call_id))
        .where(_WAITING.c.ring_group_id == _GROUPS.c.id, _CALLS.c.ended_at.is_(None))
    )
    return select(
        *columns,
        func.array(members.scalar_subquery()).label("user_ids"),
        waiting.scalar_subquery().label("waiting"),
    ).where(_GROUPS.c.account_id == account_id, _GROUPS.c.deleted_at.is_(None))


def _ring_group(row: Row) -> RingGroup:
    return RingGroup(**row)
