"""A tone that was uploaded is the tone that an agent's phone hears, over real RTP."""

import asyncio
from array import array

import pytest
from audio_files import tone_file
from calls.engine.world import LOOPBACK, RTP_PORTS, World, config, far_end

from twoleg.calls.engine import Engine
from twoleg.calls.leg_media import LegMedia
from twoleg.media import Codec, Decoder, EmbeddedPlane, dominant_tone, steady
from twoleg.prompts import PromptStudio, create_prompt

WHISPERED, CONTACT = 700, 1000


class Listener:
    """An agent's phone that notes which tones it hears, one after another."""

    def __init__(self, codec):
        self.codec = codec
        self.tones = []
        self.hears_contact = asyncio.Event()
        self._decoder = Decoder(codec)
        self._samples = array("h")

    async def behave(self, call, port):
        media = LegMedia(port, (self.codec,))
        call.ring()
        call.accept(media.answer_offer(call.offer))
        port.tap(self._listen)

    def _listen(self, codec, payload):
        self._samples.extend(self._decoder.decode(payload))
        length = self.codec.sample_rate // 10
        if len(self._samples) < length:
            return
        part, self._samples = self._samples[:length], self._samples[length:]
        tone = dominant_tone(part, self.codec.sample_rate, (300, WHISPERED, CONTACT))
        if tone is not None and self.tones[-1:] != [tone]:
            self.tones.append(tone)
        if tone == CONTACT:
            self.hears_contact.set()


@pytest.fixture(params=Codec)
def codec(request):
    return request.param


@pytest.fixture
async def floor(office, codec):
    """An agent and a contact, who speak the same codec."""
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=RTP_PORTS) as plane,
        far_end(plane) as agent,
        far_end(plane) as contact,
    ):
        await office.add_trunk(host=LOOPBACK, port=contact.port, codecs=[codec.name])
        alice = await office.add_user("alice")
        await office.register(alice, f"sip:alice@{LOOPBACK}:{agent.port}")
        yield World(office, agent, contact, alice)


async def uploaded(database, account_id):
    """Make a prompt of an MP3 file; gives its id."""
    data = tone_file("mp3", "libmp3lame", hertz=WHISPERED, seconds=1.0)

    async def read():
        return data

    async with PromptStudio.open() as studio, database.connection() as connection:
        recorded = await studio.of_file(read)
        return (await create_prompt(connection, account_id, "Web shop", recorded)).id


async def test_a_whisper_is_heard_by_the_agent_before_the_contact_is_rung(
    floor, database, database_url, codec
):
    office, agent = floor.office, Listener(codec)
    prompt_id = await uploaded(database, office.account_id)
    heard_before = []

    async def answer(call, port):
        heard_before.extend(agent.tones)
        media = LegMedia(port, (codec,))
        call.ring()
        call.accept(media.answer_offer(call.offer))
        port.play(steady((CONTACT,), 1000), loop=True)

    floor.agent.behave, floor.contact.behave = agent.behave, answer
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=floor.alice, options={"whisper_prompt_id": prompt_id})
        contact_call = await floor.contact.next_call()
        async with asyncio.timeout(15):
            await agent.hears_contact.wait()
        contact_call.hang_up()
        assert await floor.ended(call_id) == ("connected", "contact")
    legs = "SELECT codec FROM legs WHERE role = 'agent'"
    assert await office.value(legs) == codec.name
    assert heard_before == [WHISPERED]
    assert agent.tones == [WHISPERED, CONTACT]
