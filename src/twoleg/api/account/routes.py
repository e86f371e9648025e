"""`/account`: read and change the settings of the token's account."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter

from twoleg.api.account.schemas import Account, AccountChange
from twoleg.api.authentication import Administrator, DirectoryReader
from twoleg.api.state import DatabaseOf
from twoleg.directory.accounts import change_account, find_account

PATH: Final = "/account"

router = APIRouter(prefix=PATH, tags=["account"])


@router.get("", response_model=Account)
async def read_account(principal: DirectoryReader, database: DatabaseOf) -> Any:
    """Read the account's settings."""
    async with database.connection() as connection:
        return await find_account(connection, principal.account_id)


@router.patch("", response_model=Account)
async def edit_account(body: AccountChange, principal: Administrator, database: DatabaseOf) -> Any:
    """Change the fields that are given."""
    async with database.connection() as connection:
        return await change_account(connection, principal.account_id, body.given())
