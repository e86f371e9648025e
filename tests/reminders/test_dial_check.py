"""What stands against a reminder call that has waited, by the time that it would be dialled."""

import asyncio

import pytest

from twoleg.calls import dial_check
from twoleg.calls.dial_check import DialChecks, StoredDialCheck
from twoleg.calls.ports import NotChecked
from twoleg.reminders.dial_check import OUTDATED, ReminderDialCheck


@pytest.fixture
async def waiting(practice, database):
    """The check of a reminder call that waits in the queue."""
    await practice.plan()
    await practice.appointment()
    await practice.make_due()
    await practice.tick()
    [(call_id, reminder_id)] = await practice.execute(
        "SELECT call_id, reminder_id FROM reminder_attempts"
    )
    async with DialChecks.open(database) as checks:
        yield ReminderDialCheck(reminder_id, checks, StoredDialCheck(call_id, checks))


async def test_nothing_stands_against_one_that_is_as_it_was(waiting):
    assert await waiting.objection(None) is None


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("UPDATE contacts SET opted_out = true", "contact_opted_out"),
        ("UPDATE accounts SET allowed_countries = '{CH}'", "destination_not_allowed"),
        ("UPDATE appointments SET status = 'cancelled'", "reminder_outdated"),
        ("UPDATE appointments SET status = 'confirmed'", "reminder_outdated"),
        ("UPDATE appointments SET deleted_at = now()", "reminder_outdated"),
        (
            "UPDATE appointments SET starts_at = starts_at + interval '1 day'",
            "reminder_outdated",
        ),
        ("UPDATE reminder_plans SET active = false", "reminder_outdated"),
        ("UPDATE reminder_plans SET deleted_at = now()", "reminder_outdated"),
        ("UPDATE reminder_plans SET moments = '[]'", "reminder_outdated"),
        ("UPDATE contacts SET deleted_at = now()", "reminder_outdated"),
        (
            """UPDATE reminder_plans SET quiet_hours = jsonb_build_object(
                 'start', to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'HH24:MI'),
                 'end', to_char(now() AT TIME ZONE 'UTC' + interval '1 hour', 'HH24:MI'))""",
            "quiet_hours",
        ),
        (
            """UPDATE reminder_plans
               SET weekdays = ARRAY[extract(isodow FROM now() + interval '2 days')]::smallint[]""",
            "quiet_hours",
        ),
    ],
)
async def test_what_has_changed_meanwhile_is_named(practice, waiting, change, rule):
    await practice.execute(change)
    assert (await waiting.objection(None)).startswith(f"{rule}: ")


async def test_reminders_and_calls_that_ask_in_the_same_moment_get_each_its_own_answer(
    practice, waiting
):
    await practice.execute("UPDATE appointments SET status = 'confirmed'")
    answers = await asyncio.gather(
        *([waiting.objection(None), waiting.every_call.objection(None)] * 50)
    )
    assert answers == [OUTDATED, None] * 50


async def test_one_that_is_there_no_more_is_outdated(practice, waiting):
    await practice.execute("DELETE FROM appointments")
    assert await waiting.objection(None) == OUTDATED


async def test_a_database_that_is_away_leaves_it_unchecked(waiting, monkeypatch):
    class Allows:
        async def objection(self, agent_user_id):
            return None

    monkeypatch.setattr(dial_check, "CHECK_WITHIN_SECONDS", 0.05)
    unanswered = DialChecks()
    with pytest.raises(NotChecked):
        await ReminderDialCheck(waiting.reminder_id, unanswered, Allows()).objection(None)
