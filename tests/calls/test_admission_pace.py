"""A batch of requests waits for others only where enough of them are to come."""

import pytest

from twoleg.calls.admission_pace import (
    ENOUGH_FOR_A_BATCH,
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    AdmissionPace,
)

SETTLED = 50


def pause_at(per_second: float, *, waiting: int = 1) -> float:
    """Give the pause once requests have been coming at that rate, each batch as it says."""
    pace, now, pause = AdmissionPace(), 0.0, 0.0
    for _ in range(SETTLED):
        elapsed = pause + 0.005
        now += elapsed
        pace.taken(max(1, round(per_second * elapsed)), now)
        pause = pace.pause(waiting)
    return pause


@pytest.mark.parametrize("per_second", [1, 20, 100])
def test_a_lonely_request_waits_for_nobody(per_second):
    assert pause_at(per_second) == 0


@pytest.mark.parametrize("per_second", [300, 350])
def test_where_a_few_are_to_come_they_are_waited_for(per_second):
    assert pause_at(per_second) == LONGEST_SECONDS


def test_the_more_come_the_shorter_is_the_pause():
    pauses = [pause_at(rate) for rate in (400, 500, 600, 800, 1500)]
    assert pauses == sorted(pauses, reverse=True)
    assert 0 < pauses[-1] < pauses[0]


def test_of_a_thousand_a_second_none_waits_longer_than_it_must():
    assert pause_at(1000) == SHORTEST_SECONDS


def test_a_batch_that_is_full_enough_goes_at_once():
    assert pause_at(400, waiting=ENOUGH_FOR_A_BATCH) == 0
