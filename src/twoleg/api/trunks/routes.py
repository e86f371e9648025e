"""`/trunks`: list, make, read, change, delete."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from twoleg.api.authentication import DirectoryReader, DirectoryWriter
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.state import DatabaseOf
from twoleg.api.trunks.schemas import NewTrunk, Trunk, TrunkChange
from twoleg.api.values import Id, Word
from twoleg.directory.trunks import (
    change_trunk,
    create_trunk,
    delete_trunk,
    find_trunk,
    list_trunks,
)

PATH: Final = "/trunks"

router = APIRouter(prefix=PATH, tags=["trunks"])


@router.get("", response_model=Page[Trunk])
async def read_trunks(
    principal: DirectoryReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    name: Word | None = None,
    state: Word | None = None,
) -> Any:
    """List trunks in the order they were made."""
    async with database.connection() as connection:
        found = await list_trunks(
            connection,
            principal.account_id,
            name=name,
            state=state,
            after_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.post("", status_code=201, response_model=Trunk)
async def make_trunk(
    body: NewTrunk, principal: DirectoryWriter, database: DatabaseOf, response: Response
) -> Any:
    """Make a trunk."""
    async with database.connection() as connection:
        made = await create_trunk(connection, principal.account_id, body.given())
    created(response, PATH, made.id)
    return made


@router.get("/{trunk_id}", response_model=Trunk)
async def read_trunk(trunk_id: Id, principal: DirectoryReader, database: DatabaseOf) -> Any:
    """Read one trunk."""
    async with database.connection() as connection:
        return await find_trunk(connection, principal.account_id, trunk_id)


@router.patch("/{trunk_id}", response_model=Trunk)
async def edit_trunk(
    trunk_id: Id, body: TrunkChange, principal: DirectoryWriter, database: DatabaseOf
) -> Any:
    """Change the fields that are given."""
    async with database.connection() as connection:
        return await change_trunk(connection, principal.account_id, trunk_id, body.given())


@router.delete("/{trunk_id}", status_code=204)
async def remove_trunk(trunk_id: Id, principal: DirectoryWriter, database: DatabaseOf) -> None:
    """Delete a trunk; call records go on naming it."""
    async with database.connection() as connection:
        await delete_trunk(connection, principal.account_id, trunk_id)
