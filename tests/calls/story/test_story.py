"""What happens to the two, and what the record says of it, call by call."""

import logging

import pytest
from calls.in_memory import (
    ANSWERS,
    DEAD,
    RINGS_FOR_EVER,
    Answers,
    FallsSilent,
    HangsUp,
    PlaysEarly,
    Refuses,
    Rings,
    Vanishes,
    call_plan,
    leg_plan,
)

from twoleg.calls.story import StorySettings
from twoleg.sip import PCMA, RefusalCause

# The agent answers 2 s after it is rung, so that the contact is rung a commit later, at 2.002.
AGENT = ANSWERS


def test_an_agent_and_a_contact_are_joined_until_the_contact_hangs_up(tell):
    told = tell({"agent": AGENT, "contact": (Rings(), Answers(3.0), HangsUp(63.5))})
    assert told.writer.statuses == [
        "agent_ringing",
        "agent_connected",
        "contact_ringing",
        "bridged",
        "ended",
    ]
    assert [change.event.type for change in told.writer.changes] == [
        f"call.{status}" for status in told.writer.statuses
    ]
    assert (told.outcome, told.ended_by) == ("connected", "contact")
    assert told.sent("agent") == ["INVITE", "ACK", "BYE"]
    assert told.sent("contact") == ["INVITE", "ACK"]
    ending = told.writer.ending
    assert ending.agent_ring_seconds == 2.0
    assert ending.contact_ring_seconds == 3.0
    assert ending.talk_seconds == 60.5
    assert ending.total_seconds == 65.502


def test_the_agent_hangs_up_and_the_contact_is_let_go(tell):
    told = tell({"agent": (Rings(), Answers(2.0), HangsUp(30.0)), "contact": ANSWERS})
    assert (told.outcome, told.ended_by) == ("connected", "agent")
    assert told.sent("contact") == ["INVITE", "ACK", "BYE"]
    assert told.phone.legs["contact"].sent_at["BYE"] == 30.0


def test_the_contact_is_rung_only_when_an_agent_is_on_the_line(tell):
    told = tell({"agent": RINGS_FOR_EVER, "contact": ANSWERS})
    assert "contact" not in told.phone.legs
    assert told.outcome == "agent_no_answer"
    assert told.sent("agent") == ["INVITE", "CANCEL"]
    assert told.writer.ending.agent_ring_seconds == 30.0
    assert told.writer.ending.contact_ring_seconds is None
    assert told.writer.ending.talk_seconds == 0


@pytest.mark.parametrize(
    ("behaviour", "outcome", "ended_by"),
    [
        (RINGS_FOR_EVER, "agent_no_answer", "system"),
        (DEAD, "agent_unreachable", "system"),
        ((Refuses(486),), "agent_busy", "agent"),
        ((Refuses(600),), "agent_busy", "agent"),
        ((Refuses(603),), "agent_declined", "agent"),
        ((Refuses(480, q850=21),), "agent_declined", "agent"),
        ((Rings(), Refuses(480, after=20.0)), "agent_no_answer", "system"),
        ((Refuses(480),), "agent_unreachable", "system"),
        ((Refuses(404),), "agent_unreachable", "system"),
        ((Refuses(408, cause=RefusalCause.TIMEOUT),), "agent_unreachable", "system"),
        ((Refuses(503, cause=RefusalCause.TRANSPORT),), "agent_unreachable", "system"),
        ((Answers(body=b"not a session"),), "agent_unreachable", "system"),
    ],
)
def test_why_an_agent_was_not_reached(tell, behaviour, outcome, ended_by):
    told = tell({"agent": behaviour})
    assert (told.outcome, told.ended_by) == (outcome, ended_by)
    assert told.writer.statuses == ["agent_ringing", "ended"]


