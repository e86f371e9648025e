"""Who answers for the contact is told by ear, beside the call; a machine may end it."""

import asyncio

import pytest
from calls.in_memory import (
    ANSWERS,
    RINGS_FOR_EVER,
    Answers,
    HangsUp,
    Presses,
    Rings,
    Says,
    call_plan,
)
from media.machines.sounds import silence, tone, voice

from twoleg.calls.plan import OnMachine

# The contact answers at 4 s: the agent took 2 s, and so does it.
PERSON = silence(0.3) + voice(0.6) + silence(3.0)
MACHINE = silence(0.5) + voice(8.0) + silence(0.6) + tone(0.4, 1000) + silence(1.0)
TERSE_MACHINE = silence(0.5) + voice(1.5) + silence(2.5) + tone(0.4, 1000) + silence(1.0)
TOLD = "machine de"


def answering(samples, *more, answers=2.0):
    return (Rings(), Answers(answers), Says(answers, samples), *more)


def listened(on_machine=OnMachine.HANG_UP, **values):
    return call_plan(on_machine=on_machine, **values)


def heard(told):
    """What was noted of who answered: whom, from which sign, after so many milliseconds."""
    return [
        (data["answered_by"], data["sign"], data["answered_by_ms"])
        for kind, data in told.writer.notes
        if kind == "call.answered_by"
    ]


@pytest.mark.parametrize("on_machine", list(OnMachine))
def test_a_person_is_noted_and_talks_on(tell, on_machine):
    contact = answering(PERSON, HangsUp(20.0))
    told = tell({"agent": ANSWERS, "contact": contact}, listened(on_machine))
    assert (told.outcome, told.ended_by) == ("connected", "contact")
    [(whom, sign, after)] = heard(told)
    assert (whom, sign) == ("human", "short_greeting")
    assert after == pytest.approx(1850, abs=200)


def test_a_machine_is_noted_and_the_call_goes_on_where_it_may(tell):
    contact = answering(MACHINE, HangsUp(20.0))
    told = tell({"agent": ANSWERS, "contact": contact}, listened(OnMachine.CONTINUE))
    assert (told.outcome, told.ended_by) == ("connected", "contact")
    [(whom, sign, after)] = heard(told)
    assert (whom, sign) == ("machine", "long_greeting")
    assert after == pytest.approx(5000, abs=300)


def test_a_machine_is_hung_up_on_and_the_agent_is_told(tell):
    told = tell({"agent": ANSWERS, "contact": answering(MACHINE)}, listened())
    assert (told.outcome, told.ended_by) == ("contact_voicemail", "system")
    contact, agent = told.phone.legs["contact"], told.phone.legs["agent"]
    assert contact.sent == agent.sent == ["INVITE", "ACK", "BYE"]
    assert contact.sent_at["BYE"] == pytest.approx(9.1, abs=0.3)
    assert told.agent_heard == ["ringback CH", "far end", TOLD]
    assert agent.sent_at["BYE"] - contact.sent_at["BYE"] == pytest.approx(1.0, abs=0.05)
    assert told.writer.ending.talk_seconds == pytest.approx(5.1, abs=0.3)
    assert told.record("contact").reason == "Answering machine"


def test_the_beep_of_a_machine_of_few_words_corrects_the_first_verdict(tell):
    told = tell({"agent": ANSWERS, "contact": answering(TERSE_MACHINE)}, listened())
    assert told.outcome == "contact_voicemail"
    assert [(whom, sign) for whom, sign, _ in heard(told)] == [
        ("human", "short_greeting"),
        ("machine", "beep"),
    ]


@pytest.mark.parametrize("at", [4.7, 5.0, 5.3, 6.0, 7.5])
@pytest.mark.parametrize(
    ("said", "outcome", "whom"),
    [(PERSON, "connected", "human"), (MACHINE, "contact_voicemail", "machine")],
    ids=["a person", "a machine"],
)
def test_an_engine_that_is_held_up_takes_what_it_has_not_read_for_no_silence(
    tell, at, said, outcome, whom
):
    told = tell(
        {"agent": ANSWERS, "contact": answering(said, HangsUp(20.0))},
        listened(),
        meanwhile=[(at, lambda _: asyncio.get_running_loop().hold_up(1.4))],
    )
    assert told.outcome == outcome
    assert [heard_of for heard_of, _, _ in heard(told)] == [whom]


