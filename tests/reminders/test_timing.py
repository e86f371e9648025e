"""When reminders are due, on plain days and on those when clocks change."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.directory.quiet_hours import QuietHours
from twoleg.directory.wall_clock import UnknownZone, instant_of, wall_of, zone_of
from twoleg.reminders.calling_hours import EVERY_DAY, CallingHours, public_holidays
from twoleg.reminders.timing import LEAD, Dropped, Moment, due_at

BERLIN = zone_of("Europe/Berlin")
LOS_ANGELES = zone_of("America/Los_Angeles")
AT_NIGHT = QuietHours(start=time(21), end=time(8))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

ONE_DAY = Moment(days_before=1)
TWO_HOURS = Moment(minutes_before=120)
EVENING_BEFORE = Moment(days_before=1, at=time(18))


def due(moment, starts, zone=BERLIN, *, known_since=LONG_AGO, **hours):
    """When the contact is called, as its own clock shows it."""
    hours = CallingHours(**{"zone": zone} | hours)
    starts_at = instant_of(datetime.fromisoformat(starts), zone)
    at = due_at(moment, starts_at=starts_at, zone=zone, hours=hours, known_since=known_since)
    return at if isinstance(at, Dropped) else wall_of(at, hours.zone).isoformat(" ", "minutes")


class TestWallTime:
    def test_one_that_the_clocks_leave_out_is_read_with_the_offset_before(self):
        left_out = datetime(2026, 3, 29, 2, 30)
        assert wall_of(instant_of(left_out, BERLIN), BERLIN) == datetime(2026, 3, 29, 3, 30)

    def test_one_that_comes_twice_is_its_first(self):
        twice = datetime(2026, 10, 25, 2, 30)
        assert instant_of(twice, BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("zone", "left_out", "read", "instant"),
        [
            ("America/New_York", "2026-03-08T02:30", "2026-03-08T03:30", "2026-03-08T07:30"),
            ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-04T02:45", "2026-10-03T15:45"),
            ("Africa/Casablanca", "2026-03-22T02:30", "2026-03-22T03:30", "2026-03-22T02:30"),
        ],
    )
    def test_gaps_are_passed_over_by_their_own_length(self, zone, left_out, read, instant):
        zone = ZoneInfo(zone)
        meant = instant_of(datetime.fromisoformat(left_out), zone)
        assert wall_of(meant, zone) == datetime.fromisoformat(read)
        assert meant == datetime.fromisoformat(instant).replace(tzinfo=UTC)

    @pytest.mark.parametrize(
        ("zone", "twice", "instant"),
        [
            ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
            ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
            ("Africa/Casablanca", "2026-02-15T02:30", "2026-02-15T01:30"),
        ],
    )
    def test_overlaps_are_read_as_their_first_time(self, zone, twice, instant):
        meant = instant_of(datetime.fromisoformat(twice), ZoneInfo(zone))
        assert meant == datetime.fromisoformat(instant).replace(tzinfo=UTC)

    def test_a_zone_that_is_none_is_said_by_name(self):
        for name in ("Europe/Nowhere", "", "../etc/passwd", "a\0b"):
            with pytest.raises(UnknownZone) as caught:
                zone_of(name)
            assert caught.value.name == name


class TestTheWantedTime:
    @pytest.mark.parametrize(
        ("moment", "expected"),
        [
            (ONE_DAY, "2026-06-09 10:00"),
            (TWO_HOURS, "2026-06-10 08:00"),
            (EVENING_BEFORE, "2026-06-09 18:00"),
            (Moment(days_before=0, at=time(8)), "2026-06-10 08:00"),
        ],
    )
    def test_is_days_of_the_calendar_minutes_or_a_fixed_time(self, moment, expected):
        assert due(moment, "2026-06-10T10:00") == expected

    @pytest.mark.parametrize(
        ("zone", "starts", "day_before", "two_hours_before"),
        [
            # Clocks go forward, and the night is an hour shorter.
            ("Europe/Berlin", "2026-03-29T10:00", "2026-03-28 10:00", "2026-03-29 08:00"),
            ("Europe/Berlin", "2026-03-29T04:00", "2026-03-28 04:00", "2026-03-29 01:00"),
            ("America/Los_Angeles", "2026-03-08T04:00", "2026-03-07 04:00", "2026-03-08 01:00"),
            # Clocks go back.
            ("Europe/Berlin", "2026-10-25T04:00", "2026-10-24 04:00", "2026-10-25 02:00"),
            ("America/New_York", "2026-11-01T03:00", "2026-10-31 03:00", "2026-11-01 01:00"),
            # Half an hour, on the southern half of the world.
            ("Australia/Lord_Howe", "2026-10-04T04:00", "2026-10-03 04:00", "2026-10-04 01:30"),
            ("Australia/Lord_Howe", "2026-04-05T04:00", "2026-04-04 04:00", "2026-04-05 02:00"),
            # An hour forward, in the southern spring; and Ramadan's hour back, in Morocco's winter.
            ("America/Santiago", "2026-09-06T10:00", "2026-09-05 10:00", "2026-09-06 08:00"),
            ("Africa/Casablanca", "2026-02-15T03:30", "2026-02-14 03:30", "2026-02-15 02:30"),
            ("Africa/Casablanca", "2026-03-22T04:00", "2026-03-21 04:00", "2026-03-22 01:00"),
            # A day that the calendar left out.
            ("Pacific/Apia", "2011-12-31T10:00", "2011-12-31 10:00", "2011-12-31 08:00"),
        ],
    )
    def test_keeps_the_clock_over_days_and_the_length_over_hours(
        self, zone, starts, day_before, two_hours_before
    ):
        ever = datetime(2000, 1, 1, tzinfo=UTC)
        zone = ZoneInfo(zone)
        assert due(TWO_HOURS, starts, zone, known_since=ever) == two_hours_before
        if zone.key != "Pacific/Apia":
            assert due(ONE_DAY, starts, zone, known_since=ever) == day_before

    @pytest.mark.parametrize(
        ("zone", "second"),
        [
            ("Europe/Berlin", "2026-10-25T01:30"),
            ("America/New_York", "2026-11-01T06:30"),
            ("Australia/Lord_Howe", "2026-04-04T15:15"),
        ],
    )
    def test_is_minutes_before_the_instant_also_where_the_clocks_show_it_a_second_time(
        self, zone, second
    ):
        starts_at = datetime.fromisoformat(second).replace(tzinfo=UTC)
        wanted = TWO_HOURS.wanted_at(starts_at, ZoneInfo(zone))
        assert wanted == starts_at - timedelta(hours=2)

    @pytest.mark.parametrize(
        ("zone", "starts", "at", "called"),
        [
            ("Europe/Berlin", "2026-03-29T12:00", "02:30", "2026-03-29 03:30"),
            ("America/New_York", "2026-11-01T12:00", "01:30", "2026-11-01 01:30"),
            ("Africa/Casablanca", "2026-03-22T12:00", "02:30", "2026-03-22 03:30"),
        ],
    )
    def test_is_a_fixed_time_also_on_days_whose_clocks_leave_it_out_or_show_it_twice(
        self, zone, starts, at, called
    ):
        moment = Moment(days_before=0, at=time.fromisoformat(at))
        assert due(moment, starts, ZoneInfo(zone)) == called

    def test_is_of_the_appointments_zone_and_the_hours_of_the_contacts(self):
        starts_at = instant_of(datetime(2026, 6, 10, 10), BERLIN)
        hours = CallingHours(zone=LOS_ANGELES, quiet=AT_NIGHT)
        at = due_at(TWO_HOURS, starts_at=starts_at, zone=BERLIN, hours=hours, known_since=LONG_AGO)
        # 08:00 in Berlin is 23:00 in Los Angeles, and the appointment there is at 01:00.
        assert wall_of(at, LOS_ANGELES) == datetime(2026, 6, 9, 20, 59)


class TestQuietHours:
    def test_are_waited_for_where_time_enough_is_left(self):
        assert due(TWO_HOURS, "2026-06-10T09:00", quiet=AT_NIGHT) == "2026-06-10 08:00"

    def test_are_called_before_where_it_is_not(self):
        assert due(TWO_HOURS, "2026-06-10T08:10", quiet=AT_NIGHT) == "2026-06-09 20:59"

    def test_within_one_day_are_passed_over_alike(self):
        siesta = QuietHours(start=time(13), end=time(16))
        assert due(TWO_HOURS, "2026-06-10T17:00", quiet=siesta) == "2026-06-10 16:00"
        assert due(TWO_HOURS, "2026-06-10T16:05", quiet=siesta) == "2026-06-10 12:59"

    @pytest.mark.parametrize(
        ("zone", "starts", "ends", "called"),
        [
            # They end at a time that the clocks leave out, and at one that comes twice.
            ("Europe/Berlin", "2026-03-29T12:00", "02:30", "2026-03-29 03:30"),
            ("Europe/Berlin", "2026-10-25T12:00", "02:30", "2026-10-25 02:30"),
            ("America/New_York", "2026-03-08T12:00", "02:30", "2026-03-08 03:30"),
            ("America/New_York", "2026-11-01T12:00", "01:30", "2026-11-01 01:30"),
            ("Australia/Lord_Howe", "2026-10-04T12:00", "02:15", "2026-10-04 02:45"),
            ("Africa/Casablanca", "2026-03-22T12:00", "02:30", "2026-03-22 03:30"),
        ],
    )
    def test_that_end_while_the_clocks_change_are_over_then(self, zone, starts, ends, called):
        quiet = QuietHours(start=time(21), end=time.fromisoformat(ends))
        midnight = Moment(days_before=0, at=time(0, 5))
        assert due(midnight, starts, ZoneInfo(zone), quiet=quiet) == called

    def test_that_leave_no_time_drop_the_reminder(self):
        evening = instant_of(datetime(2026, 6, 9, 22), BERLIN)
        told = due(TWO_HOURS, "2026-06-10T08:10", quiet=AT_NIGHT, known_since=evening)
        assert told is Dropped.NO_TIME_ALLOWED


class TestDaysOff:
    def test_move_the_reminder_to_the_day_before_at_the_same_time(self):
        working_days = EVERY_DAY - {6, 7}
        assert due(ONE_DAY, "2026-06-08T10:00", weekdays=working_days) == "2026-06-05 10:00"

    def test_are_public_holidays_too(self):
        off = public_holidays("DE")
        assert due(ONE_DAY, "2026-05-02T10:00", days_off=off) == "2026-04-30 10:00"
        assert date(2026, 12, 25) in off

    def test_of_a_country_that_is_not_known_are_none(self):
        assert date(2026, 12, 25) not in public_holidays("ZZ")


class TestTooLate:
    def test_an_appointment_made_after_its_reminder_was_wanted_has_none(self):
        made = instant_of(datetime(2026, 6, 9, 12), BERLIN)
        assert due(ONE_DAY, "2026-06-10T10:00", known_since=made) is Dropped.MADE_TOO_LATE
        assert due(TWO_HOURS, "2026-06-10T10:00", known_since=made) == "2026-06-10 08:00"

    def test_a_time_right_before_the_appointment_is_none(self):
        moment = Moment(minutes_before=10)
        assert due(moment, "2026-06-10T10:00") is Dropped.MADE_TOO_LATE


ZONES = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC",
     "America/St_Johns", "Africa/Casablanca"]
).map(ZoneInfo)  # fmt: skip
TIMES = st.times().map(lambda each: each.replace(second=0, microsecond=0))
HOURS = st.builds(
    CallingHours,
    zone=ZONES,
    quiet=st.none() | st.builds(QuietHours, start=TIMES, end=TIMES),
    weekdays=st.frozensets(st.integers(1, 7), min_size=1),
    days_off=st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=20),
)
INSTANTS = st.datetimes(datetime(2026, 1, 10), datetime(2026, 12, 20), timezones=st.just(UTC)).map(
    lambda each: each.replace(second=0, microsecond=0)
)
MOMENTS = st.builds(
    Moment,
    days_before=st.integers(0, 7),
    minutes_before=st.integers(0, 3000),
    at=st.none() | TIMES,
)


@given(moment=MOMENTS, starts_at=INSTANTS, zone=ZONES, hours=HOURS, known=st.integers(0, 20_000))
def test_whatever_is_asked_nobody_is_called_when_they_may_not_be(
    moment, starts_at, zone, hours, known
):
    known_since = starts_at - timedelta(minutes=known)
    at = due_at(moment, starts_at=starts_at, zone=zone, hours=hours, known_since=known_since)
    if not isinstance(at, Dropped):
        assert hours.allow(at)
        assert known_since <= at <= starts_at - LEAD


# The nights on which clocks change, and the days around them.
CHANGES = st.sampled_from(
    [
        ("UTC", "2026-06-10"),
        ("Asia/Kathmandu", "2026-06-10"),
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
        ("America/New_York", "2026-03-08"),
        ("America/New_York", "2026-11-01"),
        ("America/Santiago", "2026-09-06"),
        ("America/Havana", "2026-11-01"),
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-10-04"),
        ("Africa/Casablanca", "2026-02-15"),
    ]
)


STEADY = ("UTC", "Asia/Kathmandu")
A_CHANGE = timedelta(hours=1)

# Clocks change in the early morning: that is where quiet hours are to begin and end.
EARLY = st.integers(0, 16).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))
QUIET = st.builds(QuietHours, start=EARLY | TIMES, end=EARLY)
PASSED = st.integers(-6, 12).map(lambda hours: hours * 60) | st.integers(-36 * 60, 36 * 60)


@given(hours=HOURS, quiet=QUIET, change=CHANGES, passed=PASSED)
def test_the_next_time_allowed_is_the_first_give_or_take_a_change_of_clocks(
    hours, quiet, change, passed
):
    zone, day = change
    instant = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=passed)
    hours = replace(hours, zone=ZoneInfo(zone), quiet=quiet)
    minutes = (instant + timedelta(minutes=passed) for passed in range(3 * 24 * 60))
    first = next((minute for minute in minutes if hours.allow(minute)), None)
    found = hours.next_allowed(instant)
    if first is not None:
        assert hours.allow(found)
        assert first <= found <= first + (zone not in STEADY) * A_CHANGE
    else:
        assert found is None or found > instant


@given(hours=HOURS, quiet=QUIET, change=CHANGES, passed=PASSED)
def test_the_last_time_allowed_before_is_the_last_give_or_take_a_change_of_clocks(
    hours, quiet, change, passed
):
    zone, day = change
    instant = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=passed)
    hours = replace(hours, zone=ZoneInfo(zone), quiet=quiet)
    if hours.allow(instant):
        return  # it is asked for only where it is not
    minutes = (instant - timedelta(minutes=passed) for passed in range(1, 3 * 24 * 60))
    last = next((minute for minute in minutes if hours.allow(minute)), None)
    found = hours.last_allowed(instant)
    if last is not None:
        assert hours.allow(found)
        assert last >= found >= last - (zone not in STEADY) * A_CHANGE
    else:
        assert found is None or found < instant