@pytest.mark.parametrize(
    ("behaviour", "outcome", "ended_by", "tone"),
    [
        (RINGS_FOR_EVER, "contact_no_answer", "system", "congestion CH"),
        (DEAD, "contact_unreachable", "system", "congestion CH"),
        ((Refuses(486),), "contact_busy", "contact", "busy CH"),
        ((Refuses(480, q850=17),), "contact_busy", "contact", "busy CH"),
        ((Refuses(603),), "contact_declined", "contact", "busy CH"),
        ((Rings(), Refuses(480, q850=19, after=40.0)), "contact_no_answer", "system", None),
        ((Refuses(480, q850=20),), "contact_unreachable", "system", "congestion CH"),
        ((Refuses(404),), "contact_invalid_number", "system", "special information"),
        ((Refuses(484),), "contact_invalid_number", "system", "special information"),
        ((Refuses(480, q850=1),), "contact_invalid_number", "system", "special information"),
        ((Refuses(503),), "contact_unreachable", "system", "congestion CH"),
        ((Refuses(403),), "contact_unreachable", "system", "congestion CH"),
        ((Answers(body=b"no session"),), "contact_unreachable", "system", "congestion CH"),
    ],
)
def test_why_a_contact_was_not_reached_and_what_the_agent_hears(
    tell, behaviour, outcome, ended_by, tone
):
    told = tell({"agent": AGENT, "contact": behaviour})
    assert (told.outcome, told.ended_by) == (outcome, ended_by)
    assert told.agent_heard == ["ringback CH", tone or "congestion CH"]
    assert told.sent("agent") == ["INVITE", "ACK", "BYE"]


def test_a_contact_that_does_not_answer_is_canceled_and_the_agent_hears_so_for_four_seconds(tell):
    told = tell({"agent": AGENT, "contact": RINGS_FOR_EVER})
    assert told.sent("contact") == ["INVITE", "CANCEL"]
    canceled, hung_up = (
        told.phone.legs["contact"].sent_at["CANCEL"],
        told.phone.legs["agent"].sent_at["BYE"],
    )
    assert hung_up - canceled == pytest.approx(4.0)
    # The tone is no part of the ringing.
    assert told.writer.ending.contact_ring_seconds == 60.0


def test_an_agent_who_hangs_up_during_the_tone_does_not_change_the_outcome(tell):
    told = tell({"agent": (Answers(1.0), HangsUp(3.0)), "contact": (Refuses(486),)})
    assert (told.outcome, told.ended_by) == ("contact_busy", "contact")
    assert told.ended_at == 3.0


def test_an_agent_who_hangs_up_before_the_contact_answers_ends_the_ringing(tell):
    told = tell({"agent": (Answers(1.0), HangsUp(6.0)), "contact": RINGS_FOR_EVER})
    assert (told.outcome, told.ended_by) == ("agent_hung_up", "agent")
    assert told.sent("contact") == ["INVITE", "CANCEL"]
    assert told.writer.ending.talk_seconds == 0


def test_the_agent_hears_ringback_and_then_the_contact(tell):
    told = tell({"agent": AGENT, "contact": (Rings(), Answers(), HangsUp(9.0))})
    assert told.agent_heard == ["ringback CH", "far end"]


def test_early_media_takes_the_place_of_the_ringback_once_there_is_any(tell):
    told = tell({"agent": AGENT, "contact": (PlaysEarly(0.5, 0.7), Answers(5.0), HangsUp(9.0))})
    assert told.agent_heard == ["ringback CH", "far end"]
    (bridge,) = told.plane.closed_bridges
    assert bridge.made_at == pytest.approx(2.702)


def test_a_stream_that_is_described_but_never_sent_leaves_the_ringback(tell):
    told = tell(
        {"agent": AGENT, "contact": (PlaysEarly(0.5, audio_after=None), Answers(5.0), HangsUp(9.0))}
    )
    (bridge,) = told.plane.closed_bridges
    assert bridge.made_at == pytest.approx(7.002)
    assert told.outcome == "connected"


def test_an_early_description_that_is_no_good_does_not_spoil_the_answer(tell):
    told = tell(
        {
            "agent": AGENT,
            "contact": (
                PlaysEarly(0.5, audio_after=None, body=b"v=0\r\nnonsense"),
                Answers(3.0),
                HangsUp(9.0),
            ),
        }
    )
    assert told.outcome == "connected"


def test_an_answer_without_a_body_repeats_the_early_one(tell):
    told = tell({"agent": AGENT, "contact": (PlaysEarly(), Answers(3.0, body=b""), HangsUp(9.0))})
    assert told.outcome == "connected"


def test_early_media_of_a_contact_that_is_then_busy_gives_way_to_the_tone(tell):
    told = tell({"agent": AGENT, "contact": (PlaysEarly(), Refuses(486, after=4.0))})
    assert told.agent_heard == ["ringback CH", "far end", "busy CH"]


def test_the_two_are_bridged_in_the_turn_after_the_contacts_answer(tell):
    steps = {}

    def look(told):
        steps["answered"] = told.plane.loop.steps

    told = tell(
        {"agent": AGENT, "contact": (Rings(), Answers(3.0), HangsUp(9.0))},
        meanwhile=[(5.002, look)],
    )
    (bridge,) = told.plane.closed_bridges
    assert bridge.made_in_step <= steps["answered"] + 1