def test_who_says_nothing_is_not_known_and_not_hung_up_on(tell):
    contact = (Rings(), Answers(2.0), HangsUp(20.0))
    told = tell({"agent": ANSWERS, "contact": contact}, listened())
    assert told.outcome == "connected"
    [(whom, sign, after)] = heard(told)
    assert (whom, sign) == ("unknown", "silence")
    assert after == pytest.approx(5000, abs=250)


def test_nobody_listens_where_nobody_asked_for_it(tell):
    told = tell({"agent": ANSWERS, "contact": answering(MACHINE, HangsUp(20.0))})
    assert told.outcome == "connected"
    assert heard(told) == []
    assert all(port.sink is None for port in told.plane.used)


def test_the_two_are_joined_no_later_for_it(tell):
    joined = [
        tell({"agent": ANSWERS, "contact": answering(PERSON, HangsUp(9.0))}, plan)
        for plan in (call_plan(), listened())
    ]
    times = [(told.plane.closed_bridges[0].made_at) for told in joined]
    assert times[0] == times[1]


def test_an_agent_who_hangs_up_meanwhile_ends_the_call_at_once(tell):
    agent = (Rings(), Answers(), HangsUp(6.0))
    told = tell({"agent": agent, "contact": answering(MACHINE)}, listened())
    assert (told.outcome, told.ended_by) == ("connected", "agent")
    assert heard(told) == []


def test_an_agent_need_not_hear_it_out(tell):
    agent = (Rings(), Answers(), HangsUp(9.5))
    told = tell({"agent": agent, "contact": answering(MACHINE)}, listened())
    assert told.outcome == "contact_voicemail"
    assert told.ended_at == pytest.approx(9.5, abs=0.05)


def test_the_api_ends_it_while_the_agent_is_told(tell):
    behaviours = {"agent": ANSWERS, "contact": answering(MACHINE)}
    told = tell(behaviours, listened(), meanwhile=[(9.6, lambda told: told.story.hang_up())])
    assert told.outcome == "contact_voicemail"
    assert told.ended_at == pytest.approx(9.6, abs=0.05)


def test_a_person_who_sends_the_agents_voice_back_is_no_machine(tell):
    hello = silence(0.3) + voice(0.5, level=-20.0)
    echo = voice(9.0, level=-26.0)
    agent = (Rings(), Answers(), Says(5.0, voice(9.0, level=-10.0)))
    contact = (Rings(), Answers(2.0), Says(2.0, hello), Says(3.1, echo), HangsUp(20.0))
    told = tell({"agent": agent, "contact": contact}, listened())
    assert told.outcome == "connected"
    assert [whom for whom, _, _ in heard(told)] == ["human"]


class TestContactFirst:
    def test_a_machine_ends_the_call_before_an_agent_has_answered(self, tell):
        told = tell(
            {"agent": RINGS_FOR_EVER, "contact": answering(MACHINE)},
            listened(contact_first=True),
        )
        assert (told.outcome, told.ended_by) == ("contact_voicemail", "system")
        assert told.sent("agent") == ["INVITE", "CANCEL"]
        assert told.sent("contact") == ["INVITE", "ACK", "BYE"]

    def test_an_agent_who_was_joined_is_told(self, tell):
        told = tell(
            {"agent": (Rings(), Answers(1.0)), "contact": answering(MACHINE)},
            listened(contact_first=True),
        )
        assert told.outcome == "contact_voicemail"
        assert told.plane.used[1].heard[-1] == TOLD
        assert told.sent("agent") == told.sent("contact") == ["INVITE", "ACK", "BYE"]


@pytest.mark.parametrize("seed", range(30))
def test_a_verdict_and_a_hang_up_at_once_leave_nothing_behind(tell, seed):
    contact = answering(MACHINE, HangsUp(7.1), Presses(7.1))
    told = tell({"agent": ANSWERS, "contact": contact}, listened(), seed=seed)
    assert told.outcome in ("connected", "contact_voicemail")
