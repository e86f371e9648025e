"""What is said of an appointment that was moved, answered or cancelled during the call."""

import pytest

from twoleg.calls.outcomes import Outcome
from twoleg.reminders.answers import Answer
from twoleg.reminders.appointments import delete_appointment


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer.CONFIRMED, "scheduled"),
        (Answer.CANCELLED, "scheduled"),
        (Answer.CALLBACK_REQUESTED, "callback_requested"),
        (Answer.OPTED_OUT, "opted_out"),
    ],
)
async def test_what_is_said_to_a_time_that_has_moved_meanwhile_is_not_said_to_the_new_one(
    practice, called, answer, status
):
    visit, call_id = called
    await practice.execute(
        """UPDATE appointments SET starts_at = starts_at + interval '1 day',
           wall_starts_at = wall_starts_at + interval '1 day', to_be_planned = true"""
    )
    await practice.answer(call_id, answer)
    await practice.end(call_id, Outcome.CONNECTED)
    await practice.tick()
    assert (await practice.read(visit)).status == status


@pytest.mark.parametrize("answer", [Answer.CONFIRMED, Answer.HEARD, Answer.CALLBACK_REQUESTED])
async def test_one_that_was_cancelled_meanwhile_stays_so_whatever_is_said_to_it(
    practice, called, answer
):
    visit, call_id = called
    await practice.change(visit, status="cancelled")
    await practice.answer(call_id, answer)
    await practice.end(call_id, Outcome.CONNECTED)
    await practice.tick()
    told = await practice.read(visit)
    assert (told.status, told.status_call_id) == ("cancelled", None)
    assert [each["answer"] for each in told.attempts] == [answer]


async def test_of_one_that_was_deleted_meanwhile_nothing_is_told(practice, called):
    visit, call_id = called
    async with practice.database.connection() as connection:
        await delete_appointment(connection, practice.account_id, visit.id)
    await practice.answer(call_id, Answer.CONFIRMED)
    await practice.end(call_id, Outcome.CONNECTED)
    await practice.tick()
    happened = await practice.execute(
        "SELECT type FROM call_events WHERE appointment_id = %s ORDER BY id", visit.id
    )
    assert happened == [("appointment.created",), ("appointment.deleted",)]


async def test_an_opt_out_holds_though_the_appointment_was_cancelled_meanwhile(practice, called):
    visit, call_id = called
    await practice.change(visit, status="cancelled")
    await practice.answer(call_id, Answer.OPTED_OUT)
    assert (await practice.read(visit)).status == "cancelled"
    assert await practice.execute("SELECT opted_out FROM contacts") == [(True,)]


async def test_what_was_answered_elsewhere_meanwhile_gives_way_to_what_the_contact_says_now(
    practice, called
):
    visit, call_id = called
    await practice.change(visit, status="confirmed")
    await practice.answer(call_id, Answer.HEARD)
    assert (await practice.read(visit)).status == "confirmed"
    await practice.answer(call_id, Answer.RESCHEDULE_REQUESTED)
    assert (await practice.read(visit)).status == "reschedule_requested"


@pytest.mark.parametrize("status", ["confirmed", "cancelled"])
async def test_who_is_missed_is_not_called_again_once_it_was_answered_elsewhere(
    practice, called, status
):
    visit, call_id = called
    await practice.change(visit, status=status)
    await practice.end(call_id, Outcome.CONTACT_BUSY)
    await practice.tick()
    assert await practice.reminder(visit) == ("done", 1, "answered")
    assert (await practice.read(visit)).status == status


async def test_one_that_moved_meanwhile_is_reminded_of_anew(practice, called):
    visit, call_id = called
    await practice.execute(
        """UPDATE appointments SET starts_at = starts_at + interval '1 day',
           wall_starts_at = wall_starts_at + interval '1 day', to_be_planned = true"""
    )
    await practice.answer(call_id, Answer.HEARD)
    await practice.end(call_id, Outcome.CONNECTED)
    await practice.tick()
    await practice.tick()
    assert await practice.reminder(visit) == ("planned", 0, None)
