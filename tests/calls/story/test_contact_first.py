"""The contact is rung first, and comforted until an agent is there."""

from dataclasses import replace

import pytest
from calls.in_memory import (
    ANSWERS,
    DEAD,
    RINGS_FOR_EVER,
    Answers,
    FallsSilent,
    HangsUp,
    MemoryPrompts,
    PlaysEarly,
    Presses,
    Refuses,
    Rings,
    call_plan,
    user,
)

from twoleg.calls.story import StorySettings

STAYS = (Rings(), Answers(2.0))


def contact_first(*rounds, **values):
    return call_plan(*rounds, contact_first=True, **values)


def told_of(tell, contact=STAYS, agent=None, *rounds, prompts=None, **values):
    agents = agent if isinstance(agent, dict) else {"agent": agent or (*ANSWERS, HangsUp(10.0))}
    plan = contact_first(*rounds, **values)
    return tell({"contact": contact, **agents}, plan, prompts=prompts)


def contact_heard(told):
    return told.plane.used[0].heard


def test_the_contact_is_rung_first_and_joined_to_the_agent(tell):
    told = told_of(tell)
    assert (told.outcome, told.ended_by) == ("connected", "agent")
    assert told.writer.statuses == ["contact_ringing", "agent_ringing", "bridged", "ended"]
    assert [kind for kind, _ in told.writer.notes] == ["call.contact_answered"]
    assert told.phone.legs["agent"].sent_at["INVITE"] == pytest.approx(2.0, abs=0.01)
    # The agent answers 2 s after its INVITE, before the comfort prompt of 3 s is over.
    assert contact_heard(told)[0] == "comfort de"
    assert "far end" in contact_heard(told)
    assert len(told.plane.closed_bridges) == 1


def test_the_contact_is_not_rung_before_the_attempt_is_marked(tell):
    told = tell(
        {"contact": STAYS, "agent": (*ANSWERS, HangsUp(9.0))},
        contact_first(),
        commit_seconds=0.5,
    )
    assert told.phone.legs["contact"].sent_at["INVITE"] == 0.5
    assert len(told.writer.marked) == 1
    assert told.writer.changes[0].contact_attempt_at is not None


def test_a_database_that_does_not_take_the_mark_ends_the_call_before_anybody_is_rung(tell):
    told = tell({}, contact_first(), away=True)
    assert told.outcome == "failed"
    assert told.phone.legs == {}


def test_both_dialogs_are_stored_before_their_acks(tell):
    told = tell(
        {"contact": STAYS, "agent": (*ANSWERS, HangsUp(9.0))},
        contact_first(),
        commit_seconds=0.1,
    )
    contact, agent = told.phone.legs["contact"], told.phone.legs["agent"]
    assert contact.sent_at["ACK"] == pytest.approx(2.2)
    assert agent.sent_at["ACK"] - agent.sent_at["INVITE"] == pytest.approx(2.1)


def test_the_contact_hears_it_ring_after_the_comfort_prompt(tell):
    told = told_of(tell, STAYS, (Rings(), Answers(8.0), HangsUp(20.0)))
    assert contact_heard(told) == ["comfort de", "ringback CH", "far end"]


def test_durations_are_those_of_either_ring_and_of_the_talk(tell):
    told = told_of(tell, STAYS, (Rings(), Answers(8.0), HangsUp(20.0)))
    ending = told.writer.ending
    assert ending.contact_ring_seconds == pytest.approx(2.0, abs=0.01)
    assert ending.agent_ring_seconds == pytest.approx(8.0, abs=0.01)
    assert ending.talk_seconds == pytest.approx(12.0, abs=0.01)
    assert ending.answered_by == 7


@pytest.mark.parametrize(
    ("contact", "outcome", "ended_by"),
    [
        (RINGS_FOR_EVER, "contact_no_answer", "system"),
        ((Rings(), Refuses(486)), "contact_busy", "contact"),
        ((Refuses(404),), "contact_invalid_number", "system"),
        (DEAD, "contact_unreachable", "system"),
        ((PlaysEarly(), Refuses(603, 2.0)), "contact_declined", "contact"),
    ],
)
def test_a_contact_that_is_not_reached_rings_no_agent(tell, contact, outcome, ended_by):
    told = told_of(tell, contact)
    assert (told.outcome, told.ended_by) == (outcome, ended_by)
    assert "agent" not in told.phone.legs
    assert told.writer.ending.agent_ring_seconds is None


@pytest.mark.parametrize(
    ("agent", "outcome"),
    [
        (RINGS_FOR_EVER, "agent_no_answer"),
        ((Rings(), Refuses(486)), "agent_busy"),
        ((Rings(), Refuses(603)), "agent_declined"),
    ],
)
def test_a_contact_for_whom_no_agent_is_there_is_told_by_a_tone(tell, agent, outcome):
    told = told_of(tell, STAYS, agent)
    assert told.outcome == outcome
    assert contact_heard(told)[-1] == "congestion CH"
    assert told.sent("contact") == ["INVITE", "ACK", "BYE"]


def test_a_contact_that_hangs_up_while_it_waits_cancels_the_call(tell):
    told = told_of(tell, (*STAYS, HangsUp(6.0)), RINGS_FOR_EVER)
    assert (told.outcome, told.ended_by) == ("canceled", "contact")
    assert told.sent("agent") == ["INVITE", "CANCEL"]
    assert told.writer.ending.talk_seconds == 0.0


def test_a_contact_that_falls_silent_while_it_waits_is_dead(tell):
    told = tell(
        {"contact": (*STAYS, FallsSilent(5.0)), "agent": RINGS_FOR_EVER},
        contact_first(),
        settings=StorySettings(silent_seconds=10.0),
    )
    assert (told.outcome, told.ended_by) == ("canceled", "system")
    assert told.ended_at == pytest.approx(15.0, abs=0.01)
    assert told.record("contact").reason == "no audio for 10 s"
    assert told.sent("agent") == ["INVITE", "CANCEL"]


def test_either_may_end_the_talk(tell):
    told = told_of(tell, (*STAYS, HangsUp(12.0)), ANSWERS)
    assert (told.outcome, told.ended_by) == ("connected", "contact")


def test_agents_confirm_and_are_told_while_the_contact_waits(tell):
    told = told_of(
        tell,
        STAYS,
        (Rings(), Answers(1.0), Presses(3.0), HangsUp(20.0)),
        (user("agent", trunk_id=1),),
        prompts=MemoryPrompts(prompt_4="calling Zoë"),
        whisper_prompt_id=4,
    )
    assert told.outcome == "connected"
    agent_heard = told.plane.used[1].heard
    assert agent_heard == ["press_one de", "silence", "calling Zoë", "far end"]
    assert told.sent("agent") == ["INVITE", "ACK"]


def test_the_contact_hears_its_own_language(tell):
    plan = contact_first()
    plan = replace(plan, contact=replace(plan.contact, language="it"))
    told = tell({"contact": STAYS, "agent": (*ANSWERS, HangsUp(10.0))}, plan)
    assert contact_heard(told)[0] == "comfort it"


@pytest.mark.parametrize("seed", range(30))
def test_who_confirms_and_hangs_up_at_once_is_joined_or_is_not(tell, seed):
    agent = (Rings(), Answers(0.5), Presses(1.0), HangsUp(1.0))
    plan = contact_first((user("agent", trunk_id=1),))
    told = tell({"contact": STAYS, "agent": agent}, plan, seed=seed)
    assert ("bridged" in told.writer.statuses) == (told.outcome == "connected")
