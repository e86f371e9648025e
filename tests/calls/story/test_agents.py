"""Who is rung, together or in turn, and who wins."""

import asyncio
from dataclasses import replace

import pytest
from calls.in_memory import (
    ANSWERS,
    DEAD,
    RINGS_FOR_EVER,
    Answers,
    HangsUp,
    LosesAudio,
    Refuses,
    Rings,
    call_plan,
    one_after_another,
    user,
)

from twoleg.calls.plan import AgentRound
from twoleg.directory.ring_groups import Strategy
from twoleg.sip import PCMU, AudioSession, LocalAudio

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
CONTACT = (Rings(), Answers(), HangsUp(20.0))


def group(strategy, *names):
    agents = tuple(user(name, user_id=number) for number, name in enumerate(names, 1))
    rounds = (agents,) if strategy == "ring_all" else one_after_another(*agents)
    return call_plan(*rounds, ring_group_id=5)


def test_all_registered_phones_of_a_user_ring_and_the_first_to_answer_has_the_call(tell):
    told = tell(
        {"desk": RINGS_FOR_EVER, "soft": (Rings(), Answers(3.0)), "contact": CONTACT},
        call_plan((user("desk", "soft"),)),
    )
    assert told.outcome == "connected"
    assert told.sent("soft") == ["INVITE", "ACK", "BYE"]
    assert told.sent("desk") == ["INVITE", "CANCEL"]
    assert told.phone.legs["desk"].reasons == [ELSEWHERE]
    assert told.phone.legs["desk"].sent_at["CANCEL"] == 3.0
    assert told.record("desk").reason == "Call completed elsewhere"


def test_a_busy_phone_does_not_stop_the_users_other_one(tell):
    told = tell(
        {"desk": (Refuses(486),), "soft": ANSWERS, "contact": CONTACT},
        call_plan((user("desk", "soft"),)),
    )
    assert told.outcome == "connected"


def test_a_user_who_declines_on_one_phone_declines_on_all(tell):
    told = tell(
        {"desk": (Rings(), Refuses(603, after=4.0)), "soft": RINGS_FOR_EVER},
        call_plan((user("desk", "soft"),)),
    )
    assert (told.outcome, told.ended_by) == ("agent_declined", "agent")
    assert told.phone.legs["soft"].sent_at["CANCEL"] == 4.0
    assert told.phone.legs["soft"].reasons == []


def test_a_member_who_declines_does_not_stop_the_others_of_ring_all(tell):
    told = tell(
        {"ann": (Rings(), Refuses(603)), "bob": ANSWERS, "contact": CONTACT},
        group(Strategy.RING_ALL, "ann", "bob"),
    )
    assert told.outcome == "connected"
    assert told.writer.changes[1].event.data == {"user_id": 2, "leg": 2}


@pytest.mark.parametrize("seed", range(200))
def test_of_two_agents_who_answer_at_once_exactly_one_wins(tell, seed):
    both = (Rings(), Answers(3.0), HangsUp(40.0))
    told = tell(
        {"ann": both, "bob": both, "contact": CONTACT},
        group(Strategy.RING_ALL, "ann", "bob"),
        seed=seed,
    )
    assert told.outcome == "connected"
    assert told.writer.statuses.count("agent_connected") == 1
    (loser,) = [leg for leg in told.phone.legs.values() if leg.reasons == [ELSEWHERE]]
    # The core ACKs the loser's 200 as part of hanging it up; nobody else was told so.
    assert loser.sent == ["INVITE", "ACK", "BYE"]
    assert loser.sent_at["BYE"] == 3.0
    # One bridge has two ends, the winner's and the contact's; the third port was never joined.
    assert sum("far end" in port.heard for port in told.plane.used) == 2


def test_both_answers_are_seen_to_win_under_some_order(tell):
    both = (Rings(), Answers(3.0))
    winners = {
        tell(
            {"ann": both, "bob": both, "contact": CONTACT},
            group(Strategy.RING_ALL, "ann", "bob"),
            seed=seed,
        )
        .writer.changes[1]
        .event.data["user_id"]
        for seed in range(40)
    }
    assert winners == {1, 2}


