"""From a reminder that is due to what becomes of its appointment, on a real database."""

import asyncio
from datetime import timedelta

import pytest

from twoleg.calls.dial_check import DialChecks
from twoleg.calls.outcomes import Outcome
from twoleg.directory.contacts import change_contact
from twoleg.directory.errors import Invalid
from twoleg.directory.lines import delete_line
from twoleg.reminders.answers import Answer
from twoleg.reminders.appointments import delete_appointment
from twoleg.reminders.plans import change_plan
from twoleg.reminders.serving import do_everything


class TestDue:
    async def test_a_reminder_becomes_one_call(self, practice):
        await practice.plan()
        visit = await practice.appointment()
        await practice.tick()
        assert await practice.calls() == []
        await practice.make_due()
        await asyncio.gather(*(practice.tick() for _ in range(4)))
        [(_, contact_id)] = await practice.calls()
        assert contact_id == visit.contact_id
        assert await practice.reminder(visit) == ("calling", 1, None)

    async def test_the_nearest_appointment_is_called_first(self, practice):
        await practice.plan()
        later = [await practice.appointment(hours=hours) for hours in (9, 4, 6)]
        await practice.make_due()
        await practice.tick()
        called = [contact_id for _, contact_id in await practice.calls()]
        assert called == [each.contact_id for each in (later[1], later[2], later[0])]

    async def test_half_of_the_accounts_calls_is_left_to_agents(self, practice):
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

    async def test_half_of_the_trunks_calls_is_left_to_agents(self, practice):
        await practice.plan()
        await practice.execute("UPDATE trunks SET max_calls = 4")
        for _ in range(6):
            await practice.appointment()
        await practice.make_due()
        await practice.tick()
        assert len(await practice.calls()) == 2

    async def test_the_accounts_rate_is_shared_too(self, practice):
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

    async def test_the_trunks_rate_is_shared_too(self, practice):
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

    async def test_lines_of_one_trunk_share_its_half(self, practice):
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

    async def test_one_contact_has_one_reminder_call_at_a_time(self, practice):
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

    async def test_limits_of_calls_to_a_contact_hold(self, practice):
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

    async def test_limits_count_the_calls_of_every_plan_and_line(self, practice):
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

    async def test_two_appointments_of_a_morning_are_two_calls_with_a_pause(self, practice):
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

    async def test_a_day_that_is_full_is_over_a_day_after_its_first_call(self, practice):
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

    async def test_nobody_is_called_once_the_appointment_begins(self, practice):
        await practice.plan()
        visit = await practice.appointment()
        await practice.execute("UPDATE reminders SET starts_at = now() + interval '5 minutes'")
        await practice.make_due()
        await practice.tick()
        assert await practice.calls() == []
        assert await practice.reminder(visit) == ("dropped", 0, "appointment_begins")

    async def test_quiet_hours_that_have_come_meanwhile_are_waited_for(self, practice):
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

    async def test_one_that_is_moved_into_the_past_is_not_called(self, practice):
        await practice.plan()
        visit = await practice.appointment()
        await practice.change(visit, wall_starts_at=visit.starts_at - timedelta(hours=4))
        assert await practice.reminder(visit) == ("dropped", 0, "made_too_late")
        await practice.make_due()
        await practice.tick()
        assert await practice.calls() == []

    async def test_one_that_is_deleted_when_it_is_due_is_not_called(self, practice):
        await practice.plan()
        visit = await practice.appointment()
        await practice.make_due()
        async with practice.database.connection() as connection:
            await delete_appointment(connection, practice.account_id, visit.id)
        await practice.tick()
        assert await practice.calls() == []

    async def test_a_contact_who_was_deleted_is_not_called(self, practice):
        await practice.plan()
        await practice.appointment()
        await practice.make_due()
        await practice.execute("UPDATE contacts SET deleted_at = now()")
        await practice.tick()
        assert await practice.calls() == []

    async def test_a_contact_is_called_at_the_number_that_it_has_by_then(self, practice):
        await practice.plan()
        await practice.appointment()
        await practice.execute("UPDATE contacts SET phone_number = '+18181279999'")
        await practice.make_due()
        await practice.tick()
        [(number,)] = await practice.execute("SELECT contact_phone_number FROM calls")
        assert number == "+18181279999"

    async def test_another_number_of_the_contacts_has_another_clock(self, practice):
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

    async def test_nobody_is_called_from_a_line_that_was_deleted(self, practice):
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

    async def test_a_contact_who_opted_out_is_not_called(self, practice):
        await practice.plan()
        visit = await practice.appointment()
        await practice.make_due()
        await practice.execute("UPDATE contacts SET opted_out = true")
        await practice.tick()
        assert await practice.calls() == []
        assert await practice.reminder(visit) == ("dropped", 0, "opted_out")

    async def test_nor_is_anybody_at_a_number_whose_other_contact_has_opted_out(self, practice):
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


