"""`/lines`: list, make, read, change, delete."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from twoleg.api.authentication import DirectoryReader, DirectoryWriter
from twoleg.api.lines.schemas import Line, LineChange, NewLine
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.state import DatabaseOf
from twoleg.api.values import Country, Id, Word, wanted_phone_number
from twoleg.directory.lines import change_line, create_line, delete_line, find_line, list_lines

PATH: Final = "/lines"

router = APIRouter(prefix=PATH, tags=["lines"])


@router.get("", response_model=Page[Line])
async def read_lines(
    principal: DirectoryReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    phone_number: Word | None = None,
    country: Country | None = None,
    trunk_id: Id | None = None,
) -> Any:
    """List lines in the order they were made."""
    async with database.connection() as connection:
        found = await list_lines(
            connection,
            principal.account_id,
            phone_number=wanted_phone_number(phone_number),
            country=country,
            trunk_id=trunk_id,
            after_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.post("", status_code=201, response_model=Line)
async def make_line(
    body: NewLine, principal: DirectoryWriter, database: DatabaseOf, response: Response
) -> Any:
    """Make a line."""
    async with database.connection() as connection:
        made = await create_line(connection, principal.account_id, body.given())
    created(response, PATH, made.id)
    return made


@router.get("/{line_id}", response_model=Line)
async def read_line(line_id: Id, principal: DirectoryReader, database: DatabaseOf) -> Any:
    """Read one line."""
    async with database.connection() as connection:
        return await find_line(connection, principal.account_id, line_id)


@router.patch("/{line_id}", response_model=Line)
async def edit_line(
    line_id: Id, body: LineChange, principal: DirectoryWriter, database: DatabaseOf
) -> Any:
    """Change the fields that are given."""
    async with database.connection() as connection:
        return await change_line(connection, principal.account_id, line_id, body.given())


@router.delete("/{line_id}", status_code=204)
async def remove_line(line_id: Id, principal: DirectoryWriter, database: DatabaseOf) -> None:
    """Delete a line; call records go on naming it."""
    async with database.connection() as connection:
        await delete_line(connection, principal.account_id, line_id)
