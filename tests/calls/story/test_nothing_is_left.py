"""However and whenever a call is ended, no leg, port, bridge, timer or task stays."""

import asyncio
import contextlib

import pytest
from calls.in_memory import (
    ANSWERS,
    Answers,
    HangsUp,
    MemoryCheck,
    MemoryPlaces,
    MemoryPrompts,
    MemoryRecordings,
    MemoryTransfers,
    Offers,
    PlaysEarly,
    Presses,
    Refers,
    Refuses,
    Rings,
    Says,
    call_plan,
    leg_plan,
    prepare,
    user,
)
from calls.virtual_time import run
from media.machines.sounds import silence, tone

from twoleg.calls.plan import AgentRound, OnMachine
from twoleg.directory.accounts import Announcement
from twoleg.sip import Direction


def _holds(after, direction=Direction.SENDONLY):
    return Offers(after, lambda session: session.create_offer(direction))


FULL, FREE = 1, 2
"""Trunks that have limits, by their ids."""

CALLS = {
    "one phone, answered": (
        {"agent": (Rings(), Answers(2.0)), "contact": (Rings(), Answers(3.0), HangsUp(5.0))},
        call_plan(),
    ),
    "the agent hangs up": (
        {"agent": (Rings(), Answers(2.0), HangsUp(6.0)), "contact": ANSWERS},
        call_plan(),
    ),
    "two agents answer at once": (
        {
            "ann": (Rings(), Answers(2.0)),
            "bob": (Rings(), Answers(2.0)),
            "eve": (Rings(),),
            "contact": (Answers(1.0), HangsUp(2.0)),
        },
        call_plan((user("ann"), user("bob", "eve"))),
    ),
    "one agent after another, then early media": (
        {
            "ann": (Rings(),),
            "bob": (Rings(), Answers(2.0)),
            "contact": (PlaysEarly(0.5, 0.8), Answers(3.0), HangsUp(4.0)),
        },
        call_plan((user("ann"),), (user("bob"),)),
    ),
    "a trunk fails, the next is busy": (
        {"agent": ANSWERS, "first": (Refuses(503),), "second": (PlaysEarly(), Refuses(486, 2.0))},
        call_plan(trunks=("first", "second")),
    ),
    "one is asked and says nothing, another confirms": (
        {
            "ann": (Rings(), Answers(1.0)),
            "bob": (Rings(), Answers(2.0), Presses(4.0)),
            "eve": (Rings(),),
            "contact": (Answers(1.0), HangsUp(2.0)),
        },
        call_plan((user("ann", trunk_id=1), user("bob", "eve", trunk_id=1))),
    ),
    "the contact first, then a whisper to the agent": (
        {"contact": (Rings(), Answers(1.0)), "agent": (Answers(1.0), HangsUp(9.0))},
        call_plan(contact_first=True, whisper_prompt_id=4),
    ),
    "a machine that is hung up on": (
        {
            "agent": ANSWERS,
            "contact": (Answers(1.0), Says(1.0, silence(0.3) + tone(0.2, 1000) + silence(0.3))),
        },
        call_plan(on_machine=OnMachine.HANG_UP),
    ),
    "the contact first, and it is a machine": (
        {
            "contact": (Answers(1.0), Says(1.0, silence(0.3) + tone(0.2, 1000) + silence(0.3))),
            "agent": (Rings(),),
        },
        call_plan(contact_first=True, on_machine=OnMachine.HANG_UP),
    ),
    "the contact first, and nobody for it": (
        {"contact": (Rings(), Answers(1.0)), "agent": (Rings(), Refuses(486))},
        call_plan(contact_first=True),
    ),
    "held, and held again": (
        {
            "agent": (Answers(1.0), _holds(3.0), _holds(4.0, Direction.SENDRECV), _holds(5.0)),
            "contact": (Answers(1.0), HangsUp(6.0)),
        },
        call_plan(),
    ),
    "handed over": (
        {
            "agent": (Answers(1.0), Refers(3.0)),
            "contact": (Answers(1.0),),
            "boss": (Answers(1.0), HangsUp(6.0)),
        },
        call_plan(),
    ),
    "handed over in vain": (
        {
            "agent": (Answers(1.0), Refers(3.0), HangsUp(6.0)),
            "contact": (Answers(1.0),),
            "boss": (Rings(), Refuses(486)),
        },
        call_plan(),
    ),
    "nobody confirms": (
        {"ann": (Answers(1.0),), "bob": (Answers(1.0), Presses(2.0, "5"))},
        call_plan((user("ann", trunk_id=1),), (user("bob", trunk_id=1),)),
    ),
    "nobody answers": (
        {"ann": (Rings(), Refuses(603)), "bob": (Rings(),)},
        call_plan((user("ann"), user("bob"))),
    ),
    "recorded, which is announced": (
        {"agent": ANSWERS, "contact": (Answers(1.0), HangsUp(6.0))},
        call_plan(record=True, announcement=Announcement.BOTH),
    ),
    "a place on a trunk is waited for, where the first has none": (
        {"agent": ANSWERS, "second": (Rings(), Answers(2.0), HangsUp(4.0))},
        call_plan(
            trunks=(
                leg_plan("first", trunk_id=FULL, is_limited=True),
                leg_plan("second", trunk_id=FREE, is_limited=True),
            )
        ),
    ),
    "looked at again before each is rung": (
        {"agent": ANSWERS, "contact": (Answers(1.0), HangsUp(2.0))},
        call_plan(queued_seconds=60.0),
    ),
    "another agent is waited for": (
        {"agent": (Refuses(486),), "late": (Answers(1.0),), "contact": (Answers(), HangsUp(4.0))},
        call_plan(),
    ),
}


