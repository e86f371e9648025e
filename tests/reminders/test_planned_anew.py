"""What changes after a reminder's time has come neither loses nor repeats it."""

from datetime import timedelta

import pytest

from twoleg.calls.outcomes import Outcome

EDIT = "UPDATE appointments SET notes = 'bring the papers', to_be_planned = true"


@pytest.fixture
async def missed(practice):
    """An appointment whose contact was busy when its time came."""
    await practice.plan(retry_busy_minutes=10)
    visit = await practice.appointment(hours=30)
    await practice.pass_time(hours=28, seconds=1)
    await practice.tick()
    [(call_id, _)] = await practice.calls()
    await practice.end(call_id, Outcome.CONTACT_BUSY)
    await practice.tick()
    return visit


async def test_the_next_try_stays_when_it_was(practice, missed):
    await practice.execute(EDIT)
    await practice.tick()
    assert await practice.reminder(missed) == ("planned", 1, None)
    assert await practice.due_in(missed) == timedelta(minutes=10)


async def test_the_next_try_waits_for_hours_that_are_quiet_by_now(practice, missed):
    await practice.execute(
        """UPDATE reminder_plans SET quiet_hours = jsonb_build_object(
             'start', to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'HH24:MI'),
             'end', to_char(now() AT TIME ZONE 'UTC' + interval '1 hour', 'HH24:MI'))"""
    )
    await practice.tick()
    assert await practice.reminder(missed) == ("planned", 1, None)
    assert timedelta(minutes=50) < await practice.due_in(missed) < timedelta(minutes=70)


async def test_one_that_was_put_off_stays_so(practice):
    await practice.plan()
    contact_id = await practice.contact()
    await practice.appointment(contact_id, hours=4)
    later = await practice.appointment(contact_id, hours=4.01)
    await practice.pass_time(hours=2.1)
    await practice.tick()
    assert len(await practice.calls()) == 1
    await practice.execute(EDIT)
    await practice.tick()
    assert await practice.reminder(later) == ("planned", 0, None)
    assert await practice.due_in(later) == timedelta(minutes=2)


async def test_a_time_that_the_plan_moves_into_the_past_is_none(practice, missed):
    visit = await practice.appointment(hours=30)
    await practice.execute("UPDATE reminder_plans SET moments = '[{\"minutes_before\": 2000}]'")
    await practice.tick()
    assert await practice.reminder(visit) == ("dropped", 0, "made_too_late")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reminder_plans SET active = false",
        "UPDATE reminder_plans SET deleted_at = now()",
        "UPDATE appointments SET reminder_plan_id = NULL, to_be_planned = true",
        """UPDATE reminder_plans SET moments = '[{"minutes_before": 150}]'""",
    ],
    ids=["plan off", "plan deleted", "no plan", "one moment less"],
)
async def test_without_its_plan_there_is_no_next_try(practice, change):
    await practice.plan(moments=[{"minutes_before": 150}, {"minutes_before": 120}])
    visit = await practice.appointment()
    await practice.execute(
        "UPDATE reminders SET due_at = now() - interval '1 second' WHERE moment = 1"
    )
    await practice.tick()
    [(call_id, _)] = await practice.calls()
    await practice.execute(change)
    await practice.end(call_id, Outcome.CONTACT_BUSY)
    await practice.tick()
    assert await practice.reminder(visit, moment=1) == ("done", 1, "plan_changed")
