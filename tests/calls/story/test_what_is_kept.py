"""What a call was made of is freed at its end, without waiting for a garbage collector."""

import asyncio
import gc

import pytest
from calls.story.test_on_the_wire import FarEnd, stage, story_of
from waiting import until

__all__ = ["stage"]


async def contact_hangs_up(story, agent, contact):
    await contact.heard.wait()
    contact.call.hang_up()


async def agent_hangs_up(story, agent, contact):
    await contact.heard.wait()
    agent.call.hang_up()


async def api_hangs_up(story, agent, contact):
    await contact.heard.wait()
    story.hang_up()


async def both_hang_up(story, agent, contact):
    await contact.heard.wait()
    agent.call.hang_up()
    contact.call.hang_up()


async def agent_leaves_the_ringing(story, agent, contact):
    await contact.rings.wait()
    agent.call.hang_up()


async def nobody_does_anything(story, agent, contact):
    pass


async def talk(far, call, port):
    await FarEnd.talk(far, call, port)


async def be_busy(far, call, port):
    await FarEnd.be_busy(far, call, port)


async def ring(far, call, port):
    call.ring()
    far.rings.set()


ENDS = {
    "the contact hangs up": (talk, contact_hangs_up),
    "the agent hangs up": (talk, agent_hangs_up),
    "the API hangs up": (talk, api_hangs_up),
    "both hang up": (talk, both_hang_up),
    "the agent leaves the ringing": (ring, agent_leaves_the_ringing),
    "the contact is busy": (be_busy, nobody_does_anything),
}


def parts_of_calls():
    """Name what there is of calls of ours; the far ends have sessions of their own."""
    return [
        type(each).__qualname__
        for each in gc.get_objects()
        if type(each).__module__.startswith("twoleg.calls.")
        and type(each).__module__ not in ("twoleg.calls.leg_media", "twoleg.calls.limits")
    ]


@pytest.mark.parametrize(("contact_does", "end"), ENDS.values(), ids=ENDS)
async def test_nothing_of_a_call_that_is_over_waits_for_a_collector(stage, contact_does, end):
    contact = stage[3]
    contact.rings = asyncio.Event()
    gc.collect()
    before = sorted(parts_of_calls())
    gc.disable()
    try:
        await run_to_its_end(stage, contact_does, end)
        await until(lambda: stage[0].legs == 0)
        assert sorted(parts_of_calls()) == before
    finally:
        gc.enable()


class Forgetful:
    """Stands in for the database: stores at once, and keeps the outcome alone."""

    outcome = None

    def write(self, change):
        if change.ending is not None:
            self.outcome = change.ending.outcome

    def write_legs(self, call_id, legs):
        pass

    def store(self, change):
        self.write(change)
        stored = asyncio.get_running_loop().create_future()
        stored.set_result(None)
        return stored


async def run_to_its_end(stage, contact_does, end):
    agent, contact = stage[2:]
    writer = Forgetful()
    story = story_of(stage, writer)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.take(talk))
        tasks.create_task(contact.take(contact_does))
        tasks.create_task(story.run())
        await end(story, agent, contact)
    assert writer.outcome is not None
