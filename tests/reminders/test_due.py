"""A reminder that is due becomes one call, unless its contact may not be called any more."""

import asyncio
from datetime import timedelta

import pytest

from twoleg.directory.contacts import change_contact
from twoleg.directory.errors import Invalid
from twoleg.directory.lines import delete_line
from twoleg.reminders.appointments import delete_appointment
from twoleg.reminders.plans import change_plan


async def test_a_reminder_becomes_one_call(practice):
    await practice.plan()
    visit = await practice.appointment()
    await practice.tick()
    assert await practice.calls() == []
    await practice.make_due()
    await asyncio.gather(*(practice.tick() for _ in range(4)))
    [(_, contact_id)] = await practice.calls()
    assert contact_id == visit.contact_id
    assert await practice.reminder(visit) == ("calling", 1, None)


async def test_the_nearest_appointment_is_called_first(practice):
    await practice.plan()
    later = [await practice.appointment(hours=hours) for hours in (9, 4, 6)]
    await practice.make_due()
    await practice.tick()
    called = [contact_id for _, contact_id in await practice.calls()]
    assert called == [each.contact_id for each in (later[1], later[2], later[0])]


async def test_nobody_is_called_once_the_appointment_begins(practice):
    await practice.plan()
    visit = await practice.appointment()
    await practice.execute("UPDATE reminders SET starts_at = now() + interval '5 minutes'")
    await practice.make_due()
    await practice.tick()
    assert await practice.calls() == []
    assert await practice.reminder(visit) == ("dropped", 0, "appointment_begins")


async def test_quiet_hours_that_have_come_meanwhile_are_waited_for(practice):
    await practice.plan()
    visit = await practice.appointment(hours=40)
    await practice.execute("UPDATE reminder_plans SET weekdays = ARRAY[%s]::smallint[]", 1)
    await practice.execute("UPDATE appointments SET to_be_planned = false")
    await practice.execute(
        """UPDATE reminder_plans
           SET weekdays = ARRAY[extract(isodow FROM now() + interval '1 day')]::smallint[]"""
    )
    await practice.execute("UPDATE appointments SET to_be_planned = false")
    await practice.make_due()
    await practice.tick()
    assert await practice.calls() == []
    assert await practice.reminder(visit) == ("planned", 0, None)


async def test_one_that_is_moved_into_the_past_is_not_called(practice):
    await practice.plan()
    visit = await practice.appointment()
    await practice.change(visit, wall_starts_at=visit.starts_at - timedelta(hours=4))
    assert await practice.reminder(visit) == ("dropped", 0, "made_too_late")
    await practice.make_due()
    await practice.tick()
    assert await practice.calls() == []


async def test_one_that_is_deleted_when_it_is_due_is_not_called(practice):
    await practice.plan()
    visit = await practice.appointment()
    await practice.make_due()
    async with practice.database.connection() as connection:
        await delete_appointment(connection, practice.account_id, visit.id)
    await practice.tick()
    assert await practice.calls() == []


async def test_a_contact_who_was_deleted_is_not_called(practice):
    await practice.plan()
    await practice.appointment()
    await practice.make_due()
    await practice.execute("UPDATE contacts SET deleted_at = now()")
    await practice.tick()
    assert await practice.calls() == []


async def test_a_contact_is_called_at_the_number_that_it_has_by_then(practice):
    await practice.plan()
    await practice.appointment()
    await practice.execute("UPDATE contacts SET phone_number = '+18181279999'")
    await practice.make_due()
    await practice.tick()
    [(number,)] = await practice.execute("SELECT contact_phone_number FROM calls")
    assert number == "+18181279999"


async def test_another_number_of_the_contacts_has_another_clock(practice):
    await practice.plan()
    visit = await practice.appointment(hours=30)
    await practice.execute("UPDATE contacts SET time_zone = NULL")
    zones = []
    for number in ("+4930123456", "+81312345678"):
        async with practice.database.connection() as connection:
            fields = {"phone_number": number}
            await change_contact(connection, practice.account_id, visit.contact_id, fields)
        await practice.tick()
        [(zone,)] = await practice.execute("SELECT time_zone FROM reminders")
        zones.append(zone)
    assert zones == ["Europe/Berlin", "Asia/Tokyo"]


async def test_nobody_is_called_from_a_line_that_was_deleted(practice):
    line_id = await practice.line("+18552562002")
    plan = await practice.plan(line_id=line_id)
    visit = await practice.appointment()
    async with practice.database.connection() as connection:
        await delete_line(connection, practice.account_id, line_id)
    await practice.make_due()
    await practice.tick()
    assert await practice.calls() == []
    assert await practice.reminder(visit) == ("dropped", 0, "plan_changed")
    with pytest.raises(Invalid, match="line_id"):
        async with practice.database.connection() as connection:
            await change_plan(connection, practice.account_id, plan.id, {"active": True})
    async with practice.database.connection() as connection:
        again = {"active": True, "line_id": practice.line_id}
        await change_plan(connection, practice.account_id, plan.id, again)
    await practice.tick()
    assert await practice.reminder(visit) == ("planned", 0, None)


async def test_a_contact_who_opted_out_is_not_called(practice):
    await practice.plan()
    visit = await practice.appointment()
    await practice.make_due()
    await practice.execute("UPDATE contacts SET opted_out = true")
    await practice.tick()
    assert await practice.calls() == []
    assert await practice.reminder(visit) == ("dropped", 0, "opted_out")


async def test_nor_is_anybody_at_a_number_whose_other_contact_has_opted_out(practice):
    await practice.plan()
    visit = await practice.appointment()
    await practice.execute(
        """WITH k AS (INSERT INTO contacts (account_id, phone_number, opted_out)
             SELECT account_id, phone_number, true FROM contacts
             RETURNING id, account_id, phone_number)
           INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)
           SELECT id, account_id, phone_number FROM k"""
    )
    await practice.make_due()
    await practice.tick()
    assert await practice.calls() == []
    assert await practice.reminder(visit) == ("dropped", 0, "opted_out")


async def test_it_rings_for_as_long_as_the_plan_says(practice):
    await practice.plan(ring_seconds=20)
    await practice.appointment()
    await practice.make_due()
    await practice.tick()
    [(options,)] = await practice.execute("SELECT options FROM calls")
    assert options["ring_seconds"] == {"contact": 20}
