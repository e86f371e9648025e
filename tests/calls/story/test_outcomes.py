"""What the far ends' answers mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.calls.outcomes import (
    AGENT_OUTCOMES,
    CONTACT_OUTCOMES,
    TONES,
    Refusal,
    is_trunk_failure,
    most_telling,
    refusal_of,
)
from twoleg.sip import RefusalCause
from twoleg.sip_io import LegRefused

RESPONSE = RefusalCause.RESPONSE


@pytest.mark.parametrize(
    ("table", "without"),
    [
        (AGENT_OUTCOMES, set()),
        (CONTACT_OUTCOMES, {Refusal.NOT_CONFIRMED}),
        (TONES, {Refusal.NOT_CONFIRMED}),
    ],
)
def test_every_refusal_has_its_place(table, without):
    assert set(table) == set(Refusal) - without


@given(
    status=st.integers(300, 699),
    cause=st.sampled_from(RefusalCause),
    q850=st.none() | st.integers(0, 127),
    rang=st.booleans(),
)
def test_every_response_means_something(status, cause, q850, rang):
    refused = LegRefused(status, "", cause, q850)
    assert refusal_of(refused, rang=rang) in Refusal
    if is_trunk_failure(refused) and not rang:
        assert refusal_of(refused, rang=rang) is Refusal.UNREACHABLE


def test_the_cause_of_the_network_says_more_than_the_status_of_the_gateway():
    refused = LegRefused(480, "Temporarily Unavailable", RESPONSE, 17)
    assert refusal_of(refused, rang=False) is Refusal.BUSY
    # 16 is normal clearing, 31 "normal, unspecified": they say nothing.
    for silent in (16, 31):
        assert refusal_of(LegRefused(486, "", RESPONSE, silent), rang=True) is Refusal.BUSY


@pytest.mark.parametrize("status", [408, 480])
def test_a_phone_that_rang_and_gave_up_did_not_answer(status):
    refused = LegRefused(status, "", RESPONSE)
    assert refusal_of(refused, rang=True) is Refusal.NO_ANSWER
    assert refusal_of(refused, rang=False) is Refusal.UNREACHABLE


def test_only_what_the_trunk_could_not_do_is_tried_over_another():
    assert is_trunk_failure(LegRefused(408, "", RefusalCause.TIMEOUT))
    assert is_trunk_failure(LegRefused(503, "", RefusalCause.TRANSPORT))
    assert is_trunk_failure(LegRefused(500, "", RESPONSE))
    assert is_trunk_failure(LegRefused(503, "", RESPONSE, 34))
    assert not is_trunk_failure(LegRefused(503, "", RESPONSE, 17))
    assert not is_trunk_failure(LegRefused(404, "", RESPONSE))
    assert not is_trunk_failure(LegRefused(603, "", RESPONSE))
    assert not is_trunk_failure(LegRefused(487, "", RefusalCause.CANCELED))


def test_nobody_at_all_is_unreachable():
    assert most_telling(set()) is Refusal.UNREACHABLE
