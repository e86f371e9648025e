"""How many reminder calls there may be: of an account, over a trunk, and to a contact."""

from datetime import timedelta

from twoleg.calls.outcomes import Outcome
from twoleg.reminders.answers import Answer


async def test_half_of_the_accounts_calls_is_left_to_agents(practice):
    await practice.plan()
    await practice.execute("UPDATE accounts SET max_calls = 5")
    for _ in range(6):
        await practice.appointment()
    await practice.make_due()
    await practice.tick()
    running = await practice.calls()
    assert len(running) == 3
    await practice.tick()
    assert await practice.calls() == running
    await practice.end(running[0][0], Outcome.CONNECTED)
    await practice.tick()
    assert len(await practice.calls()) == 3


async def test_half_of_the_trunks_calls_is_left_to_agents(practice):
    await practice.plan()
    await practice.execute("UPDATE trunks SET max_calls = 4")
    for _ in range(6):
        await practice.appointment()
    await practice.make_due()
    await practice.tick()
    assert len(await practice.calls()) == 2


async def test_the_accounts_rate_is_shared_too(practice, second_of_an_hour):
    await practice.plan()
    await practice.execute("UPDATE accounts SET calls_per_second = 4")
    for _ in range(6):
        await practice.appointment()
    await practice.make_due()
    for called in (2, 4, 6):
        for _ in range(2):  # two workers, say
            await practice.tick()
        assert len(await practice.calls()) == called
        await practice.let_a_second_pass()


async def test_the_trunks_rate_is_shared_too(practice, second_of_an_hour):
    await practice.plan()
    await practice.execute("UPDATE trunks SET calls_per_second = 4")
    for _ in range(6):
        await practice.appointment()
    await practice.make_due()
    for called in (2, 4, 6):
        for _ in range(2):
            await practice.tick()
        assert len(await practice.calls()) == called
        await practice.let_a_second_pass()


async def test_lines_of_one_trunk_share_its_half(practice):
    second = await practice.line("+18552562002")
    plans = [await practice.plan(), await practice.plan(line_id=second)]
    await practice.execute("UPDATE trunks SET max_calls = 4")
    for hours in (3, 4, 5):
        for plan in plans:
            await practice.appointment(hours=hours, reminder_plan_id=plan.id)
    await practice.make_due()
    for _ in range(2):
        await practice.tick()
        assert len(await practice.calls()) == 2


async def test_one_contact_has_one_reminder_call_at_a_time(practice):
    await practice.plan()
    contact_id = await practice.contact()
    first = await practice.appointment(contact_id, hours=3)
    second = await practice.appointment(contact_id, hours=4)
    await practice.make_due()
    await practice.tick()
    assert len(await practice.calls()) == 1
    assert await practice.reminder(first) == ("calling", 1, None)
    assert await practice.reminder(second) == ("planned", 0, None)
    await practice.make_due()
    await practice.tick()
    assert len(await practice.calls()) == 1


async def test_limits_of_calls_to_a_contact_hold(practice):
    await practice.plan(max_calls_per_30_days=1)
    contact_id = await practice.contact()
    await practice.appointment(contact_id, hours=3)
    second = await practice.appointment(contact_id, hours=4)
    await practice.make_due()
    await practice.tick()
    [(call_id, _)] = await practice.calls()
    await practice.answer(call_id, Answer.HEARD)
    await practice.end(call_id, Outcome.CONNECTED)
    await practice.make_due()
    await practice.tick()
    assert await practice.calls() == []
    assert await practice.reminder(second) == ("dropped", 0, "too_many_calls")


async def test_limits_count_the_calls_of_every_plan_and_line(practice):
    other = await practice.line("+18552562002")
    plans = [
        await practice.plan(max_calls_per_day=2, max_calls_per_30_days=3),
        await practice.plan(
            max_calls_per_day=2, max_calls_per_30_days=3, line_id=other, is_default=False
        ),
    ]
    contact_id = await practice.contact()

    async def call(plan):
        visit = await practice.appointment(contact_id, hours=30, reminder_plan_id=plan.id)
        await practice.make_due(visit)
        await practice.tick()
        for call_id, _ in await practice.calls():
            await practice.answer(call_id, Answer.HEARD)
            await practice.end(call_id, Outcome.CONNECTED)
        await practice.tick()
        return await practice.reminder(visit)

    assert [await call(plans[0]), await call(plans[1])] == [("done", 1, None)] * 2
    assert await call(plans[1]) == ("planned", 0, None), "the day is full"
    await practice.execute("UPDATE appointments SET deleted_at = now(), to_be_planned = true")
    await practice.tick()
    await practice.pass_time(hours=25)
    assert await call(plans[0]) == ("done", 1, None)
    assert await call(plans[1]) == ("dropped", 0, "too_many_calls")
    await practice.pass_time(days=29)
    assert await call(plans[1]) == ("done", 1, None), "two of three are over 30 days old"


async def test_two_appointments_of_a_morning_are_two_calls_with_a_pause(practice):
    await practice.plan()
    contact_id = await practice.contact()
    first = await practice.appointment(contact_id, hours=3)
    second = await practice.appointment(contact_id, hours=3.5)
    await practice.make_due()
    await practice.tick()
    [(call_id, _)] = await practice.calls()
    await practice.answer(call_id, Answer.CONFIRMED)
    await practice.end(call_id, Outcome.CONNECTED)
    await practice.tick()
    assert (await practice.read(first)).status == "confirmed"
    assert (await practice.read(second)).status == "scheduled"
    assert await practice.due_in(second) == timedelta(minutes=2)
    await practice.make_due(second)
    await practice.tick()
    assert await practice.reminder(second) == ("calling", 1, None)


async def test_a_day_that_is_full_is_over_a_day_after_its_first_call(practice):
    await practice.plan(max_calls_per_day=2)
    contact_id = await practice.contact()
    for hours in (30, 31):
        await practice.appointment(contact_id, hours=hours)
        await practice.make_due()
        await practice.tick()
        [(call_id, _)] = await practice.calls()
        await practice.answer(call_id, Answer.HEARD)
        await practice.end(call_id, Outcome.CONNECTED)
    await practice.execute(
        """UPDATE reminder_attempts SET placed_at = placed_at - interval '20 hours'
           WHERE call_id = (SELECT min(call_id) FROM reminder_attempts)"""
    )
    third = await practice.appointment(contact_id, hours=32)
    await practice.make_due(third)
    await practice.tick()
    assert await practice.calls() == []
    assert await practice.due_in(third) == timedelta(hours=4)
