"""A call that is recorded: who hears of it first, from when to when, and what is told."""

import pytest
from calls.in_memory import (
    ANSWERS,
    Answers,
    HangsUp,
    MemoryRecordings,
    MemoryTransfers,
    NamedPhrases,
    Offers,
    Refers,
    Rings,
    call_plan,
    user,
)

from twoleg.directory.accounts import Announcement
from twoleg.sip import Direction

CONTACT = (Rings(), Answers(), HangsUp(20.0))


@pytest.fixture
def recorded(tell):
    """Tell a call of which `plan` says how it is recorded."""

    def run(*, meanwhile=(), behaviours=None, **plan):
        recordings = MemoryRecordings()
        told = tell(
            behaviours or {"agent": ANSWERS, "contact": CONTACT},
            call_plan(**({"record": True} | plan)),
            recordings=recordings,
            meanwhile=meanwhile,
        )
        return told, recordings

    return run


@pytest.mark.parametrize(
    ("announcement", "agent", "contact"),
    [
        (Announcement.NONE, [], []),
        (Announcement.CONTACT, [], ["recorded de"]),
        (Announcement.BOTH, ["recorded de"], ["recorded de"]),
    ],
)
def test_who_is_to_hear_of_it_hears_it_first(recorded, announcement, agent, contact):
    told, recordings = recorded(announcement=announcement)
    assert told.plane.used[0].heard == ["ringback CH", "far end", *agent]
    assert told.plane.used[1].heard == ["far end", *contact]
    [(call_id, account_id, left, right, begun_at)] = recordings.begun
    assert (call_id, account_id) == (1, 2)
    assert [left, right] == [port.port for port in told.plane.used]
    [bridge] = told.plane.closed_bridges
    said = 0.0 if announcement is Announcement.NONE else 1.0
    assert begun_at == pytest.approx(bridge.made_at + said, abs=0.01)


def test_it_ends_with_the_call(recorded):
    told, recordings = recorded()
    [(_, ended_at)] = recordings.ended
    assert ended_at == pytest.approx(told.ended_at, abs=0.01)
    assert told.writer.notes == [("call.recording_started", {})]
    assert told.outcome == "connected"


def holds(after, direction):
    return Offers(after, lambda session: session.create_offer(direction))


@pytest.mark.parametrize("holder", ["agent", "contact"])
def test_what_a_hold_cuts_off_is_said_again_before_anything_is_recorded(recorded, holder):
    # The two are joined at 4 s, and the announcement takes a second.
    behaviours = {"agent": [*ANSWERS], "contact": [Rings(), Answers()]}
    joined = 4.0 if holder == "agent" else 2.0
    behaviours[holder] += [
        holds(joined + 0.5, Direction.SENDONLY),
        holds(joined + 9.0, Direction.SENDRECV),
    ]
    behaviours["contact"] += [HangsUp(20.0)]
    told, recordings = recorded(behaviours=behaviours)
    [(*_, begun_at)] = recordings.begun
    [bridge] = told.plane.closed_bridges
    assert begun_at == pytest.approx(bridge.made_at + 9.0 + 1.0, abs=0.01)
    hold = ["hold"] if holder == "agent" else []
    assert told.plane.used[1].heard == ["far end", "recorded de", *hold, "recorded de"]
    assert told.outcome == "connected"


def test_what_a_transfer_cuts_off_is_said_again_once_it_is_over(tell):
    recordings = MemoryRecordings()
    told = tell(
        {
            "agent": (*ANSWERS, Refers(4.5, "sip:boss@example.test")),
            "contact": (Rings(), Answers(2.0)),
            "boss": (Rings(), Answers(3.0), HangsUp(20.0)),
        },
        call_plan(record=True),
        recordings=recordings,
        transfers=MemoryTransfers(boss=[(user("boss", user_id=9),)]),
    )
    _, contact, boss = told.plane.used
    assert contact.heard == ["far end", "recorded de", "ringback CH", "far end", "recorded de"]
    [(*_, begun_at)] = recordings.begun
    transferred_at = told.phone.legs["boss"].sent_at["ACK"]
    assert begun_at >= transferred_at + 1.0 - 0.01
    assert recordings.agents[-1] == boss.port


def test_a_call_that_ends_during_the_announcement_is_not_recorded(recorded):
    told, recordings = recorded(
        behaviours={"agent": ANSWERS, "contact": (Rings(), Answers(), HangsUp(2.5))}
    )
    assert told.outcome == "connected"
    assert recordings.begun == []
    assert told.writer.notes == []


def test_the_contact_first_is_recorded_from_its_agent_on(recorded):
    told, recordings = recorded(contact_first=True)
    [(_, _, left, right, _)] = recordings.begun
    contact, agent = told.plane.used
    assert [left, right] == [agent.port, contact.port]


def test_pauses_and_a_full_disk_are_told_and_the_call_goes_on(recorded):
    def then(act):
        return lambda story: act(story.story._equipment.recordings.observer)

    told, _ = recorded(
        meanwhile=[
            (8.0, then(lambda observer: observer.recording_paused(paused=True))),
            (9.0, then(lambda observer: observer.recording_paused(paused=False))),
            (10.0, then(lambda observer: observer.recording_stopped("No space left on device"))),
        ]
    )
    assert told.writer.notes == [
        ("call.recording_started", {}),
        ("call.recording_paused", {}),
        ("call.recording_resumed", {}),
        ("call.recording_stopped", {"reason": "No space left on device"}),
    ]
    assert told.outcome == "connected"
    assert told.writer.ending.talk_seconds == pytest.approx(18.0, abs=0.1)


def test_what_cannot_be_announced_is_not_recorded(recorded, monkeypatch):
    def fail(_self, _phrase, _language):
        raise LookupError

    monkeypatch.setattr(NamedPhrases, "phrase", fail)
    told, recordings = recorded()
    assert recordings.begun == []
    assert told.writer.notes == [
        ("call.recording_stopped", {"reason": "it could not be announced"})
    ]
    assert told.outcome == "connected"


def test_a_call_that_is_not_to_be_recorded_is_not(recorded):
    told, recordings = recorded(record=False)
    assert recordings.begun == []
    assert told.writer.notes == []


def test_an_agent_who_takes_the_call_over_hears_of_it_and_is_recorded_then(tell):
    recordings = MemoryRecordings()
    told = tell(
        {
            "agent": (*ANSWERS, Refers(10.0, "sip:boss@example.test")),
            "contact": (Rings(), Answers(2.0)),
            "boss": (Rings(), Answers(3.0), HangsUp(20.0)),
        },
        call_plan(record=True),
        recordings=recordings,
        transfers=MemoryTransfers(boss=[(user("boss", user_id=9),)]),
    )
    _, _, boss = told.plane.used
    assert len(recordings.begun) == 1
    # Whoever hands over is no longer recorded, and the new one is once it has been told.
    assert set(recordings.agents[:-1]) == {None}
    assert recordings.agents[-1] == boss.port
    assert "recorded de" in boss.heard
    [(_, ended_at)] = recordings.ended
    assert ended_at == pytest.approx(told.ended_at, abs=0.1)