class TestPlannedAnew:
    """What changes after a reminder's time has come neither loses nor repeats it."""

    EDIT = "UPDATE appointments SET notes = 'bring the papers', to_be_planned = true"

    @pytest.fixture
    async def missed(self, practice):
        """An appointment whose contact was busy when its time came."""
        await practice.plan(retry_busy_minutes=10)
        visit = await practice.appointment(hours=30)
        await practice.pass_time(hours=28, seconds=1)
        await practice.tick()
        [(call_id, _)] = await practice.calls()
        await practice.end(call_id, Outcome.CONTACT_BUSY)
        await practice.tick()
        return visit

    async def test_the_next_try_stays_when_it_was(self, practice, missed):
        await practice.execute(self.EDIT)
        await practice.tick()
        assert await practice.reminder(missed) == ("planned", 1, None)
        assert await practice.due_in(missed) == timedelta(minutes=10)

    async def test_the_next_try_waits_for_hours_that_are_quiet_by_now(self, practice, missed):
        await practice.execute(
            """UPDATE reminder_plans SET quiet_hours = jsonb_build_object(
                 'start', to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'HH24:MI'),
                 'end', to_char(now() AT TIME ZONE 'UTC' + interval '1 hour', 'HH24:MI'))"""
        )
        await practice.tick()
        assert await practice.reminder(missed) == ("planned", 1, None)
        assert timedelta(minutes=50) < await practice.due_in(missed) < timedelta(minutes=70)

    async def test_one_that_was_put_off_stays_so(self, practice):
        await practice.plan()
        contact_id = await practice.contact()
        await practice.appointment(contact_id, hours=4)
        later = await practice.appointment(contact_id, hours=4.01)
        await practice.pass_time(hours=2.1)
        await practice.tick()
        assert len(await practice.calls()) == 1
        await practice.execute(self.EDIT)
        await practice.tick()
        assert await practice.reminder(later) == ("planned", 0, None)
        assert await practice.due_in(later) == timedelta(minutes=2)

    async def test_a_time_that_the_plan_moves_into_the_past_is_none(self, practice, missed):
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
    async def test_without_its_plan_there_is_no_next_try(self, practice, change):
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


