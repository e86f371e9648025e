"""What an agent is told before the contact is rung."""

import pytest
from calls.in_memory import (
    ANSWERS,
    Answers,
    HangsUp,
    MemoryPrompts,
    Music,
    Presses,
    Rings,
    call_plan,
    user,
)

CONTACT = (Rings(), Answers(), HangsUp(20.0))


def whispered(prompt_id=4, *rounds, **values):
    return call_plan(*rounds, whisper_prompt_id=prompt_id, **values)


def prompts(seconds=0.0):
    return MemoryPrompts(seconds, prompt_4="calling Zoë")


class Once(MemoryPrompts):
    """Prompts that take their time when they are first asked for."""

    def __init__(self, seconds):
        super().__init__(seconds, prompt_4="calling Zoë")

    async def audio(self, *wanted):
        audio = await super().audio(*wanted)
        self.seconds = 0.0
        return audio


def rung_at(told):
    return told.phone.legs["contact"].sent_at["INVITE"]


def test_the_agent_hears_the_prompt_to_its_end_before_the_contact_is_rung(tell):
    told = tell({"agent": ANSWERS, "contact": CONTACT}, whispered(), prompts=prompts())
    assert told.agent_heard == ["calling Zoë", "ringback CH", "far end"]
    assert rung_at(told) == pytest.approx(5.0, abs=0.01)
    assert told.outcome == "connected"


class Endless(MemoryPrompts):
    """Prompts without an end."""

    async def audio(self, *wanted):
        return Music(await super().audio(*wanted))


def test_a_prompt_without_end_is_cut_off_after_half_a_minute(tell):
    told = tell(
        {"agent": ANSWERS, "contact": CONTACT}, whispered(), prompts=Endless(prompt_4="and so on")
    )
    assert rung_at(told) == pytest.approx(32.0, abs=0.01)
    assert told.agent_heard == ["and so on", "ringback CH", "far end"]
    assert told.outcome == "connected"


def test_it_comes_after_the_agent_has_confirmed(tell):
    told = tell(
        {"agent": (Rings(), Answers(2.0), Presses(4.0)), "contact": CONTACT},
        whispered(4, (user("agent", trunk_id=1),)),
        prompts=prompts(),
    )
    assert told.agent_heard[:3] == ["press_one de", "silence", "calling Zoë"]
    assert rung_at(told) == pytest.approx(7.0, abs=0.01)


@pytest.mark.parametrize("prompt_id", [None, 5])
def test_a_prompt_that_is_not_there_keeps_nobody_waiting(tell, prompt_id):
    told = tell({"agent": ANSWERS, "contact": CONTACT}, whispered(prompt_id), prompts=prompts())
    assert told.agent_heard == ["ringback CH", "far end"]
    assert rung_at(told) == pytest.approx(2.0, abs=0.01)


def test_a_database_that_does_not_give_the_prompt_delays_the_call_by_two_seconds(tell):
    told = tell({"agent": ANSWERS, "contact": CONTACT}, whispered(), prompts=prompts(60.0))
    assert told.outcome == "connected"
    assert rung_at(told) == pytest.approx(4.0, abs=0.01)


def test_a_text_names_the_contact(tell):
    named = MemoryPrompts(prompt_4="calling {name}")
    plan = whispered(contact_name="Zoë")
    told = tell({"agent": ANSWERS, "contact": CONTACT}, plan, prompts=named)
    assert told.agent_heard[0] == "calling Zoë"


def test_a_prompt_is_made_ready_while_the_agent_is_rung(tell):
    told = tell({"agent": ANSWERS, "contact": CONTACT}, whispered(), prompts=Once(1.5))
    assert told.agent_heard[0] == "calling Zoë"
    assert rung_at(told) == pytest.approx(5.0, abs=0.01)


def test_an_agent_who_hangs_up_while_it_listens_ends_the_call(tell):
    told = tell({"agent": (*ANSWERS, HangsUp(3.0))}, whispered(), prompts=prompts())
    assert (told.outcome, told.ended_by) == ("agent_hung_up", "agent")
