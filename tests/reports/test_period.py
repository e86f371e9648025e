"""Which instants the days of a report are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from twoleg.reports.period import LONGEST, USUAL, InvalidPeriod, Period

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 6, 10, 22, 30, tzinfo=UTC)  # the 11th in Berlin


def of(first, last):
    return Period.of(first, last, BERLIN, NOW)


def test_days_are_whole_days_of_the_zone_the_last_one_included() -> None:
    found = of(date(2026, 3, 28), date(2026, 3, 29))
    assert (found.start, found.end) == (
        datetime(2026, 3, 27, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 22, tzinfo=UTC),
    )


def test_instants_are_taken_as_they_are() -> None:
    first, last = NOW - timedelta(hours=3), NOW
    assert (of(first, last).start, of(first, last).end) == (first, last)


def test_without_an_end_it_is_up_to_today_and_without_a_beginning_thirty_days() -> None:
    assert of(None, None).end == datetime(2026, 6, 11, 22, tzinfo=UTC)
    assert of(None, None).start == of(None, None).end - USUAL
    assert of(date(2026, 6, 11), None).start == datetime(2026, 6, 10, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last"),
    [(date(2026, 6, 2), date(2026, 6, 1)), (NOW, NOW), (date(2026, 7, 1), None)],
)
def test_an_end_before_the_beginning_is_refused(first, last) -> None:
    with pytest.raises(InvalidPeriod):
        of(first, last)


def test_a_time_of_many_years_is_refused() -> None:
    of(NOW - LONGEST, NOW)
    with pytest.raises(InvalidPeriod):
        of(NOW - LONGEST - timedelta(seconds=1), NOW)
