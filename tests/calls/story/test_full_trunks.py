"""Trunks that are full, or fail: the next one carries the call, or nobody does."""

import pytest
from calls.in_memory import (
    ANSWERS,
    RINGS_FOR_EVER,
    Answers,
    HangsUp,
    MemoryPlaces,
    Refuses,
    Rings,
    call_plan,
    leg_plan,
    user,
)

from twoleg.calls.plan import AgentPlan
from twoleg.sip import RefusalCause

CONTACT = (Rings(), Answers(), HangsUp(20.0))


def limited(name, trunk_id, **values):
    return leg_plan(name, trunk_id=trunk_id, is_limited=True, **values)


def plan(**values):
    return call_plan(trunks=(limited("first", 1), limited("second", 2)), **values)


def test_a_call_has_its_place_until_its_leg_is_over(tell):
    places = MemoryPlaces({1: 1, 2: 1})
    seen = []
    told = tell(
        {"agent": ANSWERS, "first": CONTACT},
        plan(),
        trunks=places,
        meanwhile=[(10.0, lambda told: seen.append(dict(places.places)))],
    )
    assert told.outcome == "connected"
    assert seen == [{1: 0, 2: 1}]
    assert places.places == {1: 1, 2: 1}


def test_the_next_trunk_carries_what_the_first_has_no_room_for(tell):
    told = tell({"agent": ANSWERS, "second": CONTACT}, plan(), trunks=MemoryPlaces({1: 0, 2: 1}))
    assert told.outcome == "connected"
    assert "first" not in told.phone.legs


def test_a_call_that_no_trunk_has_room_for_is_blocked_and_says_so(tell):
    told = tell({"agent": ANSWERS}, plan(), trunks=MemoryPlaces({1: 0, 2: 0}))
    assert (told.outcome, told.ended_by) == ("blocked", "system")
    assert told.writer.ending.failure == "every trunk of the line carries as many calls as it may"
    assert told.agent_heard[-1] == "congestion CH"


def test_a_place_is_given_back_when_the_trunk_fails(tell):
    places = MemoryPlaces({1: 1, 2: 1})
    told = tell(
        {"agent": ANSWERS, "first": (Refuses(503),), "second": CONTACT}, plan(), trunks=places
    )
    assert told.outcome == "connected"
    assert places.places == {1: 1, 2: 1}


def test_a_call_waits_for_its_turn(tell):
    told = tell({"agent": ANSWERS, "first": CONTACT}, plan(), trunks=MemoryPlaces({1: 1}, turn=3.0))
    # Two seconds until the agent answers, the moment that its ACK waits, and the turn.
    assert told.phone.legs["first"].sent_at["INVITE"] == 5.002


def test_an_agent_is_rung_over_the_next_trunk(tell):
    agent = limited("mine", 1, otherwise=limited("mine-too", 2))
    told = tell(
        {"mine-too": ANSWERS, "contact": CONTACT},
        call_plan((AgentPlan(endpoints=(agent,), user_id=7, screening="never"),)),
        trunks=MemoryPlaces({1: 0, 2: 1}),
    )
    assert told.outcome == "connected"
    assert "mine" not in told.phone.legs


def unscreened(phone):
    return call_plan((AgentPlan(endpoints=(phone,), user_id=7, screening="never"),))


@pytest.mark.parametrize(
    "fails",
    [
        Refuses(503),
        Refuses(0, cause=RefusalCause.TIMEOUT),
        Refuses(0, cause=RefusalCause.TRANSPORT),
    ],
    ids=["503", "no answer", "unreachable"],
)
def test_an_agent_is_rung_over_the_next_trunk_where_one_fails(tell, fails):
    agent = leg_plan("mine", trunk_id=1, otherwise=leg_plan("mine-too", trunk_id=2))
    told = tell({"mine": (fails,), "mine-too": ANSWERS, "contact": CONTACT}, unscreened(agent))
    assert told.outcome == "connected"
    assert [leg.trunk_id for leg in told.writer.legs.values()] == [1, 2, 1]


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        ((Rings(), Refuses(503, after=5.0)), "agent_unreachable"),
        ((Refuses(486),), "agent_busy"),
        ((Refuses(500, q850=21),), "agent_declined"),
    ],
    ids=["rang", "busy", "declined behind a gateway"],
)
def test_an_agent_whose_phone_was_reached_is_not_rung_over_another_trunk(tell, first, outcome):
    agent = leg_plan("mine", trunk_id=1, otherwise=leg_plan("mine-too", trunk_id=2))
    told = tell({"mine": first, "mine-too": ANSWERS}, unscreened(agent))
    assert told.outcome == outcome
    assert "mine-too" not in told.phone.legs


def test_an_agent_is_rung_no_longer_for_having_two_trunks(tell):
    agent = leg_plan("mine", trunk_id=1, otherwise=leg_plan("mine-too", trunk_id=2))
    told = tell({"mine": (Refuses(503, after=8.0),), "mine-too": RINGS_FOR_EVER}, unscreened(agent))
    assert told.outcome == "agent_no_answer"
    assert told.writer.ending.agent_ring_seconds == 30.0


@pytest.mark.parametrize(
    ("other", "outcome"), [((Refuses(486),), "agent_busy"), ((Refuses(404),), "blocked")]
)
def test_an_agent_that_no_trunk_has_room_for_counts_where_nothing_tells_more(tell, other, outcome):
    agent = AgentPlan(endpoints=(limited("mine", 1),), user_id=7)
    told = tell(
        {"other": other},
        call_plan((agent, user("other", user_id=8))),
        trunks=MemoryPlaces({1: 0}),
    )
    assert told.outcome == outcome
