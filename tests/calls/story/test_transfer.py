"""Blind transfer: an agent's phone hands the contact over, and is out of the call."""

import pytest
from calls.in_memory import (
    ANSWERS,
    RINGS_FOR_EVER,
    Answers,
    FallsSilent,
    HangsUp,
    MemoryTransfers,
    Offers,
    Presses,
    Refers,
    Refuses,
    Rings,
    call_plan,
    user,
)

from twoleg.calls.outcomes import Refusal
from twoleg.calls.story import StorySettings
from twoleg.sip import Direction

STAYS = (Rings(), Answers(2.0))
BOSS = (user("boss", user_id=9),)


def told_of(tell, boss, *agent, contact=STAYS, to="sip:boss@example.test", **options):
    """The agent answers at 2 s, the contact at 4 s, and the REFER comes at 10 s."""
    transfers = options.pop("transfers", None) or MemoryTransfers(boss=[BOSS])
    behaviours = {
        "agent": (*ANSWERS, Refers(10.0, to), *agent),
        "contact": contact,
        "boss": boss,
    }
    told = tell(behaviours, options.pop("plan", None), transfers=transfers, **options)
    told.transfers = transfers
    return told


def news(told, name="agent"):
    """What the phone's NOTIFYs said."""
    return [body.split()[1] for _, _, body, _ in told.phone.legs[name].requests]


def heard(told, name):
    number = int(told.phone.legs[name].invitation.body.decode().split("m=audio ")[1].split()[0])
    return next(port.heard for port in told.plane.used if port.port == number)


def notes(told):
    return [kind for kind, _ in told.writer.notes]


def test_the_contact_is_joined_to_the_target_and_the_agents_phone_is_let_go(tell):
    told = told_of(tell, (Rings(), Answers(3.0), HangsUp(20.0)))
    agent, boss = told.phone.legs["agent"], told.phone.legs["boss"]
    assert agent.referred == [202]
    assert news(told) == ["100", "180", "200"]
    assert boss.sent_at["INVITE"] == pytest.approx(10.0, abs=0.01)
    assert agent.sent == ["INVITE", "ACK", "BYE"]
    assert agent.sent_at["BYE"] == pytest.approx(15.0, abs=0.01)
    assert agent.reasons == ['SIP;cause=200;text="Call transferred"']
    assert (told.outcome, told.ended_by) == ("connected", "agent")
    assert told.writer.notes[0] == ("call.transferred", {"user_id": 9, "leg": 3})
    assert told.ended_at == pytest.approx(30.0, abs=0.1)


def test_the_record_says_whose_call_is_over_by_a_transfer_and_whose_at_the_end(tell):
    told = told_of(tell, (Rings(), Answers(3.0), HangsUp(20.0)))
    handed_over = [each.handed_over_by for each in told.writer.changes if each.handed_over_by]
    assert handed_over == [7]
    assert told.writer.ending.answered_by == 9


def test_the_news_are_those_of_the_refer_and_the_last_one_ends_them(tell):
    told = told_of(tell, (Rings(), Answers(3.0), HangsUp(20.0)))
    method, headers, body, content_type = told.phone.legs["agent"].requests[0]
    assert (method, content_type) == ("NOTIFY", "message/sipfrag;version=2.0")
    assert headers["Event"] == "refer;id=7"
    assert headers["Subscription-State"].startswith("active")
    assert body == "SIP/2.0 100 Trying\r\n"
    last = told.phone.legs["agent"].requests[-1]
    assert last[1]["Subscription-State"] == "terminated;reason=noresource"


def test_the_contact_hears_it_ring_and_the_agent_hears_no_more_of_it(tell):
    told = told_of(tell, (Rings(), Answers(3.0), HangsUp(20.0)))
    assert heard(told, "contact") == ["far end", "ringback CH", "far end"]
    assert heard(told, "agent") == ["ringback CH", "far end"]
    assert heard(told, "boss") == ["far end"]


def test_the_targets_dialog_is_stored_before_its_ack(tell):
    told = told_of(tell, (Rings(), Answers(3.0), HangsUp(20.0)), commit_seconds=0.1)
    boss = told.phone.legs["boss"]
    assert boss.sent_at["ACK"] - boss.sent_at["INVITE"] == pytest.approx(3.1)


@pytest.mark.parametrize("at", [10.2, 12.0, 13.5])
def test_a_phone_that_hangs_up_by_itself_ends_nothing(tell, at):
    told = told_of(tell, (Rings(), Answers(3.0), HangsUp(20.0)), HangsUp(at))
    assert told.phone.legs["agent"].sent == ["INVITE", "ACK"]
    assert told.ended_at == pytest.approx(30.0, abs=0.1)
    assert (told.outcome, told.ended_by) == ("connected", "agent")
    assert told.record("agent").ended_at < told.record("boss").ended_at


@pytest.mark.parametrize(
    ("boss", "status"),
    [
        ((Rings(), Refuses(486)), "486"),
        ((Rings(), Refuses(603)), "603"),
        ((Refuses(404),), "404"),
        ((Refuses(503),), "480"),
        (RINGS_FOR_EVER, "408"),
    ],
)
def test_where_nobody_takes_it_agent_and_contact_are_joined_again(tell, boss, status):
    told = told_of(tell, boss, HangsUp(60.0))
    assert news(told)[-1] == status
    assert heard(told, "contact")[-2:] == ["ringback CH", "far end"]
    assert heard(told, "agent")[-1] == "far end"
    assert notes(told) == ["call.transfer_failed"]
    assert told.transfers.targets[0].given_up
    assert told.ended_at == pytest.approx(60.0, abs=0.1)
    assert (told.outcome, told.ended_by) == ("connected", "agent")


