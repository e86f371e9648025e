"""Digits over real sockets: an agent confirms, and each side's keys reach the other."""

import asyncio

import pytest
from calls.in_memory import AttentionTone, MemoryWriter, call_plan
from calls.story.test_on_the_wire import FarEnd, far_end
from sessions import Scripted

from twoleg.calls.leg_media import LegMedia, info_of
from twoleg.calls.plan import AgentPlan
from twoleg.calls.ports import Equipment
from twoleg.calls.story import Story, StorySettings
from twoleg.directory.accounts import Screening
from twoleg.media import Codec, EmbeddedPlane, ToneBook, dtmf
from twoleg.sip import Transport
from twoleg.sip_io import Listen, Phone, PhoneConfig

RTP_PORTS = range(40000, 60000)


class Keypad(FarEnd):
    """A phone whose keys are pressed; `events` False: it knows no telephone-event."""

    events = True

    def __init__(self, phone, plane, hertz):
        super().__init__(phone, plane, hertz)
        self.port = None
        self.infos = asyncio.Queue()
        self.talks = asyncio.Event()

    async def answer(self, call, port):
        media = LegMedia(port, (Codec.PCMU,))
        offer = call.offer
        if not self.events:
            lines = [line for line in offer.split(b"\r\n") if b" telephone-event" not in line]
            offer = b"\r\n".join(line for line in lines if b"fmtp" not in line)
            offer = offer.replace(b" 101\r\n", b"\r\n")
        call.ring()
        call.accept(media.answer_offer(offer), Scripted(take_info=self.infos.put_nowait))
        self.port = port
        self.talks.set()

    def press_inband(self, digit):
        self.port.play(dtmf(digit))

    def press_info(self, digit):
        self.call.leg.send_info(*info_of(digit))


@pytest.fixture
async def stage():
    listen = (Listen(Transport.UDP, "127.0.0.1"),)
    async with (
        EmbeddedPlane.open(host="127.0.0.1", ports=RTP_PORTS) as plane,
        EmbeddedPlane.open(host="127.0.0.1", ports=RTP_PORTS) as far_plane,
        far_end(far_plane, 440, 1000, kind=Keypad) as agent,
        far_end(far_plane, 1000, 440, kind=Keypad) as contact,
        Phone.open(PhoneConfig(listen=listen)) as phone,
    ):
        yield phone, plane, agent, contact
        assert plane.ports_open == 0


def story_of(stage, screening=Screening.ALWAYS):
    phone, plane, agent, contact = stage
    agents = AgentPlan(endpoints=(agent.plan(),), screening=screening)
    tones = ToneBook()
    equipment = Equipment(phone, plane, tones, AttentionTone(tones))
    writer = MemoryWriter()
    plan = call_plan((agents,), trunks=(contact.plan(),))
    return Story(plan, equipment, writer, settings=StorySettings(tone_seconds=0.05)), writer


@pytest.mark.parametrize("way", ["telephone-event", "info", "tones"])
async def test_an_agent_confirms_by_whatever_its_phone_sends(stage, way):
    agent, contact = stage[2:]
    agent.events = way != "tones"
    story, writer = story_of(stage)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.take(Keypad.answer))
        tasks.create_task(contact.take(Keypad.answer))
        tasks.create_task(story.run())
        await agent.talks.wait()
        await agent.port.first_packet()
        assert contact.call is None
        if way == "telephone-event":
            agent.port.send_digit("1")
        elif way == "info":
            agent.press_info("1")
        else:
            agent.press_inband("1")
        await contact.talks.wait()
        await contact.call.leg.established()
        contact.call.hang_up()
    assert writer.ending.outcome == "connected"
    assert writer.notes == [("call.agent_answered", {"user_id": None, "leg": 1})]


async def test_keys_reach_the_other_side_in_the_way_that_it_takes(stage):
    agent, contact = stage[2:]
    contact.events = False
    story, writer = story_of(stage, Screening.NEVER)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.take(Keypad.answer))
        tasks.create_task(contact.take(Keypad.answer))
        tasks.create_task(story.run())
        await contact.talks.wait()
        await contact.call.leg.established()
        agent.port.send_digit("5")
        info = await contact.infos.get()
        assert (info.content_type, info.body) == info_of("5")
        agent.press_info("6")
        assert (await contact.infos.get()).body == info_of("6")[1]
        contact.press_info("7")
        assert await agent.port.digit() == "7"
        contact.call.hang_up()
    assert writer.ending.outcome == "connected"
