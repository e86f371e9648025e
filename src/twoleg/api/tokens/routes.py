"""`/tokens`: list, make, read, change, delete."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from twoleg.api.authentication import Administrator
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.state import DatabaseOf
from twoleg.api.tokens.schemas import NewToken, Token, TokenChange, TokenShownOnce, shown_once
from twoleg.api.values import Id
from twoleg.directory.tokens import (
    change_token,
    create_token,
    delete_token,
    find_token,
    list_tokens,
)

PATH: Final = "/tokens"

router = APIRouter(prefix=PATH, tags=["tokens"])


@router.get("", response_model=Page[Token])
async def read_tokens(
    principal: Administrator,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
) -> Any:
    """List tokens in the order they were made."""
    async with database.connection() as connection:
        found = await list_tokens(
            connection,
            principal.account_id,
            after_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.post("", status_code=201, response_model=TokenShownOnce)
async def make_token(
    body: NewToken, principal: Administrator, database: DatabaseOf, response: Response
) -> Any:
    """Make a token; it is shown only in this reply."""
    async with database.connection() as connection:
        made = await create_token(connection, principal.account_id, body.given())
    created(response, PATH, made.token.id)
    return shown_once(made)


@router.get("/{token_id}", response_model=Token)
async def read_token(token_id: Id, principal: Administrator, database: DatabaseOf) -> Any:
    """Read one token."""
    async with database.connection() as connection:
        return await find_token(connection, principal.account_id, token_id)


@router.patch("/{token_id}", response_model=Token)
async def edit_token(
    token_id: Id, body: TokenChange, principal: Administrator, database: DatabaseOf
) -> Any:
    """Change the fields that are given."""
    async with database.connection() as connection:
        return await change_token(connection, principal.account_id, token_id, body.given())


@router.delete("/{token_id}", status_code=204)
async def remove_token(token_id: Id, principal: Administrator, database: DatabaseOf) -> None:
    """Revoke a token from now on."""
    async with database.connection() as connection:
        await delete_token(connection, principal.account_id, token_id)
