"""What holds for every call, whatever the far ends, the API and the clock do."""

import asyncio

from calls.in_memory import (
    Answers,
    FallsSilent,
    HangsUp,
    PlaysEarly,
    Refuses,
    Rings,
    call_plan,
    prepare,
    user,
)
from calls.virtual_time import run
from hypothesis import given, settings
from hypothesis import strategies as st

from twoleg.calls.outcomes import Outcome
from twoleg.calls.story import StorySettings
from twoleg.sip import RefusalCause

# Whole seconds, so that many things happen at once.
moments = st.integers(0, 8).map(float)
refusals = st.builds(
    Refuses,
    status=st.sampled_from([302, 403, 404, 408, 480, 486, 487, 488, 500, 503, 600, 603]),
    after=moments,
    q850=st.sampled_from([None, 1, 17, 19, 20, 21, 127]),
    cause=st.sampled_from(list(RefusalCause)),
)
answers = st.builds(Answers, after=moments, body=st.sampled_from([None, b"", b"garbage"]))
ringing = st.builds(Rings, after=moments, status=st.sampled_from([180, 181, 183]))
early = st.builds(
    PlaysEarly, after=moments, audio_after=moments, body=st.sampled_from([None, b"garbage"])
)
ends = st.builds(HangsUp, after=st.integers(0, 40).map(float))
silences = st.builds(FallsSilent, after=moments)


@st.composite
def behaviours(draw):
    """A far end that comes to one final response, or to none, and to its end once answered."""
    signs = draw(st.lists(ringing | early, max_size=2))
    final = draw(st.none() | refusals | answers)
    after = (
        [draw(ends), draw(silences)] if isinstance(final, Answers) and draw(st.booleans()) else []
    )
    told = [*signs, *([final] if final else [])]
    told.sort(key=lambda act: act.after)
    if final is not None:
        told = told[: told.index(final) + 1]
        after = [act for act in after if act.after > final.after]
    return (*told, *after)


PHONES = ("ann", "bob", "eve")
TRUNKS = ("first", "second")
PLAN = call_plan((user("ann", "bob"),), (user("eve", user_id=8),), trunks=TRUNKS)


@settings(max_examples=200, deadline=None)
@given(
    far_ends=st.fixed_dictionaries({name: behaviours() for name in (*PHONES, *TRUNKS)}),
    seed=st.integers(0, 1000),
    hang_up_at=st.none() | st.integers(0, 30),
    stop_at=st.none() | st.integers(0, 30),
    away=st.booleans(),
)
def test_a_call_ends_once_truthfully_and_leaves_nothing(far_ends, seed, hang_up_at, stop_at, away):
    async def main(loop):
        told = prepare(
            far_ends, PLAN, settings=StorySettings(silent_seconds=5.0, tone_seconds=2.0), away=away
        )
        task = asyncio.create_task(told.story.run())
        timers = []
        if hang_up_at is not None:
            timers.append(loop.call_later(hang_up_at, told.story.hang_up))
        if stop_at is not None:
            # The task has taken its first step by then.
            timers.append(loop.call_later(stop_at + 0.5, task.cancel))
        await asyncio.wait((task,))
        for timer in timers:
            timer.cancel()
        told.assert_nothing_is_left()
        return told

    told = run(main, seed=seed)
    ending, statuses = told.writer.ending, told.writer.statuses
    legs = told.phone.legs
    trunks = [legs[name] for name in TRUNKS if name in legs]

    assert statuses.count("ended") == 1
    assert len(told.writer.marked) == (1 if "agent_ringing" in statuses else 0)
    if "bridged" in statuses:
        assert ending.outcome in (Outcome.CONNECTED, Outcome.FAILED)
        assert [leg.identity is not None for leg in trunks].count(True) == 1
    else:
        assert ending.outcome is not Outcome.CONNECTED
        assert ending.talk_seconds == 0
    if trunks:
        agent = next(legs[n] for n in PHONES if n in legs and "ACK" in legs[n].sent)
        assert agent.sent_at["ACK"] <= trunks[0].sent_at["INVITE"]
    parts = (ending.agent_ring_seconds, ending.contact_ring_seconds, ending.talk_seconds)
    assert all(part is None or part >= 0 for part in parts)
    assert sum(part or 0 for part in parts) <= ending.total_seconds + 0.002
    for leg in legs.values():
        if "BYE" in leg.sent:
            assert leg.sent.index("ACK") < leg.sent.index("BYE")
    for leg in told.writer.legs.values():
        assert leg.ended_at is not None
        assert leg.dialog is None
