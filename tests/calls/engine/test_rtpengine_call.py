"""An engine whose calls' audio is carried by a real rtpengine: what each side hears."""

import asyncio
from array import array
from collections import deque
from contextlib import asynccontextmanager

import pytest
from calls.engine.recorded_tones import recorded_tones
from calls.engine.world import agent_and_contact, config
from foreign_peers.rtpengine import Rtpengine
from waiting import until

from twoleg.calls.engine import Engine
from twoleg.calls.leg_media import LegMedia
from twoleg.calls.recordings import SPOOL
from twoleg.calls.story import StorySettings
from twoleg.media import Codec, Decoder, dominant_tone, steady

pytestmark = pytest.mark.peer

AGENT, CONTACT, RINGBACK = 1000, 620, 440
TONES = (AGENT, CONTACT, RINGBACK)
"""The line's country rings with 440 and 480 Hz."""


@pytest.fixture
def node():
    with Rtpengine() as node:
        yield node


class Ears:
    """What a phone hears, from its call's first packet on."""

    def __init__(self, port):
        self.frames = 0
        self._last = deque(maxlen=10)
        self._decoder = Decoder(Codec.PCMU)
        port.tap(self._take)

    def _take(self, codec, payload):
        self.frames += 1
        self._last.append(self._decoder.decode(payload))

    async def hears(self, hertz):
        async with asyncio.timeout(15):
            while self._tone() != hertz:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def _tone(self):
        samples = array("h")
        for frame in self._last:
            samples.extend(frame)
        return dominant_tone(samples, 8000, TONES) if len(self._last) == 10 else None


class Listening:
    """A far end that answers with its tone, and hears."""

    def __init__(self, far, hertz):
        self.hertz = hertz
        self.answers = asyncio.Event()
        self.answers.set()
        self.picked_up = asyncio.Event()
        far.behave = self.answer

    async def answer(self, call, port):
        media = LegMedia(port, (Codec.PCMU,))
        call.ring()
        await self.answers.wait()
        call.accept(media.answer_offer(call.offer))
        self.port, self.ears = port, Ears(port)
        self.speak()
        self.picked_up.set()

    def speak(self):
        self.port.play(steady((self.hertz,), 1000), loop=True)

    async def hears(self, hertz):
        async with asyncio.timeout(15):
            await self.picked_up.wait()
        await self.ears.hears(hertz)


@pytest.fixture
async def world(office):
    async with agent_and_contact(office) as world:
        yield world


@pytest.fixture
def agent(world):
    return Listening(world.agent, AGENT)


@pytest.fixture
def contact(world):
    return Listening(world.contact, CONTACT)


@asynccontextmanager
async def engine_at(node, database_url, **values):
    async with Engine.open(config(rtpengine=(node.place,), **values), database_url) as engine:
        yield engine
    assert node.is_running


async def test_the_agent_hears_it_ring_and_then_each_hears_the_other(
    world, agent, contact, node, database_url
):
    contact.answers.clear()
    async with engine_at(node, database_url):
        call_id = await world.office.queue(user_id=world.alice)
        await agent.hears(RINGBACK)
        contact.answers.set()
        await asyncio.gather(agent.hears(CONTACT), contact.hears(AGENT))
        (await world.contact.next_call()).hang_up()
        assert await world.ended(call_id) == ("connected", "contact")
        assert (await world.agent.end()).by_remote


async def test_an_agent_over_a_trunk_is_asked_and_its_digit_is_heard(
    world, agent, contact, node, database_url
):
    async with engine_at(node, database_url):
        await world.office.queue(user_id=world.alice, options={"screen": True})
        async with asyncio.timeout(15):
            await agent.picked_up.wait()
            while not agent.ears.frames:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            agent.port.stop_playing()
            while not contact.picked_up.is_set():
                agent.port.send_digit("1")
                await asyncio.sleep(0.3)
        agent.speak()
        await asyncio.gather(agent.hears(CONTACT), contact.hears(AGENT))
        (await world.contact.next_call()).hang_up()


async def test_a_contact_that_is_first_is_joined_to_the_agent(
    world, agent, contact, node, database_url
):
    async with engine_at(node, database_url):
        call_id = await world.office.queue(user_id=world.alice, options={"first": "contact"})
        await asyncio.gather(agent.hears(CONTACT), contact.hears(AGENT))
        (await world.agent.next_call()).hang_up()
        assert await world.ended(call_id) == ("connected", "agent")


async def test_a_call_is_recorded_from_what_the_node_hears(
    world, agent, contact, node, database, database_url, tmp_path
):
    policy = "UPDATE accounts SET recording = 'always', recording_announcement = 'none'"
    await world.office.rows(policy)
    async with engine_at(node, database_url, data_dir=tmp_path):
        call_id = await world.office.queue(user_id=world.alice)
        contact_call = await world.contact.next_call()
        raws = (tmp_path / SPOOL).glob
        await until(lambda: sum(raw.stat().st_size for raw in raws("*.raw")) >= 20_000)
        contact_call.hang_up()
        await world.ended(call_id)
        await world.until("finalising", "SELECT state FROM recordings WHERE call_id = %s", call_id)
    account_id = world.office.account_id
    tones = await recorded_tones(database, tmp_path, account_id, call_id, TONES)
    assert tones == [AGENT, CONTACT]


async def test_a_call_whose_node_dies_ends_by_the_silence(
    world, agent, contact, node, database_url
):
    story = StorySettings(silent_seconds=1.0)
    async with Engine.open(config(rtpengine=(node.place,), story=story), database_url):
        call_id = await world.office.queue(user_id=world.alice)
        await asyncio.gather(agent.hears(CONTACT), contact.hears(AGENT))
        node.kill()
        assert await world.ended(call_id) == ("connected", "system")
        assert (await world.agent.end()).by_remote
        assert (await world.contact.end()).by_remote
    assert ("no audio for 1 s",) in await world.office.rows("SELECT reason FROM legs")


async def test_without_a_node_calls_wait_in_the_queue(world, agent, contact, node, database_url):
    node.kill()
    async with Engine.open(config(rtpengine=(node.place,)), database_url):
        call_id = await world.office.queue(user_id=world.alice)
        node.start()
        await agent.hears(CONTACT)
        await world.until("bridged", "SELECT status FROM calls WHERE id = %s", call_id)
        (await world.contact.next_call()).hang_up()