class TestAfterTheCall:
    @pytest.fixture
    async def called(self, practice):
        """An appointment with two reminders, whose contact is being called for the first."""
        await practice.plan(
            moments=[{"minutes_before": 120}, {"minutes_before": 60}],
            max_attempts=2,
            max_calls_per_day=10,
        )
        visit = await practice.appointment(hours=30)
        await practice.execute(
            "UPDATE reminders SET due_at = now() WHERE moment = 0 AND state = 'planned'"
        )
        await practice.tick()
        [(call_id, _)] = await practice.calls()
        return visit, call_id

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
    async def test_an_answer_ends_every_reminder(self, practice, called, answer, status):
        visit, call_id = called
        await practice.answer(call_id, answer)
        assert (await practice.read(visit)).status == status
        await practice.end(call_id, Outcome.CONNECTED)
        await practice.tick()
        assert await practice.reminder(visit) == ("done", 1, None)
        state, attempts, _ = await practice.reminder(visit, moment=1)
        assert (state, attempts) == ("dropped", 0)

    @pytest.mark.parametrize("answer", [Answer.HEARD, Answer.MESSAGE_LEFT, Answer.TALKED])
    async def test_who_only_heard_it_is_reminded_again_by_the_plan(self, practice, called, answer):
        visit, call_id = called
        await practice.answer(call_id, answer)
        await practice.end(call_id, Outcome.CONNECTED)
        await practice.tick()
        assert (await practice.read(visit)).status == "reminded"
        assert await practice.reminder(visit) == ("done", 1, None)
        assert await practice.reminder(visit, moment=1) == ("planned", 0, None)

    async def test_an_opt_out_holds_for_the_contact(self, practice, called):
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
    async def test_who_was_missed_is_tried_again_busy_ones_soon(
        self, practice, called, outcome, minutes
    ):
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

    async def test_a_wrong_number_is_not_tried_again(self, practice, called):
        visit, call_id = called
        await practice.end(call_id, Outcome.CONTACT_INVALID_NUMBER)
        await practice.tick()
        assert await practice.reminder(visit) == ("done", 1, "attempts_used_up")

    async def test_after_the_last_try_of_the_last_reminder_the_contact_is_unreachable(
        self, practice, called
    ):
        visit, call_id = called
        for _ in range(2):
            [(call_id, _)] = await practice.calls()
            await practice.end(call_id, Outcome.CONTACT_NO_ANSWER)
            await practice.tick()
            await practice.execute("UPDATE reminders SET due_at = now() WHERE attempts = 1")
            await practice.tick()
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
    async def test_a_call_that_rang_nobody_is_no_try_and_comes_again_soon(
        self, practice, called, outcome
    ):
        visit, call_id = called
        await practice.end(call_id, outcome)
        await practice.tick()
        assert await practice.reminder(visit) == ("planned", 0, None)
        assert await practice.due_in(visit) == timedelta(minutes=10)
        await practice.execute("UPDATE reminder_plans SET max_calls_per_day = 1")
        await practice.make_due(visit)
        await practice.tick()
        assert await practice.reminder(visit) == ("calling", 1, None)

    async def test_a_country_that_is_not_allowed_any_more_is_not_tried_again(
        self, practice, called
    ):
        visit, call_id = called
        await practice.end(call_id, Outcome.BLOCKED, "destination_not_allowed: not any more")
        await practice.tick()
        assert await practice.reminder(visit) == ("done", 0, "attempts_used_up")

    async def test_who_may_not_be_called_any_more_after_tries_in_vain_is_unreachable(
        self, practice, called
    ):
        visit, call_id = called
        for _ in range(2):
            [(call_id, _)] = await practice.calls()
            await practice.end(call_id, Outcome.CONTACT_NO_ANSWER)
            await practice.tick()
            await practice.execute("UPDATE reminders SET due_at = now() WHERE attempts = 1")
            await practice.tick()
        await practice.execute("UPDATE reminder_plans SET max_calls_per_30_days = 2")
        await practice.make_due()
        await practice.tick()
        assert await practice.reminder(visit, moment=1) == ("dropped", 0, "too_many_calls")
        told = await practice.read(visit)
        assert (told.status, told.status_call_id) == ("unreachable", call_id)

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
        self, practice, called, answer, status
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
        self, practice, called, answer
    ):
        visit, call_id = called
        await practice.change(visit, status="cancelled")
        await practice.answer(call_id, answer)
        await practice.end(call_id, Outcome.CONNECTED)
        await practice.tick()
        told = await practice.read(visit)
        assert (told.status, told.status_call_id) == ("cancelled", None)
        assert [each["answer"] for each in told.attempts] == [answer]

    async def test_of_one_that_was_deleted_meanwhile_nothing_is_told(self, practice, called):
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

    async def test_an_opt_out_holds_though_the_appointment_was_cancelled_meanwhile(
        self, practice, called
    ):
        visit, call_id = called
        await practice.change(visit, status="cancelled")
        await practice.answer(call_id, Answer.OPTED_OUT)
        assert (await practice.read(visit)).status == "cancelled"
        assert await practice.execute("SELECT opted_out FROM contacts") == [(True,)]

    async def test_what_was_answered_elsewhere_meanwhile_gives_way_to_what_the_contact_says_now(
        self, practice, called
    ):
        visit, call_id = called
        await practice.change(visit, status="confirmed")
        await practice.answer(call_id, Answer.HEARD)
        assert (await practice.read(visit)).status == "confirmed"
        await practice.answer(call_id, Answer.RESCHEDULE_REQUESTED)
        assert (await practice.read(visit)).status == "reschedule_requested"

    @pytest.mark.parametrize("status", ["confirmed", "cancelled"])
    async def test_who_is_missed_is_not_called_again_once_it_was_answered_elsewhere(
        self, practice, called, status
    ):
        visit, call_id = called
        await practice.change(visit, status=status)
        await practice.end(call_id, Outcome.CONTACT_BUSY)
        await practice.tick()
        assert await practice.reminder(visit) == ("done", 1, "answered")
        assert (await practice.read(visit)).status == status

    async def test_one_that_moved_meanwhile_is_reminded_of_anew(self, practice, called):
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

    async def test_what_could_not_be_stored_during_the_call_is_settled_from_its_events(
        self, practice, called
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

    async def test_an_answer_is_not_undone_by_a_weaker_one(self, practice, called):
        visit, call_id = called
        await practice.answer(call_id, Answer.CONFIRMED)
        await practice.answer(call_id, Answer.HEARD)
        assert (await practice.read(visit)).status == "confirmed"


async def test_it_rings_for_as_long_as_the_plan_says(practice):
    await practice.plan(ring_seconds=20)
    await practice.appointment()
    await practice.make_due()
    await practice.tick()
    [(options,)] = await practice.execute("SELECT options FROM calls")
    assert options["ring_seconds"] == {"contact": 20}


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
