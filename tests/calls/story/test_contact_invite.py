"""What another engine has to know to cancel the contact's INVITE is stored before it leaves."""

import pytest
from calls.in_memory import (
    ANSWERS,
    Answers,
    HangsUp,
    MemoryPlaces,
    MemoryPrompts,
    Presses,
    Refuses,
    Rings,
    call_plan,
    leg_plan,
    user,
)

CONTACT = (Rings(1.0), Answers(3.0), HangsUp(20.0))
SCREENED = call_plan((user("agent", trunk_id=1),))


def stored(told, status):
    """The legs as they stood in the change to a status."""
    return next(change.legs for change in told.writer.changes if change.status == status)


def sent(told, name="contact"):
    """The INVITE that left, as another engine would have to know it."""
    return told.phone.legs[name].invitation.identity.to_json()


@pytest.mark.parametrize(
    ("agent", "plan", "prompts"),
    [
        (ANSWERS, None, None),
        ((*ANSWERS, Presses(5.0)), SCREENED, None),
        (ANSWERS, call_plan(whisper_prompt_id=1), MemoryPrompts(prompt_1="whisper")),
    ],
    ids=["at once", "screened", "whispered to"],
)
def test_it_is_stored_with_who_took_the_call(tell, agent, plan, prompts):
    told = tell({"agent": agent, "contact": CONTACT}, plan, commit_seconds=0.1, prompts=prompts)
    [answered] = stored(told, "agent_connected")
    assert answered.dialog is not None
    assert answered.invite == sent(told)
    invited_at = told.phone.legs["contact"].sent_at["INVITE"]
    assert told.writer.stored_at["agent_connected"] <= invited_at


def test_it_is_written_once_and_costs_no_further_change(tell):
    told = tell({"agent": ANSWERS, "contact": CONTACT})
    [contact] = stored(told, "contact_ringing")
    assert contact.invite is None
    assert told.writer.statuses == [
        "agent_ringing",
        "agent_connected",
        "contact_ringing",
        "bridged",
        "ended",
    ]
    assert told.writer.notes == []
    assert told.writer.separate == 0


def test_nothing_of_it_is_left_when_the_call_is_over(tell):
    told = tell({"agent": ANSWERS, "contact": CONTACT})
    assert [leg.invite for leg in told.writer.legs.values()] == [None, None]


def test_a_contact_that_is_rung_first_has_its_leg_written_with_the_mark(tell):
    agent = (*ANSWERS, HangsUp(9.0))
    told = tell(
        {"agent": agent, "contact": CONTACT}, call_plan(contact_first=True), commit_seconds=0.1
    )
    mark = told.writer.changes[0]
    [leg] = mark.legs
    assert mark.contact_attempt_at is not None
    assert (leg.role, leg.position, leg.invite) == ("contact", 1, sent(told))
    assert told.phone.legs["contact"].sent_at["INVITE"] == pytest.approx(0.1)
    assert [each.role for each in told.writer.legs.values()] == ["contact", "agent"]
    assert told.writer.separate == 0


@pytest.mark.parametrize("contact_first", [False, True])
def test_an_invite_that_was_challenged_is_written_when_it_rings(tell, contact_first):
    seen = []

    def challenge(told):
        told.phone.legs["contact"].challenge()

    def look(told):
        seen.append(told.record("contact").invite)

    begins = 0.0 if contact_first else 2.0
    told = tell(
        {"agent": (*ANSWERS, HangsUp(20.0)), "contact": CONTACT},
        call_plan(contact_first=contact_first),
        meanwhile=[(begins + 0.5, challenge), (begins + 2.0, look)],
    )
    first = told.phone.legs["contact"].invitation.identity
    assert seen == [first.challenged().to_json()]


@pytest.mark.parametrize("contact_first", [False, True])
def test_over_a_further_trunk_the_legs_own_record_has_it(tell, contact_first):
    plan = call_plan(trunks=("first", "contact"), contact_first=contact_first)
    seen = []
    told = tell(
        {
            "agent": (*ANSWERS, HangsUp(20.0)),
            "first": (Refuses(503),),
            "contact": CONTACT,
        },
        plan,
        meanwhile=[(3.0 - 2.0 * contact_first, lambda told: seen.append(told.record("contact")))],
    )
    assert seen[0].invite["branch"] == "z9hG4bK-contact"
    assert told.phone.legs["contact"].invitation.identity is None


def test_a_leg_that_was_foreseen_and_not_rung_says_so(tell):
    first = leg_plan("first", trunk_id=1, is_limited=True)
    told = tell(
        {"agent": (*ANSWERS, HangsUp(9.0)), "contact": CONTACT},
        call_plan(trunks=(first, "contact"), contact_first=True),
        trunks=MemoryPlaces({1: 0}),
    )
    assert told.outcome == "connected"
    foreseen = told.record("first")
    assert (foreseen.reason, foreseen.invite) == ("Not rung", None)
    assert foreseen.ended_at is not None


def test_a_foreseen_leg_is_closed_where_no_port_is_left(tell):
    told = tell({}, call_plan(contact_first=True), ports=0)
    assert told.outcome == "failed"
    [leg] = told.writer.legs.values()
    assert (leg.reason, leg.invite) == ("Not rung", None)


def test_a_call_without_a_trunk_foresees_nothing(tell):
    told = tell({"agent": ANSWERS}, call_plan(trunks=()))
    [answered] = stored(told, "agent_connected")
    assert answered.invite is None
