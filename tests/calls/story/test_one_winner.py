"""Of many agents who are rung at once one has the call, whatever happens in whichever order.

`TWOLEG_WINNER_RUNS` has more calls told, `TWOLEG_WINNER_SEED` a single one again.
"""

import asyncio
import os
from collections import Counter
from contextlib import contextmanager

import pytest
from calls.in_memory import LoopClock, leg_plan, prepare
from calls.story.crowds import CONTACT, RING_SECONDS, crowd
from calls.virtual_time import run

from twoleg.calls.outcomes import Outcome
from twoleg.calls.story import StorySettings

CHUNKS = 6
RUNS = int(os.environ.get("TWOLEG_WINNER_RUNS", "20000")) // CHUNKS
ONLY = os.environ.get("TWOLEG_WINNER_SEED")
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
NO_AGENT_HAD_IT = {
    Outcome.AGENT_NO_ANSWER,
    Outcome.AGENT_BUSY,
    Outcome.AGENT_DECLINED,
    Outcome.AGENT_UNREACHABLE,
    Outcome.AGENT_NOT_CONFIRMED,
    Outcome.CANCELED,
    Outcome.FAILED,
}


@contextmanager
def named(seed):
    """Say which seed it was that went wrong."""
    try:
        yield
    except BaseException:
        print(f"TWOLEG_WINNER_SEED={seed}")  # noqa: T201
        raise


def seeds_of(chunk):
    if ONLY is not None:
        return [int(ONLY)] if chunk == 0 else []
    return range(chunk * RUNS, (chunk + 1) * RUNS)


def tell(drawn):
    """Tell the story of a crowd, with whatever comes in between."""

    async def main(loop):
        plan = drawn.plan(CONTACT)
        told = prepare(drawn.behaviours, plan, settings=StorySettings(tone_seconds=1.0))
        task = asyncio.create_task(told.story.run())
        timers = []
        if drawn.hang_up_at is not None:
            timers.append(loop.call_at(drawn.hang_up_at, told.story.hang_up))
        if drawn.stop_at is not None:
            timers.append(loop.call_at(drawn.stop_at, task.cancel))
        await asyncio.wait((task,))
        for timer in timers:
            timer.cancel()
        told.assert_nothing_is_left()
        return told

    return run(main, seed=drawn.seed)


def winner_of(told, drawn):
    """Who the record says has the call; None: nobody."""
    connected = [
        change for change in told.writer.changes if str(change.status) == "agent_connected"
    ]
    assert len(connected) <= 1
    if not connected:
        return None
    data = connected[0].event.data
    row = told.writer.legs[data["leg"]]
    assert (row.role, row.user_id) == ("agent", data["user_id"])
    name = row.to_uri.removeprefix("sip:").partition("@")[0]
    assert drawn.users[name] == data["user_id"]
    return name


def assert_ended(leg):
    """What is answered is acknowledged, and ended by one side; what is not, is canceled."""
    if leg.identity is None:
        assert leg.state == "refused" or leg.sent == ["INVITE", "CANCEL"]
        return
    # Without our BYE the far end has hung up; in the memory's phones even before our ACK.
    assert leg.sent in (["INVITE"], ["INVITE", "ACK"], ["INVITE", "ACK", "BYE"])
    assert "BYE" in leg.sent or leg.hung_up


def users_who_decline(drawn):
    """Those of whom one phone refuses for all of them."""
    return {
        user_id
        for name, user_id in drawn.users.items()
        if any(getattr(act, "status", 0) >= 600 for act in drawn.behaviours[name])
    }


def assert_told_why(told, drawn, winner):
    """Whoever is ended because somebody else has the call is told so, in the same moment."""
    legs = told.phone.legs
    won_at = next(
        change.event.at for change in told.writer.changes if str(change.status) == "agent_connected"
    )
    won_at = (won_at - LoopClock.EPOCH).total_seconds()
    declined = users_who_decline(drawn)
    for name, leg in legs.items():
        if name in (winner, CONTACT) or drawn.users[name] in declined:
            continue
        over_at = leg.sent_at.get("CANCEL", leg.sent_at.get("BYE"))
        if over_at == won_at and won_at - leg.sent_at["INVITE"] < RING_SECONDS:
            assert leg.reasons


def assert_one_has_it(told, drawn):
    writer, legs = told.writer, told.phone.legs
    winner = winner_of(told, drawn)
    for leg in legs.values():
        assert_ended(leg)
    joined = {port for bridge in told.plane.closed_bridges for port in bridge.ends}
    agents = [legs[name] for name in legs if name != CONTACT]
    assert len(joined) in (0, 2)
    if CONTACT in legs:
        # The contact is rung only once somebody has the call, and nobody has it later on.
        assert winner is not None
        at = legs[CONTACT].sent_at["INVITE"]
        assert legs[winner].sent_at["ACK"] <= at
        assert all(max(leg.sent_at.values()) <= at for leg in agents if leg is not legs[winner])
    for leg in agents:
        assert set(leg.reasons) <= {ELSEWHERE, 'Q.850;cause=16;text="Not confirmed"'}
        if ELSEWHERE in leg.reasons:
            # Somebody has answered, be it in the moment in which the call was canceled.
            assert winner is None or leg is not legs[winner]
            assert any(other.identity is not None for other in agents if other is not leg)
    if winner is not None:
        assert_told_why(told, drawn, winner)
    ending = writer.ending
    assert writer.statuses.count("ended") == 1
    assert ending.answered_by == (None if winner is None else drawn.users[winner])
    assert (ending.outcome is Outcome.CONNECTED) <= (winner is not None and bool(joined))
    assert (winner is None) <= (ending.outcome in NO_AGENT_HAD_IT)
    assert len(writer.legs) == len(legs)
    for row in writer.legs.values():
        name = row.to_uri.removeprefix("sip:").partition("@")[0]
        assert row.ended_at is not None
        assert row.dialog is None
        assert (row.answered_at is not None) <= (legs[name].identity is not None)
    return winner


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_one_agent_at_most_has_the_call_and_every_other_leg_is_ended(chunk):
    seen = Counter()
    for seed in seeds_of(chunk):
        with named(seed):
            drawn = crowd(seed, leg_plan)
            told = tell(drawn)
            winner = assert_one_has_it(told, drawn)
        seen[told.outcome] += 1
        seen["elsewhere"] += any(leg.reasons == [ELSEWHERE] for leg in told.phone.legs.values())
        seen["answered elsewhere"] += any(
            leg.reasons == [ELSEWHERE] and "BYE" in leg.sent for leg in told.phone.legs.values()
        )
        seen["won"] += winner is not None
    if ONLY is None and RUNS >= 1000:
        # What is drawn comes to all of these again and again.
        assert all(
            seen[kind] > 10
            for kind in ("connected", "canceled", "failed", "agent_hung_up", "answered elsewhere")
        ), seen
