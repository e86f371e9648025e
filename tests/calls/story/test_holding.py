"""Hold and resume from either phone: music, never silence, and no end because of it."""

import pytest
from calls.in_memory import (
    ANSWERS,
    Answers,
    FallsSilent,
    HangsUp,
    Offers,
    Rings,
)

from twoleg.calls.story import StorySettings
from twoleg.sip import Direction

HOLDS = [Direction.SENDONLY, Direction.INACTIVE]


def holds(after, direction=Direction.SENDONLY):
    return Offers(after, lambda session: session.create_offer(direction))


def resumes(after):
    return holds(after, Direction.SENDRECV)


def agent_port(told):
    return told.plane.used[0]


def contact_port(told):
    return told.plane.used[1]


@pytest.mark.parametrize("direction", HOLDS)
def test_a_contact_that_the_agent_holds_hears_music_until_the_agent_is_back(tell, direction):
    told = tell(
        {
            "agent": (*ANSWERS, holds(10.0, direction), resumes(15.0)),
            "contact": (Rings(), Answers(), HangsUp(30.0)),
        }
    )
    assert contact_port(told).heard == ["far end", "hold"]
    assert contact_port(told).cut_off_at == [15.0]
    agent = {"role": "agent", "leg": 1}
    assert told.writer.notes == [("call.held", agent), ("call.resumed", agent)]
    assert (told.outcome, told.ended_by) == ("connected", "contact")
    # What is bridged stays bridged: to resume takes nothing.
    assert len(told.plane.closed_bridges) == 1


def test_an_agent_that_the_contact_holds_hears_music_too(tell):
    told = tell(
        {
            "agent": (*ANSWERS, HangsUp(30.0)),
            "contact": (Rings(), Answers(), holds(8.0), resumes(9.0)),
        }
    )
    assert agent_port(told).heard[-1] == "hold"
    assert len(agent_port(told).cut_off_at) == 1
    contact = {"role": "contact", "leg": 2}
    assert told.writer.notes == [("call.held", contact), ("call.resumed", contact)]


def test_an_offer_that_changes_nothing_about_the_hold_is_not_told(tell):
    told = tell(
        {
            "agent": (
                *ANSWERS,
                resumes(8.0),
                holds(9.0),
                holds(10.0, Direction.INACTIVE),
                resumes(11.0),
                resumes(12.0),
            ),
            "contact": (Rings(), Answers(), HangsUp(30.0)),
        }
    )
    assert [kind for kind, _ in told.writer.notes] == ["call.held", "call.resumed"]


def test_both_may_hold_at_once(tell):
    told = tell(
        {
            "agent": (*ANSWERS, holds(10.0), resumes(14.0)),
            "contact": (Rings(), Answers(), holds(9.0), resumes(12.0), HangsUp(30.0)),
        }
    )
    assert agent_port(told).heard[-1] == contact_port(told).heard[-1] == "hold"
    assert [data["role"] for _, data in told.writer.notes] == [
        "agent",
        "contact",
        "agent",
        "contact",
    ]


def test_an_agent_that_holds_while_the_contact_rings_holds_when_it_answers(tell):
    told = tell(
        {
            "agent": (*ANSWERS, holds(3.0), resumes(20.0)),
            "contact": (Rings(), Answers(5.0), HangsUp(30.0)),
        }
    )
    assert contact_port(told).heard == ["far end", "hold"]
    assert [kind for kind, _ in told.writer.notes] == ["call.held", "call.resumed"]


def test_a_call_may_end_on_hold(tell):
    told = tell(
        {"agent": (*ANSWERS, holds(10.0), HangsUp(12.0)), "contact": (Rings(), Answers())},
    )
    assert (told.outcome, told.ended_by) == ("connected", "agent")
    assert contact_port(told).cut_off_at == [12.0]


def test_a_leg_that_falls_silent_after_its_hold_is_dead_still(tell):
    told = tell(
        {
            "agent": (*ANSWERS, holds(10.0), resumes(15.0), FallsSilent(16.0)),
            "contact": (Rings(), Answers()),
        },
        settings=StorySettings(silent_seconds=20.0),
    )
    assert (told.outcome, told.ended_by) == ("connected", "system")
