"""What reminders achieved, counted over calls whose sums are known."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from twoleg.calls.outcomes import Outcome
from twoleg.reminders.answers import Answer
from twoleg.reminders.appointments import change_appointment
from twoleg.reports.period import Period
from twoleg.reports.reminder_report import ReminderGroup, reminder_report

MORNING = (
    Answer.CONFIRMED,
    Answer.CONFIRMED,
    Answer.RESCHEDULE_REQUESTED,
    Answer.TALKED,
    Answer.CALLBACK_REQUESTED,
    Answer.OPTED_OUT,
    Answer.HEARD,
    Answer.MESSAGE_LEFT,
)


def period(**fields):
    now = datetime.now(UTC)
    given = {"start": now - timedelta(days=1), "end": now + timedelta(days=1)} | fields
    return Period(zone=ZoneInfo("UTC"), **given)


@pytest.fixture
def report(practice):
    async def report(group_by=ReminderGroup.PLAN, over=None, **fields):
        async with practice.database.connection() as connection:
            return await reminder_report(
                connection, practice.account_id, over or period(), group_by, **fields
            )

    return report


@pytest.fixture
def place(practice):
    """Make appointments, and have their contacts called; returns the calls."""

    async def place(count=1, **fields):
        visits = [await practice.appointment(**fields) for _ in range(count)]
        await practice.make_due(*visits)
        before = {call_id for call_id, _ in await practice.calls()}
        await practice.tick()
        return [call_id for call_id, _ in await practice.calls() if call_id not in before]

    return place


async def end(practice, call_id, result):
    if isinstance(result, Answer):
        await practice.answer(call_id, result)
        result = Outcome.CONNECTED
    await practice.end(call_id, result)


def lines(report, *names):
    return {line.group: tuple(getattr(line, name) for name in names) for line in report.lines}


async def test_a_morning_of_answers_is_counted_by_answer(practice, place, report) -> None:
    await practice.plan(max_attempts=1)
    for call_id, result in zip(
        await place(10), (*MORNING, Outcome.CONTACT_BUSY, Outcome.CONTACT_NO_ANSWER), strict=True
    ):
        await end(practice, call_id, result)
    await practice.tick()
    await practice.appointment()

    total = (await report()).total

    assert (total.planned, total.called, total.calls) == (11, 10, 10)
    assert (total.reached, total.message_left, total.unreachable) == (7, 1, 2)
    assert (total.confirmed, total.reschedule_requested, total.cancelled) == (2, 1, 0)
    assert (total.talked, total.callback_requested) == (1, 1)
    assert (total.opted_out, total.heard) == (1, 1)
    assert (total.reached_rate, total.confirmed_rate) == (0.7, 0.2857)


async def test_a_reminder_that_is_tried_again_is_one_reminder_and_two_calls(
    practice, place, report
) -> None:
    await practice.plan()
    [first] = await place()
    await end(practice, first, Outcome.CONTACT_BUSY)
    await practice.tick()
    assert (await report()).total.unreachable == 0
    await practice.make_due()
    await practice.tick()
    [(again, _)] = await practice.calls()
    await end(practice, again, Answer.CONFIRMED)
    total = (await report()).total
    assert (total.planned, total.called, total.calls, total.reached) == (1, 1, 2, 1)
    assert await lines_by_outcome(report) == {"confirmed": (1,), "contact_busy": (1,)}


async def lines_by_outcome(report):
    return lines(await report(ReminderGroup.OUTCOME), "calls")


async def test_a_call_that_runs_and_one_to_come_have_no_outcome_yet(
    practice, place, report
) -> None:
    await practice.plan()
    await place()
    await practice.appointment()
    found = await report(ReminderGroup.OUTCOME)
    assert lines(found, "planned", "calls") == {"calling": (1, 1), "not_called": (1, 0)}


async def test_plans_have_a_line_each_by_name(practice, place, report) -> None:
    first = await practice.plan(name="The evening before")
    second = await practice.plan(name="Two hours before")
    for plan, results in (
        (first, (Answer.CONFIRMED, Answer.CONFIRMED)),
        (second, (Answer.CONFIRMED, Answer.MESSAGE_LEFT, Answer.CANCELLED)),
    ):
        for call_id, result in zip(
            await place(len(results), reminder_plan_id=plan.id), results, strict=True
        ):
            await end(practice, call_id, result)
    found = await report()
    assert lines(found, "group_id", "calls", "confirmed") == {
        "The evening before": (first.id, 2, 2),
        "Two hours before": (second.id, 3, 1),
    }
    assert (found.total.group_id, found.total.calls, found.total.confirmed) == (None, 5, 3)
    assert (await report(plan_id=second.id)).total.calls == 3


async def test_offsets_are_those_that_the_plan_had_at_the_call(practice, place, report) -> None:
    plan = await practice.plan(moments=[{"minutes_before": 120}])
    [call_id] = await place()
    await end(practice, call_id, Answer.CONFIRMED)
    await practice.execute(
        """UPDATE reminder_plans SET moments = '[{"days_before": 1, "at": "18:00"}]'
           WHERE id = %s""",
        plan.id,
    )
    await practice.appointment(hours=72)
    in_a_week = datetime.now(UTC) + timedelta(days=7)
    found = await report(ReminderGroup.OFFSET, period(end=in_a_week))
    assert lines(found, "planned", "confirmed") == {
        "1 day before at 18:00": (1, 0),
        "2 hours before": (1, 1),
    }
    assert [line.group for line in found.lines] == ["1 day before at 18:00", "2 hours before"]


async def test_hours_are_those_of_the_contacts_clock(practice, place, report) -> None:
    await practice.plan()
    zones = ["Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata"]
    for zone in zones:
        contact_id = await practice.contact()
        await practice.execute("UPDATE contacts SET time_zone = %s WHERE id = %s", zone, contact_id)
        [call_id] = await place(contact_id=contact_id)
        await end(practice, call_id, Answer.CONFIRMED)
    await practice.execute("UPDATE reminder_attempts SET placed_at = '2026-06-10T08:40Z'")
    over = period(start=datetime(2026, 6, 10, tzinfo=UTC), end=datetime(2026, 6, 11, tzinfo=UTC))
    found = await report(ReminderGroup.HOUR, over)
    assert lines(found, "confirmed") == {"10:00": (1,), "14:00": (1,), "17:00": (1,)}


async def test_days_are_the_accounts_and_the_period_ends_before_its_end(
    practice, place, report
) -> None:
    await practice.plan()
    times = ("2026-06-09T21:59:59Z", "2026-06-09T22:00Z", "2026-06-10T21:59Z", "2026-06-10T22:00Z")
    for call_id, at in zip(await place(4), times, strict=True):
        await end(practice, call_id, Answer.CONFIRMED)
        await practice.execute(
            "UPDATE reminder_attempts SET placed_at = %s WHERE call_id = %s", at, call_id
        )
    berlin = ZoneInfo("Europe/Berlin")
    over = Period(datetime(2026, 6, 9, tzinfo=berlin), datetime(2026, 6, 11, tzinfo=berlin), berlin)
    found = await report(ReminderGroup.DAY, over)
    assert lines(found, "calls") == {"2026-06-09": (1,), "2026-06-10": (2,)}
    assert found.total.calls == 3


async def test_an_appointment_that_moved_counts_anew_and_what_was_answered_stays(
    practice, place, report
) -> None:
    await practice.plan()
    visit = await practice.appointment()
    await practice.make_due()
    await practice.tick()
    [(call_id, _)] = await practice.calls()
    await end(practice, call_id, Answer.CONFIRMED)
    await practice.tick()
    async with practice.database.connection() as connection:
        moved = {"wall_starts_at": visit.starts_at + timedelta(hours=1)}
        await change_appointment(connection, practice.account_id, visit.id, moved)
    total = (await report()).total
    assert (total.planned, total.called, total.confirmed) == (2, 1, 1)


async def test_what_was_never_to_be_called_is_not_planned(practice, report) -> None:
    await practice.plan(moments=[{"days_before": 20}])
    await practice.appointment()
    total = (await report(over=period(start=datetime.now(UTC) - timedelta(days=60)))).total
    assert (total.planned, total.called, total.reached_rate, total.confirmed_rate) == (
        0,
        0,
        None,
        None,
    )


async def test_every_way_of_grouping_comes_to_the_sums_of_the_rows(practice, place, report) -> None:
    chance = random.Random(4)
    results = [*MORNING, Outcome.CONTACT_BUSY, Outcome.CONTACT_NO_ANSWER, Outcome.FAILED]
    plans = [
        await practice.plan(name="Two hours before", max_attempts=2),
        await practice.plan(
            name="Three, and one", moments=[{"minutes_before": 180}, {"minutes_before": 60}]
        ),
    ]
    for plan in plans:
        await place(12, reminder_plan_id=plan.id, hours=30)
    for _ in range(2):
        for call_id, _ in await practice.calls():
            await end(practice, call_id, chance.choice(results))
        await practice.tick()
        await practice.make_due()
        await practice.tick()
        await practice.execute(
            "UPDATE reminder_attempts SET placed_at = placed_at - interval '7 hours'"
        )
    rows = await practice.execute("SELECT answer, count(*) FROM reminder_attempts GROUP BY answer")
    by_answer = dict(rows)
    [(calls, called, given_up)] = await practice.execute(
        """SELECT count(*), count(DISTINCT (reminder_id, starts_at)),
             count(*) FILTER (WHERE given_up)
           FROM reminder_attempts"""
    )
    assert calls > called > 24

    for group in ReminderGroup:
        found = await report(group)
        total = found.total
        assert (total.calls, total.called, total.unreachable) == (calls, called, given_up), group
        assert {each: getattr(total, each) for each in Answer} == {
            each: by_answer.get(each, 0) for each in Answer
        }
        assert total.reached == sum(by_answer.get(each, 0) for each in Answer) - total.message_left
        for name in ("calls", "reached", "unreachable", *Answer):
            assert sum(getattr(line, name) for line in found.lines) == getattr(total, name), group
    for plan in plans:
        [(calls,)] = await practice.execute(
            "SELECT count(*) FROM reminder_attempts WHERE reminder_plan_id = %s", plan.id
        )
        assert (await report(plan_id=plan.id)).total.calls == calls
