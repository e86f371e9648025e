"""An account with its owner and its first token."""

import pytest

from twoleg.directory import Invalid
from twoleg.directory.accounts import any_account, change_account, find_account, setup_account
from twoleg.directory.tokens import find_by_secret
from twoleg.directory.users import list_users


async def test_an_account_is_set_up_with_an_owner_and_a_token_that_works(database):
    assert not await any_account(database)
    made = await setup_account(database, "Main", "owner@example.com")
    assert await any_account(database)
    assert made.token not in repr(made)
    async with database.connection() as connection:
        token = await find_by_secret(connection, made.token)
        assert token is not None
        assert token.account_id == made.account_id
        assert list(token.scopes) == []
        [owner] = await list_users(connection, made.account_id, after_id=None, limit=10)
        assert owner.email == "owner@example.com"


async def test_an_owner_without_an_address_can_be_set_up_any_number_of_times(database):
    first = await setup_account(database, "One", None)
    second = await setup_account(database, "Two", None)
    assert first.account_id != second.account_id
    assert first.token != second.token


async def test_an_address_that_is_none_leaves_nothing_behind(database):
    with pytest.raises(Invalid) as refused:
        await setup_account(database, "Main", "nobody")
    assert refused.value.field == "owner_email"
    assert not await any_account(database)


async def test_a_secret_is_kept_only_as_its_hash(database):
    made = await setup_account(database, "Main", None)
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT tokens::text FROM tokens")
        [(row,)] = await cursor.fetchall()
    assert made.token not in row


async def test_settings_change_one_by_one_and_null_clears(database):
    made = await setup_account(database, "Main", None)
    quiet = {"start": "21:00", "end": "08:00"}
    async with database.connection() as connection:
        await change_account(connection, made.account_id, {"quiet_hours": quiet, "max_calls": 7})
        changed = await find_account(connection, made.account_id)
        assert (changed.quiet_hours, changed.max_calls, changed.name) == (quiet, 7, "Main")
        await change_account(connection, made.account_id, {"quiet_hours": None})
        changed = await change_account(connection, made.account_id, {})
        assert (changed.quiet_hours, changed.max_calls) == (None, 7)
