"""`/users`: list, make, read, change, delete."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from twoleg.api.agent_numbers import check_agent_number
from twoleg.api.authentication import DirectoryReader, DirectoryWriter
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.state import DatabaseOf
from twoleg.api.users.schemas import (
    EndpointList,
    NewUser,
    User,
    UserChange,
    UserShownOnce,
    shown_once,
)
from twoleg.api.values import Id, Word
from twoleg.directory.users import (
    Availability,
    change_user,
    create_user,
    delete_user,
    find_user,
    list_endpoints,
    list_users,
)

PATH: Final = "/users"

router = APIRouter(prefix=PATH, tags=["users"])


@router.get("", response_model=Page[User])
async def read_users(
    principal: DirectoryReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    name: Word | None = None,
    email: Word | None = None,
    availability: Availability | None = None,
) -> Any:
    """List users in the order they were made."""
    async with database.connection() as connection:
        found = await list_users(
            connection,
            principal.account_id,
            name=name,
            email=email,
            availability=availability,
            after_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.post("", status_code=201, response_model=UserShownOnce)
async def make_user(
    body: NewUser, principal: DirectoryWriter, database: DatabaseOf, response: Response
) -> Any:
    """Make a user; the SIP password is shown only in this reply."""
    given = body.given()
    async with database.connection() as connection:
        await check_agent_number(
            connection, principal.account_id, "phone_number", given.get("phone_number")
        )
        made = await create_user(connection, principal.account_id, given)
    created(response, PATH, made.user.id)
    return shown_once(made)


@router.get("/{user_id}", response_model=User)
async def read_user(user_id: Id, principal: DirectoryReader, database: DatabaseOf) -> Any:
    """Read one user."""
    async with database.connection() as connection:
        return await find_user(connection, principal.account_id, user_id)


@router.get("/{user_id}/endpoints", response_model=EndpointList)
async def read_endpoints(user_id: Id, principal: DirectoryReader, database: DatabaseOf) -> Any:
    """List the phones that are registered for a user now."""
    async with database.connection() as connection:
        return {"data": await list_endpoints(connection, principal.account_id, user_id)}


@router.patch("/{user_id}", response_model=UserShownOnce)
async def edit_user(
    user_id: Id, body: UserChange, principal: DirectoryWriter, database: DatabaseOf
) -> Any:
    """Change the fields that are given; a new SIP password is shown only in this reply."""
    given = body.given()
    async with database.connection() as connection:
        await check_agent_number(
            connection, principal.account_id, "phone_number", given.get("phone_number")
        )
        changed = await change_user(connection, principal.account_id, user_id, given)
    return shown_once(changed)


@router.delete("/{user_id}", status_code=204)
async def remove_user(user_id: Id, principal: DirectoryWriter, database: DatabaseOf) -> None:
    """Delete a user; call records go on naming it."""
    async with database.connection() as connection:
        await delete_user(connection, principal.account_id, user_id)
