"""What becomes of an appointment and its reminders once its contact was called."""

from datetime import timedelta

import pytest

from twoleg.calls.dial_check import DialChecks
from twoleg.calls.outcomes import Outcome
from twoleg.reminders.answers import Answer
from twoleg.reminders.serving import do_everything


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer.CONFIRMED, "confirmed"),
        (Answer.RESCHEDULE_REQUESTED, "reschedule_requested"),
        (Answer.CANCELLED, "cancelled"),
        (Answer.CALLBACK_REQUESTED, "callback_requested"),
        (Answer.OPTED_OUT, "opted_out"),
    ],
)
async def test_an_answer_ends_every_reminder(practice, called, answer, status):
    visit, call_id = called
    await practice.answer(call_id, answer)
    assert (await practice.read(visit)).status == status
    await practice.end(call_id, Outcome.CONNECTED)
    await practice.tick()
    assert await practice.reminder(visit) == ("done", 1, None)
    state, attempts, _ = await practice.reminder(visit, moment=1)
    assert (state, attempts) == ("dropped", 0)


@pytest.mark.parametrize("answer", [Answer.HEARD, Answer.MESSAGE_LEFT, Answer.TALKED])
async def test_who_only_heard_it_is_reminded_again_by_the_plan(practice, called, answer):
    visit, call_id = called
    await practice.answer(call_id, answer)
    await practice.end(call_id, Outcome.CONNECTED)
    await practice.tick()
    assert (await practice.read(visit)).status == "reminded"
    assert await practice.reminder(visit) == ("done", 1, None)
    assert await practice.reminder(visit, moment=1) == ("planned", 0, None)


async def test_an_opt_out_holds_for_the_contact(practice, called):
    visit, call_id = called
    other = await practice.appointment(visit.contact_id, hours=50)
    [(queued,)] = await practice.execute(
        """INSERT INTO calls (account_id, source, contact_id, line_id, contact_phone_number,
             line_phone_number, sequence)
           SELECT account_id, 'api', contact_id, line_id, contact_phone_number,
             line_phone_number, 1 FROM calls RETURNING id"""
    )
    await practice.answer(call_id, Answer.OPTED_OUT)
    [(opted_out,)] = await practice.execute("SELECT opted_out FROM contacts")
    assert opted_out
    async with DialChecks.open(practice.database) as checks:
        objection = await checks.objection(queued, None)
    assert objection.startswith("contact_opted_out: "), "an agent's call that waits, too"
    await practice.tick()
    assert await practice.reminder(other) == ("dropped", 0, "opted_out")


@pytest.mark.parametrize(
    ("outcome", "minutes"),
    [
        (Outcome.CONTACT_BUSY, 10),
        (Outcome.CONTACT_NO_ANSWER, 120),
        (Outcome.CONTACT_VOICEMAIL, 120),
        (Outcome.FAILED, 120),
    ],
)
async def test_who_was_missed_is_tried_again_busy_ones_soon(practice, called, outcome, minutes):
    visit, call_id = called
    await practice.end(call_id, outcome)
    await practice.tick()
    assert await practice.reminder(visit) == ("planned", 1, None)
    [(wait,)] = await practice.execute(
        """SELECT extract(epoch FROM due_at - ended_at)::int / 60
           FROM reminders r, calls k WHERE r.moment = 0 AND k.id = %s""",
        call_id,
    )
    assert wait == minutes


async def test_a_wrong_number_is_not_tried_again(practice, called):
    visit, call_id = called
    await practice.end(call_id, Outcome.CONTACT_INVALID_NUMBER)
    await practice.tick()
    assert await practice.reminder(visit) == ("done", 1, "attempts_used_up")


async def try_twice_in_vain(practice):
    """Have the call that is made, and the one after it, ring for nobody; give the last one's id."""
    for _ in range(2):
        [(call_id, _)] = await practice.calls()
        await practice.end(call_id, Outcome.CONTACT_NO_ANSWER)
        await practice.tick()
        await practice.execute("UPDATE reminders SET due_at = now() WHERE attempts = 1")
        await practice.tick()
    return call_id


