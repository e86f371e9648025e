"""Press 1 to take the call: who is asked, who is believed, and what follows if nobody is."""

import pytest
from calls.in_memory import (
    ANSWERS,
    RINGS_FOR_EVER,
    Answers,
    HangsUp,
    Presses,
    Refuses,
    Rings,
    Sends,
    call_plan,
    one_after_another,
    user,
)

from twoleg.calls.plan import AgentPlan, AgentRound
from twoleg.calls.screening import PAUSE_MILLISECONDS, WithPause
from twoleg.directory.accounts import Screening
from twoleg.directory.ring_groups import Strategy
from twoleg.media import Codec, steady
from twoleg.sip_io import Info

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
NOT_CONFIRMED = 'Q.850;cause=16;text="Not confirmed"'
CONTACT = (Rings(), Answers(), HangsUp(20.0))
PROMPT = "press_one de"
VOICEMAIL = (Rings(), Answers(3.0))


def over_trunk(*names, screening=Screening.TRUNK_ONLY, user_id=7):
    """A user whose own numbers are rung."""
    agent = user(*names, user_id=user_id, trunk_id=1)
    return AgentPlan(endpoints=agent.endpoints, user_id=user_id, screening=screening)


def group(strategy, *names):
    agents = [over_trunk(name, user_id=number) for number, name in enumerate(names, 1)]
    together = strategy == Strategy.RING_ALL
    rounds = (tuple(agents),) if together else one_after_another(*agents)
    return call_plan(*rounds, ring_group_id=5)


def confirming(*, answers=2.0, presses=5.0):
    return (Rings(), Answers(answers), Presses(presses))


def heard(told, name):
    """What the far end of that name was given to hear."""
    number = int(told.phone.legs[name].invitation.body.decode().split("m=audio ")[1].split()[0])
    return next(port.heard for port in told.plane.used if port.port == number)


def test_an_agent_over_a_trunk_is_asked_at_once_and_the_contact_is_rung_once_it_confirmed(tell):
    told = tell({"agent": confirming(), "contact": CONTACT}, call_plan((over_trunk("agent"),)))
    assert told.outcome == "connected"
    assert heard(told, "agent") == [PROMPT, "silence", "ringback CH", "far end"]
    assert told.phone.legs["contact"].sent_at["INVITE"] == pytest.approx(5.0, abs=0.01)
    assert told.writer.statuses == [
        "agent_ringing",
        "agent_connected",
        "contact_ringing",
        "bridged",
        "ended",
    ]
    assert told.sent("agent") == ["INVITE", "ACK", "BYE"]


def test_the_dialog_of_whoever_is_asked_is_stored_before_its_ack(tell):
    told = tell(
        {"agent": confirming(), "contact": CONTACT},
        call_plan((over_trunk("agent"),)),
        commit_seconds=0.05,
    )
    assert told.phone.legs["agent"].sent_at["ACK"] == pytest.approx(2.05)
    [noted] = told.writer.notes
    assert noted == ("call.agent_answered", {"user_id": 7, "leg": 1})
    [answered] = [change for change in told.writer.changes if change.status is None]
    assert answered.legs[0].dialog is not None


def test_a_database_that_is_away_delays_the_ack_and_not_the_question(tell):
    told = tell(
        {"agent": (*confirming(), HangsUp(30.0)), "contact": CONTACT},
        call_plan((over_trunk("agent"),)),
        away=True,
    )
    assert told.phone.legs["agent"].sent_at["ACK"] == pytest.approx(2.2)
    assert heard(told, "agent")[0] == PROMPT


def test_a_claim_that_is_lost_while_an_agent_is_asked_ends_the_call_here(tell):
    told = tell(
        {"agent": confirming(), "eve": RINGS_FOR_EVER},
        call_plan((over_trunk("agent"), user("eve"))),
        lost_notes=True,
    )
    assert told.writer.changes[-1].ending is None
    assert told.sent("eve") == ["INVITE", "CANCEL"]


@pytest.mark.parametrize(
    ("screening", "trunk_id", "asked"),
    [
        (Screening.TRUNK_ONLY, None, False),
        (Screening.TRUNK_ONLY, 1, True),
        (Screening.ALWAYS, None, True),
        (Screening.NEVER, 1, False),
    ],
)
def test_the_policy_says_which_legs_are_asked(tell, screening, trunk_id, asked):
    phones = user("agent", trunk_id=trunk_id).endpoints
    agent = AgentPlan(endpoints=phones, user_id=7, screening=screening)
    told = tell({"agent": confirming(), "contact": CONTACT}, call_plan((agent,)))
    assert told.outcome == "connected"
    assert (PROMPT in heard(told, "agent")) is asked