def test_the_dialog_of_an_answer_is_stored_before_it_is_acknowledged(tell):
    told = tell({"agent": AGENT, "contact": (Answers(), HangsUp(9.0))}, commit_seconds=0.05)
    stored = told.writer.stored_at
    assert told.phone.legs["agent"].sent_at["ACK"] == pytest.approx(stored["agent_connected"])
    assert told.phone.legs["contact"].sent_at["ACK"] == pytest.approx(stored["bridged"])
    for change in told.writer.changes:
        if change.status in ("agent_connected", "bridged"):
            assert change.legs[-1].dialog is not None


def test_a_database_that_goes_away_ends_no_call_and_delays_the_ack_by_200_ms_at_most(tell):
    told = tell(
        {"agent": AGENT, "contact": (Answers(), HangsUp(60.0))},
        meanwhile=[(0.5, lambda told: setattr(told.writer, "away", True))],
    )
    assert told.outcome == "connected"
    agent, contact = told.phone.legs["agent"].sent_at, told.phone.legs["contact"].sent_at
    assert agent["ACK"] == pytest.approx(2.2)
    assert contact["INVITE"] == pytest.approx(2.2)
    (bridge,) = told.plane.closed_bridges
    assert bridge.made_at == pytest.approx(4.2)
    assert contact["ACK"] == pytest.approx(4.4)


def test_nothing_is_dialled_without_the_mark_of_the_attempt(tell):
    told = tell({"agent": AGENT, "contact": ANSWERS}, away=True)
    assert "contact" not in told.phone.legs
    assert told.outcome == "failed"
    assert told.writer.ending.failure == "the database did not take the attempt"


def test_the_attempt_is_marked_while_the_agent_rings(tell):
    told = tell({"agent": AGENT, "contact": (Answers(), HangsUp(9.0))})
    assert [change.status for change in told.writer.changes if change.contact_attempt_at] == [
        "agent_ringing"
    ]
    assert told.writer.stored_at["agent_ringing"] < 2.0


@pytest.mark.parametrize("lost_at", ["agent_ringing", "agent_connected", "bridged"])
def test_a_call_that_another_engine_took_over_is_left_to_it(tell, lost_at):
    told = tell({"agent": AGENT, "contact": ANSWERS}, claim_lost_at=lost_at)
    assert told.writer.statuses[-1] != "ended"
    if lost_at != "bridged":
        assert "contact" not in told.phone.legs


@pytest.mark.parametrize(
    ("at", "outcome"),
    [(1.0, "canceled"), (2.001, "canceled"), (3.0, "canceled"), (20.0, "connected")],
)
def test_the_api_hangs_up(tell, at, outcome):
    told = tell(
        {"agent": AGENT, "contact": ANSWERS}, meanwhile=[(at, lambda told: told.story.hang_up())]
    )
    assert (told.outcome, told.ended_by) == (outcome, "api")
    assert told.ended_at == pytest.approx(at)


def test_a_call_that_was_hung_up_before_it_was_claimed_rings_nobody(tell):
    told = tell({}, call_plan(hangup_requested=True))
    assert (told.outcome, told.ended_by) == ("canceled", "api")
    assert told.phone.legs == {}


def test_the_api_may_hang_up_twice_and_after_the_end(tell):
    def twice(told):
        told.story.hang_up()
        told.story.hang_up()

    told = tell({"agent": AGENT, "contact": ANSWERS}, meanwhile=[(1.0, twice)])
    told.story.hang_up()
    assert told.outcome == "canceled"


def test_a_call_lasts_no_longer_than_it_may(tell):
    told = tell({"agent": AGENT, "contact": ANSWERS}, call_plan(max_seconds=600.0))
    assert (told.outcome, told.ended_by) == ("connected", "system")
    assert told.ended_at == 600.0
    assert told.sent("agent")[-1] == told.sent("contact")[-1] == "BYE"


@pytest.mark.parametrize("dead", ["agent", "contact"])
def test_a_leg_without_audio_is_ended_as_dead(tell, dead):
    behaviours = {"agent": AGENT, "contact": ANSWERS}
    behaviours[dead] = (*behaviours[dead], FallsSilent(20.0))
    told = tell(behaviours, settings=StorySettings(silent_seconds=30.0))
    assert (told.outcome, told.ended_by) == ("connected", "system")
    assert told.record(dead).reason == "no audio for 30 s"


