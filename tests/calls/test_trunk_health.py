"""Which trunks are tried last: by what calls over them came to, and OPTIONS."""

import pytest

from twoleg.calls.trunk_health import FAILING_SECONDS, TrunkHealth
from twoleg.sip import RefusalCause
from twoleg.sip_io import LegRefused

TRUNK, OTHER = 1, 2
TIMED_OUT = LegRefused(408, "Request Timeout", RefusalCause.TIMEOUT)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health(clock):
    return TrunkHealth(clock)


@pytest.mark.parametrize("cause", [RefusalCause.TIMEOUT, RefusalCause.TRANSPORT])
def test_a_trunk_that_did_not_answer_a_call_comes_last_for_a_while(health, clock, cause):
    health.refused(TRUNK, LegRefused(408, "", cause))
    assert health.is_failing(TRUNK)
    assert not health.is_failing(OTHER)
    clock.now += FAILING_SECONDS - 1
    assert health.is_failing(TRUNK)
    clock.now += 2
    assert not health.is_failing(TRUNK)


@pytest.mark.parametrize(
    ("refused", "failing"),
    [
        (LegRefused(503, "", RefusalCause.RESPONSE, retry_after=20.0), True),
        (LegRefused(503, "", RefusalCause.RESPONSE), False),
        (LegRefused(500, "", RefusalCause.RESPONSE), False),
        (LegRefused(486, "", RefusalCause.RESPONSE), False),
        (LegRefused(487, "", RefusalCause.CANCELED), False),
    ],
)
def test_what_may_be_about_one_number_says_nothing_of_the_trunk(health, refused, failing):
    health.refused(TRUNK, refused)
    assert health.is_failing(TRUNK) is failing


@pytest.mark.parametrize("seconds", [20.0, 86_400.0])
def test_a_trunk_that_says_when_to_come_back_is_left_alone_that_long_within_bounds(
    health, clock, seconds
):
    health.refused(TRUNK, LegRefused(503, "", RefusalCause.RESPONSE, retry_after=seconds))
    clock.now += min(seconds, FAILING_SECONDS) + 1
    assert not health.is_failing(TRUNK)


def test_a_call_that_gets_somewhere_shows_that_it_works(health):
    health.refused(TRUNK, TIMED_OUT)
    health.works(TRUNK)
    assert not health.is_failing(TRUNK)


def test_one_that_answers_options_is_last_for_as_long_as_it_does_not(health, clock):
    health.probed(TRUNK, is_there=True)
    health.probed(TRUNK, is_there=False)
    clock.now += 10 * FAILING_SECONDS
    health.refused(TRUNK, TIMED_OUT)
    clock.now += 10 * FAILING_SECONDS
    assert health.is_failing(TRUNK)
    health.probed(TRUNK, is_there=True)
    assert not health.is_failing(TRUNK)


def test_one_that_never_answered_options_is_judged_by_its_calls(health):
    health.probed(TRUNK, is_there=False)
    assert not health.is_failing(TRUNK)


def test_one_that_is_to_register_is_last_while_that_fails_from_the_first_time_on(health, clock):
    health.registered(TRUNK, holds=False)
    clock.now += 10 * FAILING_SECONDS
    assert health.is_failing(TRUNK)
    health.registered(TRUNK, holds=True)
    assert not health.is_failing(TRUNK)


def test_one_that_was_changed_is_judged_anew(health):
    health.probed(TRUNK, is_there=True)
    health.probed(TRUNK, is_there=False)
    health.forget(TRUNK)
    health.probed(TRUNK, is_there=False)
    assert not health.is_failing(TRUNK)
