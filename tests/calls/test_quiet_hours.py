"""Quiet hours by the contact's own clock, through its changes between summer and winter."""

from datetime import datetime

import pytest

from twoleg.calls.admission_rules import is_quiet

NIGHT = {"start": "21:00", "end": "08:00"}
ZURICH, NEW_YORK, HONOLULU = "+41445550123", "+12125550123", "+18085550123"
SATELLITE = "+881612345678"


def quiet(at, *, hours=NIGHT, number=ZURICH, zone=None, account="UTC"):
    return is_quiet(hours, number, zone, account, datetime.fromisoformat(at))


@pytest.mark.parametrize(
    ("at", "is_night"),
    [
        ("2026-03-28T06:59:59+00:00", True),
        ("2026-03-28T07:00:00+00:00", False),
        # Summer has begun in the night: eight o'clock comes an hour earlier.
        ("2026-03-29T05:59:59+00:00", True),
        ("2026-03-29T06:00:00+00:00", False),
        ("2026-03-29T18:59:59+00:00", False),
        ("2026-03-29T19:00:00+00:00", True),
        ("2026-10-24T06:00:00+00:00", False),
        # It has ended.
        ("2026-10-25T06:59:59+00:00", True),
        ("2026-10-25T07:00:00+00:00", False),
    ],
)
def test_eight_in_the_morning_is_eight_in_summer_and_winter(at, is_night):
    assert quiet(at) is is_night


@pytest.mark.parametrize("at", ["2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00"])
def test_an_hour_that_comes_twice_is_quiet_twice(at):
    assert quiet(at, hours={"start": "02:00", "end": "03:00"})


def test_the_contacts_zone_goes_before_the_numbers_and_that_before_the_accounts():
    at = "2026-07-01T12:00:00+00:00"  # 14:00 in Zurich, 08:00 in New York, 02:00 in Honolulu
    assert not quiet(at, number=NEW_YORK, account="Pacific/Honolulu")
    assert quiet(at, number=HONOLULU, account="Europe/Zurich")
    assert not quiet(at, number=HONOLULU, zone="Europe/Zurich")
    assert quiet(at, number=SATELLITE, account="Pacific/Honolulu")
    assert not quiet(at, number=SATELLITE, account="Europe/Zurich")


def test_without_quiet_hours_no_time_is_quiet():
    assert not quiet("2026-07-01T01:00:00+00:00", hours=None)
