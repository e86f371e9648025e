"""The same story over real sockets: our phone rings two others, and each hears the other."""

import asyncio
from array import array
from contextlib import asynccontextmanager

import pytest
from calls.in_memory import AttentionTone, MemoryWriter, call_plan, leg_plan

from twoleg.calls.leg_media import LegMedia
from twoleg.calls.plan import AgentPlan
from twoleg.calls.ports import Equipment
from twoleg.calls.story import Story, StorySettings
from twoleg.media import Codec, Decoder, EmbeddedPlane, ToneBook, dominant_tone, steady
from twoleg.sip import Destination, Transport
from twoleg.sip_io import KnownAddresses, Listen, Phone, PhoneConfig

LISTEN = (Listen(Transport.UDP, "127.0.0.1"),)
WINDOW = 1600  # samples: 200 ms, whole periods of both tones


class FarEnd:
    """A phone that takes one call, plays a tone, and knows what it hears."""

    def __init__(self, phone, plane, hertz):
        self.phone = phone
        self.plane = plane
        self.hertz = hertz
        self.call = None
        self.end = None
        self.heard = asyncio.Event()
        self.expected = None
        self._samples = array("h")
        self._decoder = Decoder(Codec.PCMU)

    def plan(self):
        ((transport, address),) = self.phone.addresses
        destination = Destination(transport, address.host, address.port)
        return leg_plan("far", destinations=(destination,))

    async def take(self, behave):
        async for call in self.phone.incoming():
            self.call = call
            async with self.plane.open_port() as port:
                await behave(self, call, port)
                self.end = await call.ended()
            return

    async def talk(self, call, port):
        media = LegMedia(port, (Codec.PCMU,))
        call.ring()
        port.tap(self._receive)
        call.accept(media.answer_offer(call.offer))
        port.play(steady((self.hertz,), 1000), loop=True)

    async def be_busy(self, call, port):
        call.reject(486)

    def _receive(self, codec, payload):
        self._samples.extend(self._decoder.decode(payload))
        if len(self._samples) >= WINDOW:
            if dominant_tone(self._samples, 8000, (440, 1000)) == self.expected:
                self.heard.set()
            self._samples = array("h")


@asynccontextmanager
async def far_end(plane, hertz, expected, kind=FarEnd):
    config = PhoneConfig(listen=LISTEN, accept_calls=True)
    async with Phone.open(config, KnownAddresses({"127.0.0.1"})) as phone:
        far = kind(phone, plane, hertz)
        far.expected = expected
        yield far


@pytest.fixture
async def stage():
    """Our engine's phone and plane, an agent at 440 Hz and a contact at 1000 Hz."""
    async with (
        EmbeddedPlane.open(host="127.0.0.1", ports=range(40000, 60000)) as plane,
        EmbeddedPlane.open(host="127.0.0.1", ports=range(40000, 60000)) as far_plane,
        far_end(far_plane, 440, 1000) as agent,
        far_end(far_plane, 1000, 440) as contact,
        Phone.open(PhoneConfig(listen=LISTEN)) as phone,
    ):
        yield phone, plane, agent, contact
        assert plane.ports_open == 0


def story_of(stage, writer):
    phone, plane, agent, contact = stage
    plan = call_plan((AgentPlan(endpoints=(agent.plan(),)),), trunks=(contact.plan(),))
    settings = StorySettings(tone_seconds=0.05)
    tones = ToneBook()
    equipment = Equipment(phone, plane, tones, AttentionTone(tones))
    return Story(plan, equipment, writer, settings=settings)


async def test_two_real_phones_hear_each_other_until_the_contact_hangs_up(stage):
    agent, contact = stage[2:]
    writer = MemoryWriter()
    story = story_of(stage, writer)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.take(FarEnd.talk))
        tasks.create_task(contact.take(FarEnd.talk))
        tasks.create_task(story.run())
        await asyncio.gather(agent.heard.wait(), contact.heard.wait())
        contact.call.hang_up()
    assert (writer.ending.outcome, writer.ending.ended_by) == ("connected", "contact")
    assert agent.end.by_remote
    for leg in writer.legs.values():
        assert leg.quality["packets_received"] > 0
        assert (leg.codec, leg.sip_status) == ("PCMU", 200)


async def test_the_api_hangs_up_two_real_phones(stage):
    agent, contact = stage[2:]
    writer = MemoryWriter()
    story = story_of(stage, writer)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.take(FarEnd.talk))
        tasks.create_task(contact.take(FarEnd.talk))
        tasks.create_task(story.run())
        await contact.heard.wait()
        story.hang_up()
    assert (writer.ending.outcome, writer.ending.ended_by) == ("connected", "api")
    assert agent.end.by_remote
    assert contact.end.by_remote


async def test_a_busy_real_phone(stage):
    agent, contact = stage[2:]
    writer = MemoryWriter()
    story = story_of(stage, writer)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.take(FarEnd.talk))
        tasks.create_task(contact.take(FarEnd.be_busy))
        tasks.create_task(story.run())
    assert writer.ending.outcome == "contact_busy"
    assert writer.legs[2].sip_status == 486


async def test_an_agent_that_hangs_up_cancels_the_ringing_of_the_contact(stage):
    agent, contact = stage[2:]
    writer = MemoryWriter()
    story = story_of(stage, writer)

    async def ring_and_leave(far, call, port):
        call.ring()
        agent.call.hang_up()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.take(FarEnd.talk))
        tasks.create_task(contact.take(ring_and_leave))
        tasks.create_task(story.run())
    assert (writer.ending.outcome, writer.ending.ended_by) == ("agent_hung_up", "agent")
