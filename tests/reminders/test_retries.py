"""What follows on a reminder call that reached nobody, on a plain day and at its edges."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from twoleg.calls.outcomes import Outcome
from twoleg.directory.quiet_hours import QuietHours
from twoleg.reminders.calling_hours import EVERY_DAY, CallingHours, public_holidays
from twoleg.reminders.retries import RetryRules, next_attempt
from twoleg.reminders.timing import Dropped

BERLIN = ZoneInfo("Europe/Berlin")
RULES = RetryRules(max_attempts=3, busy=timedelta(minutes=10), no_answer=timedelta(hours=2))
AT_NIGHT = QuietHours(start=time(21), end=time(8))
ENDED = "2026-06-09 19:30"


def again(
    outcome=Outcome.CONTACT_NO_ANSWER,
    ended=ENDED,
    starts="2026-06-12 10:00",
    *,
    attempts=1,
    failure=None,
    **hours,
):
    """When the contact is called again, on its own clock in Berlin; or why not."""
    at = next_attempt(
        outcome,
        failure=failure,
        ended_at=datetime.fromisoformat(ended).replace(tzinfo=BERLIN).astimezone(UTC),
        attempts=attempts,
        rules=RULES,
        hours=CallingHours(zone=BERLIN, **hours),
        starts_at=datetime.fromisoformat(starts).replace(tzinfo=BERLIN).astimezone(UTC),
    )
    if isinstance(at, Dropped):
        return at
    return at.astimezone(BERLIN).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("outcome", "at"),
    [
        (Outcome.CONTACT_BUSY, "19:40"),
        (Outcome.CONTACT_NO_ANSWER, "21:30"),
        (Outcome.CONTACT_DECLINED, "21:30"),
        (Outcome.CONTACT_UNREACHABLE, "21:30"),
        (Outcome.CONTACT_VOICEMAIL, "21:30"),
        (Outcome.CONNECTED, "21:30"),
        (Outcome.FAILED, "21:30"),
        (Outcome.BLOCKED, "19:40"),
        (Outcome.EXPIRED, "19:40"),
    ],
)
def test_who_is_busy_is_called_again_soon_and_who_does_not_answer_later(outcome, at):
    assert again(outcome) == f"2026-06-09 {at}"


@pytest.mark.parametrize("outcome", [Outcome.CONTACT_INVALID_NUMBER, Outcome.CANCELED])
def test_what_would_come_to_the_same_is_not_tried_again(outcome):
    assert again(outcome) is Dropped.ATTEMPTS_USED_UP


@pytest.mark.parametrize(
    "rule", ["contact_opted_out", "destination_not_allowed", "emergency_number"]
)
def test_nor_is_what_a_rule_that_stays_has_blocked(rule):
    assert again(Outcome.BLOCKED, failure=f"{rule}: it says so") is Dropped.ATTEMPTS_USED_UP


def test_what_quiet_hours_have_blocked_comes_again():
    assert again(Outcome.BLOCKED, failure="quiet_hours: it is night") == "2026-06-09 19:40"


def test_it_is_tried_as_often_as_the_plan_says():
    assert again(attempts=2) == "2026-06-09 21:30"
    assert again(attempts=3) is Dropped.ATTEMPTS_USED_UP


class TestNeverWhenTheContactIsLeftAlone:
    def test_the_night_is_waited_for(self):
        assert again(quiet=AT_NIGHT) == "2026-06-10 08:00"
        assert again(Outcome.CONTACT_BUSY, quiet=AT_NIGHT) == "2026-06-09 19:40"

    def test_the_night_of_a_change_of_clocks_is_so_much_shorter_or_longer(self):
        for day, morning in (("03-28", "2026-03-29 08:00"), ("10-24", "2026-10-25 08:00")):
            starts = "2026-12-01 10:00"
            assert again(ended=f"2026-{day} 20:00", starts=starts, quiet=AT_NIGHT) == morning

    def test_days_off_and_public_holidays_are_passed_over(self):
        friday = "2026-12-24 17:00"
        found = again(
            ended=friday,
            starts="2027-01-05 10:00",
            quiet=QuietHours(start=time(18), end=time(9)),
            weekdays=EVERY_DAY - {6, 7},
            days_off=public_holidays("DE"),
        )
        # Christmas is a Friday, and Saturday and Sunday are no working days.
        assert found == "2026-12-28 09:00"


class TestNeverAfterTheAppointment:
    @pytest.mark.parametrize(
        ("starts", "at"),
        [
            ("2026-06-09 21:45", "2026-06-09 21:30"),
            ("2026-06-09 21:44", Dropped.APPOINTMENT_BEGINS),
            ("2026-06-09 20:00", Dropped.APPOINTMENT_BEGINS),
        ],
    )
    def test_nor_in_its_last_quarter_of_an_hour(self, starts, at):
        assert again(starts=starts) == at

    def test_nor_where_the_night_ends_too_late(self):
        assert again(starts="2026-06-10 08:10", quiet=AT_NIGHT) is Dropped.APPOINTMENT_BEGINS