def test_in_order_rings_the_next_after_the_time_of_the_one_before(tell):
    told = tell(
        {"ann": RINGS_FOR_EVER, "bob": ANSWERS, "contact": CONTACT},
        group(Strategy.IN_ORDER, "ann", "bob"),
    )
    assert told.outcome == "connected"
    assert told.phone.legs["ann"].sent_at["CANCEL"] == 30.0
    assert told.phone.legs["bob"].sent_at["INVITE"] == 30.0
    assert told.writer.statuses[:2] == ["agent_ringing", "agent_connected"]
    assert told.writer.ending.agent_ring_seconds == 32.0


def test_in_order_rings_the_next_at_once_after_a_refusal(tell):
    told = tell(
        {"ann": (Refuses(486),), "bob": ANSWERS, "contact": CONTACT},
        group(Strategy.IN_ORDER, "ann", "bob"),
    )
    assert told.phone.legs["bob"].sent_at["INVITE"] == 0.5


def test_a_user_is_rung_first_and_the_group_is_the_fallback(tell):
    members = (user("ann", user_id=1), user("bob", user_id=2))
    told = tell(
        {"agent": (Refuses(486),), "ann": RINGS_FOR_EVER, "bob": ANSWERS, "contact": CONTACT},
        call_plan((user("agent"),), members, ring_group_id=5),
    )
    assert told.outcome == "connected"
    assert told.sent("ann") == ["INVITE", "CANCEL"]


@pytest.mark.parametrize(
    ("ann", "bob", "outcome"),
    [
        (DEAD, RINGS_FOR_EVER, "agent_no_answer"),
        ((Refuses(486),), DEAD, "agent_busy"),
        ((Refuses(404),), (Refuses(503),), "agent_unreachable"),
        ((Refuses(603),), (Refuses(486),), "agent_declined"),
    ],
)
@pytest.mark.parametrize("strategy", [Strategy.RING_ALL, Strategy.IN_ORDER])
def test_of_several_reasons_the_most_telling_is_the_outcome(tell, strategy, ann, bob, outcome):
    told = tell({"ann": ann, "bob": bob}, group(strategy, "ann", "bob"))
    assert told.outcome == outcome


class Source:
    """Gives rounds one after another, and keeps who was let go."""

    def __init__(self, *rounds):
        self.rounds = [AgentRound(agents=agents) for agents in rounds]
        self.released = []

    async def following(self):
        await asyncio.sleep(5.0)
        return self.rounds.pop(0) if self.rounds else None

    def release(self, user_id):
        self.released.append(user_id)


def test_who_comes_after_the_plan_is_asked_for_when_it_comes_to_that(tell):
    source = Source((user("bob", user_id=2),))
    told = tell({"agent": (Refuses(486),), "bob": ANSWERS, "contact": CONTACT}, agents=source)
    assert told.outcome == "connected"
    assert told.phone.legs["bob"].sent_at["INVITE"] == 5.5
    assert told.writer.ending.answered_by == 2


def test_once_nobody_is_left_the_refusals_of_all_rounds_tell_why(tell):
    source = Source((user("bob", user_id=2),))
    told = tell({"agent": (Refuses(603),), "bob": (Refuses(486),)}, agents=source)
    assert told.outcome == "agent_declined"
    assert told.ended_at == 11.0
    assert told.writer.ending.answered_by is None


def test_a_call_that_waits_for_its_next_agent_can_be_canceled(tell):
    told = tell(
        {"agent": (Refuses(486),)},
        agents=Source((user("bob", user_id=2),)),
        meanwhile=[(3.0, lambda told: told.story.hang_up())],
    )
    assert (told.outcome, told.ended_by, told.ended_at) == ("canceled", "api", 3.0)