@pytest.mark.parametrize(
    ("behaviour", "ended_at"),
    [
        (VOICEMAIL, 13.0),
        ((Rings(), Answers(3.0), Presses(4.0, "2")), 4.0),
        ((Rings(), Answers(3.0), Presses(4.0, "#"), Presses(4.5, "1")), 4.0),
        ((Rings(), Answers(3.0), HangsUp(6.0)), 6.0),
        ((Rings(), Answers(3.0), Presses(13.5, "1")), 13.0),
    ],
)
def test_silence_another_key_and_hanging_up_are_no_confirmation(tell, behaviour, ended_at):
    told = tell({"agent": behaviour}, call_plan((over_trunk("agent"),)))
    assert told.outcome == "agent_not_confirmed"
    assert told.ended_at == pytest.approx(ended_at, abs=0.1)
    assert "agent_connected" not in told.writer.statuses
    assert told.record("agent").reason == "Not confirmed"
    assert "contact" not in told.phone.legs


def test_whoever_did_not_confirm_is_told_so_and_the_next_of_the_group_is_rung(tell):
    told = tell(
        {"ann": VOICEMAIL, "bob": confirming(), "contact": CONTACT},
        group(Strategy.IN_ORDER, "ann", "bob"),
    )
    assert told.outcome == "connected"
    assert told.phone.legs["ann"].reasons == [NOT_CONFIRMED]
    assert told.sent("ann") == ["INVITE", "ACK", "BYE"]
    assert told.phone.legs["bob"].sent_at["INVITE"] == pytest.approx(13.0, abs=0.1)
    assert told.writer.statuses.count("agent_ringing") == 1


def test_one_who_answered_and_is_asked_does_not_stop_the_ringing_of_the_others(tell):
    told = tell(
        {"ann": VOICEMAIL, "bob": confirming(answers=6.0, presses=8.0), "contact": CONTACT},
        group(Strategy.RING_ALL, "ann", "bob"),
    )
    assert told.outcome == "connected"
    assert told.phone.legs["ann"].reasons == [ELSEWHERE]
    assert told.phone.legs["ann"].sent_at["BYE"] == 8.0
    connected = next(c for c in told.writer.changes if c.status == "agent_connected")
    assert connected.event.data["user_id"] == 2


@pytest.mark.parametrize("seed", range(200))
def test_of_two_who_press_1_at_once_exactly_one_wins(tell, seed):
    told = tell(
        {"ann": confirming(), "bob": confirming(), "contact": CONTACT},
        group(Strategy.RING_ALL, "ann", "bob"),
        seed=seed,
    )
    assert told.outcome == "connected"
    assert told.writer.statuses.count("agent_connected") == 1
    (loser,) = [leg for leg in told.phone.legs.values() if leg.reasons == [ELSEWHERE]]
    assert loser.sent == ["INVITE", "ACK", "BYE"]
    assert sum("far end" in port.heard for port in told.plane.used) == 2


def test_the_ring_time_does_not_cut_short_whoever_answered_at_its_end(tell):
    agents = AgentRound(agents=(over_trunk("agent"), user("desk")), ring_seconds=20.0)
    told = tell(
        {
            "agent": confirming(answers=19.5, presses=25.0),
            "desk": RINGS_FOR_EVER,
            "contact": CONTACT,
        },
        call_plan(agents),
    )
    assert told.outcome == "connected"
    assert told.phone.legs["desk"].sent_at["CANCEL"] == 20.0
    assert told.writer.ending.agent_ring_seconds == 25.0


def test_a_user_who_answers_on_one_phone_may_decline_on_another(tell):
    agent = over_trunk("mobile", "desk", screening=Screening.ALWAYS)
    told = tell(
        {"mobile": confirming(), "desk": (Rings(), Refuses(603, after=3.0)), "contact": CONTACT},
        call_plan((agent,)),
    )
    assert told.outcome == "connected"


def test_a_digit_by_info_confirms_too(tell):
    pressed = Info("application/dtmf-relay", b"Signal=1\r\nDuration=160\r\n")
    told = tell(
        {"agent": (*ANSWERS, Sends(4.0, pressed)), "contact": CONTACT},
        call_plan((over_trunk("agent"),)),
    )
    assert told.outcome == "connected"


def test_not_having_confirmed_tells_more_than_a_phone_that_was_busy(tell):
    told = tell(
        {"ann": (Refuses(486),), "bob": VOICEMAIL},
        group(Strategy.RING_ALL, "ann", "bob"),
    )
    assert (told.outcome, told.ended_by) == ("agent_not_confirmed", "system")


def test_hanging_up_by_api_while_an_agent_is_asked_ends_its_leg(tell):
    told = tell(
        {"agent": VOICEMAIL},
        call_plan((over_trunk("agent"),)),
        meanwhile=[(5.0, lambda told: told.story.hang_up())],
    )
    assert (told.outcome, told.ended_by) == ("canceled", "api")
    assert told.sent("agent") == ["INVITE", "ACK", "BYE"]


def test_there_is_time_to_answer_between_one_prompt_and_the_next():
    prompt = steady((440,), 100)
    frames = WithPause(prompt).frames(Codec.PCMU)
    spoken, silence = frames[:5], frames[5:]
    assert list(spoken) == list(prompt.frames(Codec.PCMU))
    assert len(silence) * 20 == PAUSE_MILLISECONDS
    assert set(b"".join(silence)) == {0xFF}
    assert frames[5] == frames[len(frames) - 1] == b"\xff" * 160