async def test_after_the_last_try_of_the_last_reminder_the_contact_is_unreachable(practice, called):
    visit, _ = called
    await try_twice_in_vain(practice)
    assert await practice.reminder(visit) == ("done", 2, "attempts_used_up")
    assert (await practice.read(visit)).status == "scheduled"
    await practice.make_due()
    for _ in range(2):
        await practice.tick()
        [(call_id, _)] = await practice.calls()
        await practice.end(call_id, Outcome.CONTACT_NO_ANSWER)
        await practice.tick()
        await practice.make_due()
    assert (await practice.read(visit)).status == "unreachable"


@pytest.mark.parametrize("outcome", [Outcome.BLOCKED, Outcome.EXPIRED])
async def test_a_call_that_rang_nobody_is_no_try_and_comes_again_soon(practice, called, outcome):
    visit, call_id = called
    await practice.end(call_id, outcome)
    await practice.tick()
    assert await practice.reminder(visit) == ("planned", 0, None)
    assert await practice.due_in(visit) == timedelta(minutes=10)
    await practice.execute("UPDATE reminder_plans SET max_calls_per_day = 1")
    await practice.make_due(visit)
    await practice.tick()
    assert await practice.reminder(visit) == ("calling", 1, None)


async def test_a_country_that_is_not_allowed_any_more_is_not_tried_again(practice, called):
    visit, call_id = called
    await practice.end(call_id, Outcome.BLOCKED, "destination_not_allowed: not any more")
    await practice.tick()
    assert await practice.reminder(visit) == ("done", 0, "attempts_used_up")


async def test_who_may_not_be_called_any_more_after_tries_in_vain_is_unreachable(practice, called):
    visit, _ = called
    call_id = await try_twice_in_vain(practice)
    await practice.execute("UPDATE reminder_plans SET max_calls_per_30_days = 2")
    await practice.make_due()
    await practice.tick()
    assert await practice.reminder(visit, moment=1) == ("dropped", 0, "too_many_calls")
    told = await practice.read(visit)
    assert (told.status, told.status_call_id) == ("unreachable", call_id)


async def test_what_could_not_be_stored_during_the_call_is_settled_from_its_events(
    practice, called
):
    visit, call_id = called
    await practice.answer(call_id, Answer.HEARD)
    for sequence, answer in enumerate(("heard", "callback_requested"), start=2):
        await practice.execute(
            """INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
               SELECT account_id, id, %s, 'call.reminder_answered', now(),
                 jsonb_build_object('answer', %s::text) FROM calls WHERE id = %s""",
            sequence,
            answer,
            call_id,
        )
    await practice.end(call_id, Outcome.CONNECTED)
    await practice.tick()
    told = await practice.read(visit)
    assert (told.status, told.status_call_id) == ("callback_requested", call_id)
    assert [each["answer"] for each in told.attempts] == ["callback_requested"]
    assert await practice.reminder(visit) == ("done", 1, None)
    assert await practice.reminder(visit, moment=1) == ("dropped", 0, "answered")


async def test_an_answer_is_not_undone_by_a_weaker_one(practice, called):
    visit, call_id = called
    await practice.answer(call_id, Answer.CONFIRMED)
    await practice.answer(call_id, Answer.HEARD)
    assert (await practice.read(visit)).status == "confirmed"


async def test_minutes_between_tries_may_be_shorter_to_try_plans_out(practice):
    await practice.plan(retry_busy_minutes=10)
    visit = await practice.appointment()
    await practice.make_due()
    await practice.tick()
    [(call_id, _)] = await practice.calls()
    await practice.end(call_id, Outcome.CONTACT_BUSY)
    async with await practice.database.connect() as connection:
        await do_everything(connection, timedelta(seconds=2))
    [(pause,)] = await practice.execute(
        """SELECT r.due_at - k.ended_at FROM reminders r, calls k
           WHERE r.appointment_id = %s AND k.id = %s""",
        visit.id,
        call_id,
    )
    assert pause == timedelta(seconds=20)


@pytest.mark.parametrize("removed", ["calls", "appointments"])
async def test_what_is_kept_of_a_try_goes_with_its_call_and_its_appointment(practice, removed):
    await practice.plan()
    await practice.appointment()
    await practice.make_due()
    await practice.tick()
    assert await practice.execute("SELECT count(*) FROM reminder_attempts") == [(1,)]
    await practice.execute(f"DELETE FROM {removed}")
    assert await practice.execute("SELECT count(*) FROM reminder_attempts") == [(0,)]