def test_whoever_declines_is_let_go_while_the_others_ring(tell):
    source = Source()
    told = tell(
        {
            "ann": (Rings(), Refuses(603)),
            "mobile": RINGS_FOR_EVER,
            "bob": (Rings(), Answers(9.0)),
            "contact": CONTACT,
        },
        call_plan((user("ann", "mobile", user_id=1), user("bob", user_id=2))),
        agents=source,
    )
    assert told.outcome == "connected"
    assert source.released == [1]
    assert told.phone.legs["mobile"].sent_at["CANCEL"] == 0.5


def test_who_has_another_phone_ringing_is_not_let_go(tell):
    source = Source()
    tell(
        {"ann": (Refuses(486),), "mobile": ANSWERS, "bob": RINGS_FOR_EVER, "contact": CONTACT},
        call_plan((user("ann", "mobile", user_id=1), user("bob", user_id=2))),
        agents=source,
    )
    assert source.released == []


def test_a_call_that_is_too_old_rings_nobody(tell):
    told = tell({}, replace(call_plan(), expired=True))
    assert (told.outcome, told.ended_by) == ("expired", "system")
    assert told.phone.legs == {}


def test_a_group_that_rings_nobody_is_an_outcome(tell):
    told = tell({}, replace(call_plan(), rounds=(), ring_group_id=5))
    assert told.outcome == "no_agent_available"
    assert told.writer.statuses == ["ended"]


def test_a_user_who_has_another_call_is_not_rung_and_counts_as_busy(tell):
    told = tell({}, replace(call_plan(), rounds=(), agents_busy=True))
    assert (told.outcome, told.ended_by) == ("agent_busy", "system")


def test_a_user_without_any_phone_is_unreachable(tell):
    told = tell({}, call_plan((user(),)))
    assert told.outcome == "agent_unreachable"


def test_no_port_for_an_agent_fails_the_call_and_says_so(tell):
    told = tell({"ann": ANSWERS, "bob": ANSWERS}, group(Strategy.RING_ALL, "ann", "bob"), ports=1)
    assert told.outcome == "failed"
    assert told.writer.ending.failure == "no RTP port was free"


def browser_plan():
    plan = call_plan()
    [together] = plan.rounds
    [agent] = together.agents
    page = replace(agent.endpoints[0], is_browser=True)
    return replace(plan, rounds=(replace(together, agents=(replace(agent, endpoints=(page,)),)),))


def test_a_browser_where_the_media_node_has_no_webrtc_fails_the_call_and_says_so(tell):
    told = tell({"agent": ANSWERS}, browser_plan(), encrypts=False)
    assert told.outcome == "failed"
    assert "does not encrypt" in told.writer.ending.failure
    assert not told.phone.legs


def test_a_browser_that_answers_as_a_desk_phone_has_a_reason_in_its_record(tell):
    plain = AudioSession(LocalAudio("192.0.2.9", 4000, (PCMU,)), 5).create_offer()
    told = tell({"agent": (Rings(), Answers(body=plain))}, browser_plan())
    assert told.outcome == "agent_unreachable"
    assert "not WebRTC's" in told.record("agent").reason
    assert told.sent("agent") == ["INVITE", "ACK", "BYE"]


@pytest.mark.parametrize(("after", "outcome"), [(2.5, "agent_hung_up"), (20.0, "connected")])
def test_a_leg_that_loses_its_audio_is_hung_up_and_the_record_says_why(tell, after, outcome):
    told = tell(
        {
            "agent": (*ANSWERS, LosesAudio(after, "the browser is gone")),
            "contact": (Rings(), Answers(5.0)),
        }
    )
    assert (told.outcome, told.ended_by) == (outcome, "system")
    assert told.record("agent").reason == "the browser is gone"
    assert told.sent("agent") == ["INVITE", "ACK", "BYE"]


def test_a_leg_that_cannot_be_encrypted_is_not_rung_in_the_clear(tell):
    plan = call_plan()
    secure = replace(plan.contact.trunks[0], encrypted=True)
    told = tell(
        {"agent": ANSWERS, "contact": ANSWERS},
        replace(plan, contact=replace(plan.contact, trunks=(secure,))),
        encrypts=False,
    )
    assert told.outcome == "failed"
    assert "does not encrypt" in told.writer.ending.failure
    assert list(told.phone.legs) == ["agent"]
