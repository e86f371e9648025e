"""What stands against a reminder call that has waited, by the time that it would be dialled."""

import pytest

from twoleg.calls.dial_check import DialChecks, StoredDialCheck
from twoleg.calls.ports import NotChecked
from twoleg.reminders.dial_check import ReminderDialCheck
from twoleg.store import DatabaseUnavailable


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
        yield ReminderDialCheck(reminder_id, database, StoredDialCheck(call_id, checks))


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


async def test_a_database_that_is_away_leaves_it_unchecked(waiting):
    class Allows:
        async def objection(self, agent_user_id):
            return None

    class Away:
        def connection(self):
            raise DatabaseUnavailable

    with pytest.raises(NotChecked):
        await ReminderDialCheck(waiting.reminder_id, Away(), Allows()).objection(None)
