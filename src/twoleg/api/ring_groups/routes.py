"""`/ring-groups`: list, make, read, change, delete."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from twoleg.api.agent_numbers import check_agent_number
from twoleg.api.authentication import DirectoryReader, DirectoryWriter
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.ring_groups.schemas import NewRingGroup, RingGroup, RingGroupChange
from twoleg.api.state import DatabaseOf
from twoleg.api.values import Id, Word
from twoleg.directory.ring_groups import (
    change_ring_group,
    create_ring_group,
    delete_ring_group,
    find_ring_group,
    list_ring_groups,
)
from twoleg.store.database import Connection

PATH: Final = "/ring-groups"

router = APIRouter(prefix=PATH, tags=["ring groups"])


@router.get("", response_model=Page[RingGroup])
async def read_ring_groups(
    principal: DirectoryReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    name: Word | None = None,
    user_id: Id | None = None,
) -> Any:
    """List ring groups in the order they were made."""
    async with database.connection() as connection:
        found = await list_ring_groups(
            connection,
            principal.account_id,
            name=name,
            user_id=user_id,
            after_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.post("", status_code=201, response_model=RingGroup)
async def make_ring_group(
    body: NewRingGroup, principal: DirectoryWriter, database: DatabaseOf, response: Response
) -> Any:
    """Make a ring group."""
    given = body.given()
    async with database.connection() as connection:
        await _check_fallback(connection, principal.account_id, given)
        made = await create_ring_group(connection, principal.account_id, given)
    created(response, PATH, made.id)
    return made


@router.get("/{group_id}", response_model=RingGroup)
async def read_ring_group(group_id: Id, principal: DirectoryReader, database: DatabaseOf) -> Any:
    """Read one ring group."""
    async with database.connection() as connection:
        return await find_ring_group(connection, principal.account_id, group_id)


@router.patch("/{group_id}", response_model=RingGroup)
async def edit_ring_group(
    group_id: Id, body: RingGroupChange, principal: DirectoryWriter, database: DatabaseOf
) -> Any:
    """Change the fields that are given."""
    given = body.given()
    async with database.connection() as connection:
        await _check_fallback(connection, principal.account_id, given)
        return await change_ring_group(connection, principal.account_id, group_id, given)


@router.delete("/{group_id}", status_code=204)
async def remove_ring_group(group_id: Id, principal: DirectoryWriter, database: DatabaseOf) -> None:
    """Delete a ring group; call records go on naming it."""
    async with database.connection() as connection:
        await delete_ring_group(connection, principal.account_id, group_id)


async def _check_fallback(connection: Connection, account_id: int, given: dict[str, Any]) -> None:
    number = (given.get("fallback") or {}).get("phone_number")
    await check_agent_number(connection, account_id, "fallback.phone_number", number)
