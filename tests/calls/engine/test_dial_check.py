"""What stands against dialling a call by the time that it is dialled, in the database's words."""

import asyncio

import pytest

from twoleg.calls import dial_check
from twoleg.calls.dial_check import DialChecks, StoredDialCheck
from twoleg.calls.ports import NotChecked


@pytest.fixture
async def call(office, database):
    """A call to a contact: its check, and its ids."""
    user = await office.add_user("alice")
    contact = await office.insert(
        "contacts", account_id=office.account_id, phone_number="+41445550123"
    )
    await office.rows(
        "INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)"
        " VALUES (%s, %s, '+41445550123')",
        contact,
        office.account_id,
    )
    call_id = await office.queue(contact_id=contact, user_id=user)
    async with DialChecks.open(database) as checks:
        yield StoredDialCheck(call_id, checks)


async def test_nothing_stands_against_a_call_that_would_be_accepted_now(call):
    assert await call.objection(None) is None


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE contacts SET opted_out = true", "contact_opted_out"),
        ("UPDATE accounts SET allowed_countries = '{US}'", "destination_not_allowed"),
        (
            'UPDATE accounts SET quiet_hours = \'{"start": "00:00", "end": "23:59"}\'',
            "quiet_hours",
        ),
        ("UPDATE users SET deleted_at = now()", "user_inactive"),
    ],
)
async def test_a_rule_that_came_meanwhile_is_named(call, office, statement, rule):
    await office.rows(statement)
    if rule == "quiet_hours":
        # All day but one minute, whatever the time is.
        await office.rows("UPDATE contacts SET time_zone = 'UTC'")
        await office.rows(
            "UPDATE accounts SET quiet_hours = jsonb_build_object("
            " 'start', to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'HH24:MI'),"
            " 'end', to_char(now() AT TIME ZONE 'UTC' + interval '1 hour', 'HH24:MI'))"
        )
    said = await call.objection(None)
    assert said.startswith(f"{rule}: ")


async def test_another_contact_of_the_number_that_opted_out_counts_too(call, office):
    other = await office.insert(
        "contacts", account_id=office.account_id, phone_number="+41445550199", opted_out=True
    )
    await office.rows(
        "INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)"
        " VALUES (%s, %s, '+41445550123')",
        other,
        office.account_id,
    )
    assert (await call.objection(None)).startswith("contact_opted_out")


async def test_who_is_on_the_line_counts_and_not_whom_the_call_named(call, office):
    await office.rows("UPDATE users SET deleted_at = now()")
    bob = await office.add_user("bob", phone_number=None)
    assert await call.objection(bob) is None


async def test_a_user_with_a_group_behind_it_may_be_gone(call, office):
    group = await office.add_group()
    await office.rows("UPDATE calls SET ring_group_id = %s", group)
    await office.rows("UPDATE users SET deleted_at = now()")
    assert await call.objection(None) is None


async def test_calls_that_ask_in_the_same_moment_get_each_its_own_answer(call, office):
    user = await office.add_user("carol")
    contact = await office.insert(
        "contacts", account_id=office.account_id, phone_number="+41445550177", opted_out=True
    )
    other = StoredDialCheck(await office.queue(contact_id=contact, user_id=user), call.checks)
    answers = await asyncio.gather(*([call.objection(None), other.objection(user)] * 50))
    assert answers[0::2] == [None] * 50
    assert {answer.partition(":")[0] for answer in answers[1::2]} == {"contact_opted_out"}


async def test_a_database_that_is_away_is_waited_for(call, outage, monkeypatch):
    await outage.cut()
    assert await call.objection(None) is None
    monkeypatch.setattr(dial_check, "CHECK_WITHIN_SECONDS", 0.05)
    await outage.begin()
    with pytest.raises(NotChecked):
        await call.objection(None)