@pytest.mark.parametrize(("why", "status"), [(Refusal.BUSY, "486"), (Refusal.UNREACHABLE, "480")])
def test_a_target_that_is_not_rung_is_told_why(tell, why, status):
    told = told_of(tell, (), HangsUp(20.0), transfers=MemoryTransfers(boss=why))
    assert news(told) == ["100", status]
    assert "boss" not in told.phone.legs
    assert heard(told, "contact")[-2:] == ["ringback CH", "far end"]
    assert told.outcome == "connected"


def test_a_target_that_is_not_there_is_told_at_once(tell):
    told = told_of(tell, (), HangsUp(20.0), to="sip:nobody@example.test")
    assert news(told) == ["100", "404"]
    assert "boss" not in told.phone.legs
    assert told.outcome == "connected"


def test_if_the_agent_is_gone_by_then_the_contact_hears_why_and_the_call_ends(tell):
    told = told_of(tell, (Rings(), Refuses(486, 3.0)), HangsUp(11.0))
    assert (told.outcome, told.ended_by) == ("connected", "agent")
    assert heard(told, "contact")[-1] == "congestion CH"
    assert told.ended_at == pytest.approx(17.0, abs=0.1)


def test_a_contact_that_hangs_up_meanwhile_ends_the_call(tell):
    told = told_of(tell, RINGS_FOR_EVER, contact=(*STAYS, HangsUp(10.0)))
    assert (told.outcome, told.ended_by) == ("connected", "contact")
    assert told.sent("boss") == ["INVITE", "CANCEL"]
    assert told.sent("agent") == ["INVITE", "ACK", "BYE"]


def test_a_contact_that_falls_silent_meanwhile_is_dead(tell):
    told = told_of(
        tell,
        RINGS_FOR_EVER,
        contact=(*STAYS, FallsSilent(9.0)),
        settings=StorySettings(silent_seconds=12.0),
    )
    assert (told.outcome, told.ended_by) == ("connected", "system")
    assert told.sent("boss") == ["INVITE", "CANCEL"]


def test_the_api_may_end_a_call_that_is_handed_over(tell):
    told = told_of(tell, RINGS_FOR_EVER, meanwhile=[(12.0, lambda told: told.story.hang_up())])
    assert (told.outcome, told.ended_by) == ("connected", "api")
    assert told.sent("boss") == ["INVITE", "CANCEL"]


def test_the_target_may_hand_over_again(tell):
    transfers = MemoryTransfers(boss=[BOSS], third=[(user("third", user_id=11),)])
    told = tell(
        {
            "agent": (*ANSWERS, Refers(10.0)),
            "contact": STAYS,
            "boss": (Rings(), Answers(1.0), Refers(5.0, "sip:third@example.test")),
            "third": (Rings(), Answers(1.0), HangsUp(10.0)),
        },
        transfers=transfers,
    )
    assert notes(told) == ["call.transferred", "call.transferred"]
    assert transfers.asked == [("boss", 7), ("third", 9)]
    assert told.writer.ending.answered_by == 11
    assert (told.outcome, told.ended_by) == ("connected", "agent")


def test_every_round_of_a_group_is_rung_and_whoever_confirms_has_the_contact(tell):
    rounds = [(user("ann", user_id=1),), (user("bob", user_id=2, trunk_id=1),)]
    told = tell(
        {
            "agent": (*ANSWERS, Refers(10.0, "sip:sales@example.test")),
            "contact": STAYS,
            "ann": (Rings(), Refuses(486)),
            "bob": (Rings(), Answers(2.0), Presses(4.0), HangsUp(20.0)),
        },
        transfers=MemoryTransfers(sales=rounds),
    )
    assert notes(told) == ["call.agent_answered", "call.transferred"]
    assert heard(told, "bob") == ["press_one de", "silence", "far end"]
    assert told.outcome == "connected"


def test_an_agent_that_holds_first_has_the_contact_on_hold_again_if_it_fails(tell):
    hold = Offers(8.0, lambda session: session.create_offer(Direction.SENDONLY))
    told = told_of(tell, (Rings(), Refuses(486)), hold, HangsUp(20.0))
    assert heard(told, "contact") == ["far end", "hold", "ringback CH", "far end", "hold"]


def test_a_second_refer_before_the_first_is_over_is_declined(tell):
    told = told_of(tell, (Rings(), Answers(5.0), HangsUp(20.0)), Refers(11.0))
    assert told.phone.legs["agent"].referred == [202, 603]


@pytest.mark.parametrize("when", [3.0, 1.0])
def test_a_refer_before_the_two_are_joined_is_declined(tell, when):
    told = tell(
        {"agent": (*ANSWERS, Refers(when)), "contact": (Rings(), Answers(), HangsUp(9.0))},
        transfers=MemoryTransfers(boss=[BOSS]),
    )
    assert told.phone.legs["agent"].referred == [603]


def test_neither_a_contact_nor_a_trunk_hands_anything_over(tell):
    told = tell(
        {
            "agent": (Rings(), Answers(2.0), Presses(3.0), Refers(10.0), HangsUp(20.0)),
            "contact": (*STAYS, Refers(6.0)),
        },
        call_plan((user("agent", trunk_id=1),)),
        transfers=MemoryTransfers(boss=[BOSS]),
    )
    assert told.phone.legs["agent"].referred == told.phone.legs["contact"].referred == [603]


@pytest.mark.parametrize(
    "to", ["sip:boss@example.test?Replaces=abc", "sip:example.test", "http://example.test", ""]
)
def test_a_refer_that_asks_for_something_else_is_a_bad_request(tell, to):
    told = told_of(tell, (), HangsUp(20.0), to=to)
    assert told.phone.legs["agent"].referred == [400]
    assert told.outcome == "connected"
