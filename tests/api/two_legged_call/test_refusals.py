"""Calls that are not placed, each for a reason that the answer names."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from call_contract import ENOUGH, PATH
from psycopg.types.json import Jsonb


async def refused(client, body):
    reply = await client.post(PATH, json=body)
    assert reply.status_code == 422
    assert reply.json()["message"] == "The given data was invalid."
    [field] = reply.json()["errors"]
    return field, reply.json()["reason"]


@pytest.mark.parametrize(
    ("zone", "quiet"),
    [("Asia/Tokyo", False), ("Pacific/Pago_Pago", True), (None, True)],
)
async def test_quiet_hours_are_those_of_the_contacts_clock(zone, quiet, account, client, execute):
    # An hour that it is now in Pago Pago, where the account is, and not in Tokyo.
    now = datetime.now(ZoneInfo("Pacific/Pago_Pago"))
    end = (now + timedelta(hours=1)).strftime("%H:%M")
    await execute(
        "UPDATE accounts SET time_zone = 'Pacific/Pago_Pago', quiet_hours = %s",
        Jsonb({"start": (now - timedelta(minutes=1)).strftime("%H:%M"), "end": end}),
    )
    # A number that belongs to no place, as those of satellites do.
    await execute("UPDATE contacts SET time_zone = %s, phone_number = '+881612345678'", zone)
    if quiet:
        assert await refused(client, ENOUGH) == ("contact_id", "quiet_hours")
    else:
        assert (await client.post(PATH, json=ENOUGH)).status_code == 202


async def test_a_contact_that_opted_out_by_id_or_number(account, client, execute):
    await execute("UPDATE contacts SET opted_out = true")
    by_number = {"user_id": 1, "line_id": 1, "contact_phone_number": "+18181276544"}
    assert await refused(client, ENOUGH) == ("contact_id", "contact_opted_out")
    assert await refused(client, by_number) == (
        "contact_phone_number",
        "contact_opted_out",
    )


async def test_a_number_that_another_contact_has_opted_out_with(account, client, execute):
    [(other,)] = await execute(
        "INSERT INTO contacts (account_id, phone_number, opted_out)"
        " VALUES (%s, '+18185550177', true) RETURNING id",
        account.id,
    )
    await execute(
        "INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)"
        " VALUES (%s, %s, '+18181276544')",
        other,
        account.id,
    )
    assert await refused(client, ENOUGH) == ("contact_id", "contact_opted_out")
    await execute("UPDATE contacts SET deleted_at = now() WHERE id = %s", other)
    assert (await client.post(PATH, json=ENOUGH)).status_code == 202


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("911", "emergency_number"),
        ("+1911", "emergency_number"),
        ("+19005551234", "destination_not_allowed"),
        ("8552562001", "own_number"),
    ],
)
@pytest.mark.parametrize("field", ["contact_phone_number", "user_phone_number"])
async def test_numbers_that_are_never_dialled(field, number, reason, account, client):
    assert await refused(client, ENOUGH | {field: number}) == (field, reason)


async def test_the_number_at_which_the_agent_is_rung(account, client, execute):
    number = {"user_phone_number": "(818) 127-6544"}
    assert await refused(client, ENOUGH | number) == ("contact_id", "own_number")
    await execute("UPDATE users SET phone_number = '+18181276544'")
    assert await refused(client, ENOUGH) == ("contact_id", "own_number")
    elsewhere = {"user_phone_number": "+18181234567"}
    assert (await client.post(PATH, json=ENOUGH | elsewhere)).status_code == 202


async def test_a_country_that_the_account_does_not_allow(account, client, execute):
    await execute("UPDATE accounts SET allowed_countries = '{CA,DE}'")
    assert await refused(client, ENOUGH) == ("contact_id", "destination_not_allowed")


async def test_a_user_who_is_away_unless_a_group_stands_in(account, client, execute):
    await execute("UPDATE users SET availability = 'away'")
    assert await refused(client, ENOUGH) == ("user_id", "user_inactive")
    await execute(
        "WITH bob AS (INSERT INTO users (account_id, name, email, sip_username)"
        " VALUES (%s, 'Bob', 'bob@example.com', 'bob') RETURNING id)"
        " INSERT INTO ring_group_members (ring_group_id, user_id, position)"
        " SELECT 1, id, 1 FROM bob",
        account.id,
    )
    assert (await client.post(PATH, json=ENOUGH | {"ring_group_id": 1})).status_code == 202


async def test_a_group_whose_users_are_all_away_unless_its_queue_is_on(account, client, execute):
    group = {"ring_group_id": 1, "contact_id": 1234, "line_id": 1}
    await execute("UPDATE users SET availability = 'away'")
    for body in (group, group | {"user_id": 1}):
        refusal = await refused(client, body)
        assert refusal == ("ring_group_id", "no_agent_available")
    await execute("UPDATE ring_groups SET max_wait_seconds = 30")
    assert (await client.post(PATH, json=group)).status_code == 202


async def test_a_group_of_which_nobody_is_free_unless_its_queue_is_on(account, client, execute):
    group = {"ring_group_id": 1, "contact_id": 1234, "line_id": 1}
    assert (await client.post(PATH, json=group)).status_code == 202
    await execute(
        "INSERT INTO reservations (user_id, call_id)"
        " SELECT user_id, (SELECT max(id) FROM calls) FROM ring_group_members"
    )
    assert await refused(client, group) == ("ring_group_id", "no_agent_available")
    await execute("DELETE FROM reservations")
    await execute("UPDATE users SET wrap_up_until = now() + interval '1 minute'")
    assert await refused(client, group) == ("ring_group_id", "no_agent_available")
    await execute("UPDATE ring_groups SET max_wait_seconds = 30")
    assert (await client.post(PATH, json=group)).status_code == 202


async def test_a_group_without_users_is_an_outcome_and_no_refusal(account, client, execute):
    await execute("DELETE FROM ring_group_members")
    body = {"ring_group_id": 1, "contact_id": 1234, "line_id": 1}
    assert (await client.post(PATH, json=body)).status_code == 202


async def test_a_line_without_a_trunk_cannot_dial(account, client, execute):
    await execute("DELETE FROM line_trunks")
    reply = await client.post(PATH, json=ENOUGH)
    assert reply.status_code == 422
    assert reply.json()["errors"] == {
        "line_id": ["The selected line_id has no trunk to dial over."]
    }


async def test_nothing_is_stored_of_what_is_refused(account, client, execute):
    for body in ({}, ENOUGH | {"contact_phone_number": "+19005551234"}):
        await client.post(PATH, json=body)
    assert await execute("SELECT count(*) FROM calls") == [(0,)]
    assert await execute("SELECT count(*) FROM contact_phone_numbers") == [(1,)]
