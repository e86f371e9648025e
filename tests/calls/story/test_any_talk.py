"""What holds for every talk, whoever holds, hands over, presses keys, falls silent or vanishes."""

from calls.in_memory import (
    Answers,
    FallsSilent,
    HangsUp,
    MemoryPrompts,
    MemoryRecordings,
    MemoryTransfers,
    Offers,
    Presses,
    Refers,
    Refuses,
    Rings,
    Vanishes,
    call_plan,
    prepare,
    user,
)
from calls.virtual_time import run
from hypothesis import given, settings
from hypothesis import strategies as st

from twoleg.calls.outcomes import Outcome
from twoleg.calls.story import StorySettings
from twoleg.directory.accounts import Announcement
from twoleg.sip import Direction

NAMES = ("agent", "contact", "boss", "third")
TARGETS = ("boss", "third", "sales", "nobody")
moments = st.integers(0, 16).map(lambda halves: halves / 2)
soon = st.integers(0, 4).map(lambda halves: halves / 2)


def offers(direction):
    return lambda session: session.create_offer(direction)


acts = st.one_of(
    st.builds(
        Offers,
        moments,
        st.sampled_from([Direction.SENDONLY, Direction.INACTIVE, Direction.SENDRECV]).map(offers),
    ),
    st.builds(Refers, moments, st.sampled_from(TARGETS).map("sip:{}@example.test".format)),
    st.builds(Presses, moments, st.sampled_from("12#")),
)
ends = st.builds(HangsUp, moments) | st.builds(FallsSilent, moments) | st.builds(Vanishes, moments)


@st.composite
def people(draw):
    """A far end that answers mostly, does this and that, and comes to an end or to none."""
    if draw(st.integers(0, 7)) == 7:
        return (Rings(), Refuses(draw(st.sampled_from([486, 503, 603])), draw(moments)))
    answered_at = draw(soon)
    confirmed = [Presses(0.5)] if draw(st.booleans()) else []
    done = sorted([*confirmed, *draw(st.lists(acts, max_size=4))], key=lambda act: act.after)
    end = draw(st.none() | ends)
    if end is not None:
        done = [act for act in done if act.after <= end.after] + [end]
    # Times are those of the leg, and nobody does anything before having answered.
    later = [type(act)(act.after + answered_at, *_rest(act)) for act in done]
    return (Rings(), Answers(answered_at), *later)


def _rest(act):
    return [getattr(act, name) for name in act.__dataclass_fields__ if name != "after"]


@settings(max_examples=300, deadline=None)
@given(
    far_ends=st.fixed_dictionaries({name: people() for name in NAMES}),
    seed=st.integers(0, 1000),
    contact_first=st.booleans(),
    announcement=st.none() | st.sampled_from(Announcement),
    whispers=st.booleans(),
    is_screened=st.booleans(),
    hang_up_at=st.none() | st.integers(0, 40),
)
def test_a_talk_comes_to_one_truthful_end_and_leaves_nothing(
    far_ends, seed, contact_first, announcement, whispers, is_screened, hang_up_at
):
    plan = call_plan(
        (user("agent", trunk_id=1 if is_screened else None),),
        contact_first=contact_first,
        record=announcement is not None,
        announcement=announcement or Announcement.NONE,
        whisper_prompt_id=4 if whispers else None,
        max_seconds=60.0,
    )
    boss, third = user("boss", user_id=9), user("third", user_id=11, trunk_id=1)
    recordings = MemoryRecordings()

    async def main(loop):
        told = prepare(
            far_ends,
            plan,
            settings=StorySettings(silent_seconds=9.0, tone_seconds=2.0),
            transfers=MemoryTransfers(boss=[(boss,)], third=[(third,)], sales=[(boss, third)]),
            prompts=MemoryPrompts(prompt_4="calling"),
            recordings=recordings,
        )
        timers = []
        if hang_up_at is not None:
            timers.append(loop.call_later(hang_up_at, told.story.hang_up))
        await told.story.run()
        for timer in timers:
            timer.cancel()
        told.assert_nothing_is_left()
        return told

    told = run(main, seed=seed)
    ending, statuses = told.writer.ending, told.writer.statuses
    assert statuses.count("ended") == 1
    # Whatever people do is no fault of ours.
    assert ending.outcome is not Outcome.FAILED, ending.failure
    assert ("bridged" in statuses) == (ending.outcome is Outcome.CONNECTED)
    assert (ending.talk_seconds > 0) <= ("bridged" in statuses)
    assert ending.total_seconds <= 60.0 + 10.0
    assert all(leg.ended_at is not None and leg.dialog is None for leg in told.writer.legs.values())
    notes = [kind for kind, _ in told.writer.notes]
    assert len(recordings.begun) == notes.count("call.recording_started") <= 1
    assert "call.recording_stopped" not in notes
    if recordings.begun and announcement is not Announcement.NONE:
        contact = recordings.begun[0][3]
        heard = next(port.heard for port in told.plane.used if port.port == contact)
        assert "recorded de" in heard