@pytest.mark.parametrize("gone", ["agent", "contact"])
def test_who_vanishes_has_not_hung_up(tell, gone):
    behaviours = {"agent": AGENT, "contact": ANSWERS}
    behaviours[gone] = (*behaviours[gone], Vanishes(20.0))
    told = tell(behaviours)
    assert (told.outcome, told.ended_by) == ("connected", "system")
    assert told.record(gone).reason == "Session Expired"


def test_a_trunk_that_fails_before_ringing_gives_way_to_the_next(tell):
    told = tell(
        {"agent": AGENT, "first": (Refuses(503),), "second": (Rings(), Answers(), HangsUp(9.0))},
        call_plan(trunks=("first", "second")),
    )
    assert told.outcome == "connected"
    assert [leg.trunk_id for leg in told.writer.legs.values()] == [None, 1, 2]
    assert told.record("first").sip_status == 503
    assert told.agent_heard == ["ringback CH", "far end"]


@pytest.mark.parametrize(
    "first",
    [
        (Rings(), Refuses(503, after=5.0)),
        (Refuses(486),),
        (Refuses(404),),
        (Refuses(500, q850=17),),
        (Answers(body=b"no session"),),
    ],
    ids=["rang", "busy", "no such number", "busy behind a gateway", "answered"],
)
def test_a_contact_is_not_rung_again_over_another_trunk(tell, first):
    told = tell(
        {"agent": AGENT, "first": first, "second": ANSWERS}, call_plan(trunks=("first", "second"))
    )
    assert "second" not in told.phone.legs


def test_the_trunks_share_the_contacts_time(tell):
    told = tell(
        {"agent": AGENT, "first": (Refuses(503, after=32.0),), "second": RINGS_FOR_EVER},
        call_plan(trunks=("first", "second")),
    )
    assert told.outcome == "contact_no_answer"
    assert told.writer.ending.contact_ring_seconds == 60.0


def test_the_record_has_each_legs_causes_codec_and_quality(tell):
    told = tell(
        {
            "agent": (Rings(), Answers(formats=(PCMA,))),
            "contact": (Answers(formats=(PCMA,)), HangsUp(9.0)),
        }
    )
    agent, contact = told.record("agent"), told.record("contact")
    assert (agent.role, agent.user_id, agent.codec) == ("agent", 7, "PCMA")
    assert (contact.role, contact.trunk_id, contact.sip_status) == ("contact", 1, 200)
    assert contact.q850_cause == 16
    assert contact.quality["jitter_ms"] == 1.235
    assert agent.dialog is None
    assert contact.dialog is None
    assert (agent.ended_at - agent.answered_at).total_seconds() == pytest.approx(9.002)


def test_the_codec_of_the_agent_is_offered_to_the_contact_first(tell):
    told = tell(
        {"agent": (Answers(formats=(PCMA,)),), "contact": (Answers(), HangsUp(9.0))},
        call_plan(trunks=(leg_plan("contact"),)),
    )
    assert b" RTP/AVP 8 0 101" in told.phone.legs["contact"].invitation.body
    assert b" RTP/AVP 0 8 101" in told.phone.legs["agent"].invitation.body


def test_every_step_of_a_call_can_be_followed_in_the_log_by_call_and_leg(tell, caplog):
    caplog.set_level(logging.DEBUG, "twoleg.calls")
    tell({"agent": AGENT, "contact": (Rings(), Answers(3.0), HangsUp(9.0))})
    said = [(line.call_id, getattr(line, "leg", None), line.message) for line in caplog.records]
    assert said == [
        (1, 1, "leg is rung"),
        (1, None, "call.agent_ringing"),
        (1, 1, "leg is answered"),
        (1, 1, "call.agent_connected"),
        (1, 2, "leg is rung"),
        (1, None, "call.contact_ringing"),
        (1, 2, "leg is answered"),
        (1, 2, "call.bridged"),
        (1, 2, "leg is over"),
        (1, 1, "leg is over"),
        (1, None, "call.ended"),
    ]


@pytest.mark.parametrize("seed", range(30))
def test_an_agent_who_hangs_up_as_the_contact_answers_was_joined_or_was_not(tell, seed):
    outcomes = set()
    for answers in (0.994, 0.996, 0.998, 1.0):
        # The contact is rung once the agent has answered, after 1 s.
        agent, contact = (Answers(1.0), HangsUp(2.0)), (Rings(), Answers(answers))
        told = tell({"agent": agent, "contact": contact}, seed=seed)
        assert ("bridged" in told.writer.statuses) == (told.outcome == "connected")
        outcomes.add(told.outcome)
    assert outcomes == {"connected", "agent_hung_up"}