class _Late:
    """Has the phone `late` to ring, after a while, if there is one."""

    def __init__(self, behaviours):
        there = "late" in behaviours
        self._rounds = [AgentRound(agents=(user("late", user_id=9),))] if there else []

    async def following(self):
        await asyncio.sleep(2.0)
        return self._rounds.pop() if self._rounds else None

    def release(self, user_id):
        pass


def _prepared(behaviours, plan):
    told = prepare(
        behaviours,
        plan,
        agents=_Late(behaviours),
        prompts=MemoryPrompts(prompt_4="calling"),
        transfers=MemoryTransfers(boss=[(user("boss"),)]),
        trunks=(places := MemoryPlaces({FULL: 0, FREE: 1}, turn=0.5)),
        recordings=(recordings := MemoryRecordings()),
        check=MemoryCheck(seconds=0.1),
    )
    told.places, told.recordings = places, recordings
    return told


async def _tell(told, run):
    """Run the story, and look for what is left of it in the very moment of its end."""
    try:
        await run
    finally:
        told.assert_nothing_is_left()
        assert told.places.places == {FULL: 0, FREE: 1}, "a place on a trunk is taken"
        begun, ended = told.recordings.begun, told.recordings.ended
        assert {call for call, *_ in begun} <= {call for call, _ in ended}, "it is being recorded"
        told.tasks_left = asyncio.all_tasks() - {asyncio.current_task(), told.watched_by}


async def _ended(told, run, disturb=None):
    told.watched_by = asyncio.current_task()
    task = asyncio.create_task(_tell(told, run))
    if disturb is not None:
        disturb(task)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert told.tasks_left == set()


def _told(behaviours, plan, *, interrupt=None, seed=None):
    """Tell a story; `interrupt(story, task)` is called at the given turn of the event loop."""

    async def main(loop):
        told = _prepared(behaviours, plan)
        first = loop.steps

        def disturb(task):
            if interrupt is not None:
                step, act = interrupt
                loop.interrupt(first + step, lambda: act(told.story, task))

        await _ended(told, told.story.run(), disturb)
        told.steps = loop.steps - first
        return told

    return run(main, seed=seed)


def _cancel(story, task):
    task.cancel()


def _hang_up(story, task):
    story.hang_up()


def _cancel_twice(story, task):
    task.cancel()
    asyncio.get_event_loop().call_soon(task.cancel)


def _hang_up_and_stop(story, task):
    story.hang_up()
    asyncio.get_event_loop().call_soon(task.cancel)


ENDINGS = {
    _cancel: {"failed"},
    _cancel_twice: {"failed"},
    _hang_up: {"canceled", "connected"},
    _hang_up_and_stop: {"canceled", "connected", "failed"},
}


@pytest.mark.parametrize("act", ENDINGS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_ended_in_any_turn_of_the_event_loop_a_call_leaves_nothing_behind(call, act, seed):
    behaviours, plan = CALLS[call]
    undisturbed = _told(behaviours, plan, seed=seed)
    assert undisturbed.steps > 10
    assert undisturbed.outcome != "failed"
    # A task that is cancelled before its first step never began its story.
    for step in range(2, undisturbed.steps):
        told = _told(behaviours, plan, interrupt=(step, act), seed=seed)
        assert told.outcome in {*ENDINGS[act], undisturbed.outcome}, f"in turn {step}"


class _CountsAwaits:
    """Runs a coroutine, and cancels its task where it waits for the n-th time."""

    def __init__(self, coroutine, cancel_at=None):
        self._coroutine = coroutine
        self._cancel_at = cancel_at
        self.awaits = 0

    def __await__(self):
        steps = self._coroutine.__await__()
        try:
            waiting_for = next(steps)
            while True:
                self.awaits += 1
                if self.awaits == self._cancel_at:
                    asyncio.current_task().cancel()
                try:
                    value = yield waiting_for
                except BaseException as error:  # noqa: BLE001  # it is passed on
                    waiting_for = steps.throw(error)
                else:
                    waiting_for = steps.send(value)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("call", CALLS)
def test_cancelled_at_any_await_of_the_story_it_leaves_nothing_behind(call):
    behaviours, plan = CALLS[call]

    def told(cancel_at=None):
        async def main(loop):
            told = _prepared(behaviours, plan)
            counted = _CountsAwaits(told.story.run(), cancel_at)

            await _ended(told, counted)
            told.awaits = counted.awaits
            return told

        return run(main)

    total = told().awaits
    assert total >= 1
    for number in range(1, total + 1):
        assert told(number).awaits >= number
