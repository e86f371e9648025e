"""Hold over real sockets: re-INVITE, music, and the other's voice again."""

import asyncio
from array import array

import pytest
from calls.in_memory import AttentionTone, MemoryWriter, call_plan
from calls.story.test_on_the_wire import WINDOW, FarEnd, far_end
from sessions import Scripted

from twoleg.calls.leg_media import LegMedia
from twoleg.calls.plan import AgentPlan
from twoleg.calls.ports import Equipment
from twoleg.calls.story import Story
from twoleg.media import Codec, EmbeddedPlane, ToneBook, dominant_tone, steady
from twoleg.sip import AudioSession, Direction, LocalAudio, Transport
from twoleg.sip.audio_formats import PCMU, TELEPHONE_EVENT
from twoleg.sip_io import Listen, Phone, PhoneConfig

MUSIC_HERTZ = 262
RTP_PORTS = range(40000, 60000)


class HoldingPhone(FarEnd):
    """A phone that can put the call on hold, and tells which tone it hears."""

    def __init__(self, phone, plane, hertz):
        super().__init__(phone, plane, hertz)
        self.session = None
        self.tones = asyncio.Queue()
        self.answered = asyncio.Queue()

    async def talk(self, call, port):
        local = LocalAudio(port.address, port.port, (PCMU, TELEPHONE_EVENT))
        self.session = AudioSession(local, 7)
        media = LegMedia(port, (Codec.PCMU,))
        media._session = self.session
        port.tap(self._receive)
        call.ring()
        session = Scripted(accept_answer=self._take_answer)
        call.accept(media.answer_offer(call.offer), session)
        port.play(steady((self.hertz,), 1000), loop=True)

    def offer(self, direction):
        self.call.leg.offer(self.session.create_offer(direction))

    async def hears(self, hertz):
        async with asyncio.timeout(10):
            while await self.tones.get() != hertz:
                pass

    def _take_answer(self, body):
        self.answered.put_nowait(self.session.accept_answer(body))

    def _receive(self, codec, payload):
        self._samples.extend(self._decoder.decode(payload))
        if len(self._samples) >= WINDOW:
            self.tones.put_nowait(dominant_tone(self._samples, 8000, (440, 1000, MUSIC_HERTZ)))
            self._samples = array("h")


@pytest.mark.parametrize("direction", [Direction.SENDONLY, Direction.INACTIVE])
async def test_a_held_contact_hears_music_and_then_the_agent_again(direction):
    listen = (Listen(Transport.UDP, "127.0.0.1"),)
    async with (
        EmbeddedPlane.open(host="127.0.0.1", ports=RTP_PORTS) as plane,
        EmbeddedPlane.open(host="127.0.0.1", ports=RTP_PORTS) as far_plane,
        far_end(far_plane, 440, None, kind=HoldingPhone) as agent,
        far_end(far_plane, 1000, None, kind=HoldingPhone) as contact,
        Phone.open(PhoneConfig(listen=listen)) as phone,
    ):
        tones = ToneBook()
        writer = MemoryWriter()
        plan = call_plan((AgentPlan(endpoints=(agent.plan(),)),), trunks=(contact.plan(),))
        story = Story(plan, Equipment(phone, plane, tones, AttentionTone(tones)), writer)
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(agent.take(HoldingPhone.talk))
            tasks.create_task(contact.take(HoldingPhone.talk))
            tasks.create_task(story.run())
            await contact.hears(440)
            agent.offer(direction)
            agreed = await agent.answered.get()
            assert not agreed.direction.receives
            await contact.hears(MUSIC_HERTZ)
            agent.offer(Direction.SENDRECV)
            await agent.answered.get()
            await contact.hears(440)
            await agent.hears(1000)
            contact.call.hang_up()
    assert writer.ending.outcome == "connected"
    assert [kind for kind, _ in writer.notes] == ["call.held", "call.resumed"]
