"""A call that has waited is looked at again before it is dialled; one that is young is not."""

import pytest
from calls.in_memory import (
    ANSWERS,
    Answers,
    HangsUp,
    MemoryCheck,
    Rings,
    call_plan,
    one_after_another,
    user,
)

from twoleg.calls.ports import NotChecked

RULE = "contact_opted_out: the contact has opted out of calls"
TALK = (Rings(), Answers(), HangsUp(30.0))


def behave(**others):
    return {"agent": ANSWERS, "contact": TALK} | others


def test_a_young_call_is_not_checked(tell):
    check = MemoryCheck(RULE)
    told = tell(behave(), check=check)
    assert (told.outcome, check.asked) == ("connected", [])


def test_an_old_one_is_checked_before_the_agent_is_rung(tell):
    check = MemoryCheck(RULE)
    told = tell(behave(), call_plan(queued_seconds=5.0), check=check)
    assert (told.outcome, told.ended_by) == ("blocked", "system")
    assert told.writer.ending.failure == RULE
    assert told.phone.legs == {}
    assert check.asked == [(0.0, None)]
    assert told.writer.statuses == ["ended"]


def test_it_is_checked_again_before_the_contact_is_rung_and_the_agent_hears_why_not(tell):
    check = MemoryCheck(None, RULE)
    told = tell(behave(), call_plan(queued_seconds=60.0), check=check)
    assert (told.outcome, told.writer.ending.failure) == ("blocked", RULE)
    assert list(told.phone.legs) == ["agent"]
    assert [agent for _, agent in check.asked] == [None, 7]
    assert told.agent_heard == ["congestion CH"]
    assert told.sent("agent") == ["INVITE", "ACK", "BYE"]
    assert told.writer.ending.talk_seconds == 0


def test_one_that_grows_old_while_it_rings_is_checked_before_the_contact_is_rung(tell):
    check = MemoryCheck(RULE)
    told = tell(behave(agent=(Rings(), Answers(6.0))), check=check)
    assert (told.outcome, list(told.phone.legs)) == ("blocked", ["agent"])


def test_one_that_has_waited_for_agents_is_checked_for_who_takes_it(tell):
    check = MemoryCheck()
    plan = call_plan(
        *one_after_another(user("silent", user_id=8), user("agent", user_id=9)), queued_seconds=0.0
    )
    told = tell(behave(silent=(Rings(),)), plan, check=check)
    assert told.outcome == "connected"
    assert [agent for _, agent in check.asked] == [9]


def test_against_nothing_the_call_goes_on(tell):
    check = MemoryCheck()
    told = tell(behave(), call_plan(queued_seconds=60.0), check=check)
    assert (told.outcome, len(check.asked)) == ("connected", 2)


def test_a_contact_that_is_first_is_checked_before_it_is_rung(tell):
    check = MemoryCheck(RULE)
    told = tell(behave(), call_plan(queued_seconds=60.0, contact_first=True), check=check)
    assert (told.outcome, told.phone.legs) == ("blocked", {})


@pytest.mark.parametrize("said", [(NotChecked(),), (None, NotChecked())])
def test_nobody_is_dialled_where_it_cannot_be_known(tell, said):
    told = tell(behave(), call_plan(queued_seconds=60.0), check=MemoryCheck(*said))
    assert told.outcome == "failed"
    assert "contact" not in told.phone.legs
    assert "whether the contact may still be called" in told.writer.ending.failure


def test_an_agent_that_hangs_up_meanwhile_has_hung_up(tell):
    check = MemoryCheck(None, RULE, seconds=3.0)
    agent = (Rings(), Answers(), HangsUp(4.0))
    told = tell(behave(agent=agent), call_plan(queued_seconds=60.0), check=check)
    assert (told.outcome, told.ended_by) == ("agent_hung_up", "agent")
