"""An agent's phone hands its call over, with a real engine, SIP, RTP and database."""

import asyncio
import contextlib
from array import array
from contextlib import asynccontextmanager

import pytest
from calls.engine.conftest import CONTACT_NUMBER
from calls.engine.world import FarEnd, config
from sessions import Scripted
from waiting import until

from twoleg.calls.engine import Engine
from twoleg.calls.leg_media import LegMedia
from twoleg.media import Codec, Decoder, EmbeddedPlane, dominant_tone, steady
from twoleg.sip import Transport
from twoleg.sip_io import KnownAddresses, Listen, Phone, PhoneConfig

LOOPBACK = "127.0.0.1"
RTP_PORTS = range(40000, 60000)
AGENT, CONTACT, BOSS = 440, 1000, 1500
WINDOW = 1600  # samples: 200 ms


class Telephone(FarEnd):
    """A phone that says what it hears, can ask for a transfer, and keeps the news of it."""

    def __init__(self, phone, plane, hertz):
        super().__init__(phone, plane)
        self.hertz = hertz
        self.heard = asyncio.Queue()
        self.news = asyncio.Queue()
        self._samples = array("h")
        self._decoder = Decoder(Codec.PCMU)

    async def answer(self, call, port):
        media = LegMedia(port, (Codec.PCMU,))
        call.ring()
        port.tap(self._receive)
        session = Scripted(take_request=self._take_news)
        call.accept(media.answer_offer(call.offer), session)
        port.play(steady((self.hertz,), 1000), loop=True)

    async def hears(self, hertz):
        async with asyncio.timeout(20):
            while await self.heard.get() != hertz:
                pass

    async def told(self):
        async with asyncio.timeout(20):
            return await self.news.get()

    def _take_news(self, request):
        assert request.headers.get("Content-Type").startswith("message/sipfrag")
        self.news.put_nowait(request.body.decode().split()[1])
        return 200

    def _receive(self, codec, payload):
        self._samples.extend(self._decoder.decode(payload))
        if len(self._samples) >= WINDOW:
            self.heard.put_nowait(dominant_tone(self._samples, 8000, (AGENT, CONTACT, BOSS)))
            self._samples = array("h")


@asynccontextmanager
async def telephone(plane, hertz):
    listen = (Listen(Transport.UDP, LOOPBACK),)
    settings = PhoneConfig(
        listen=listen,
        accept_calls=True,
        drain_seconds=0.2,
        dialog_methods=frozenset({"NOTIFY"}),
    )
    async with Phone.open(settings, KnownAddresses({LOOPBACK})) as phone:
        far = Telephone(phone, plane, hertz)
        serving = asyncio.create_task(far.serve())
        try:
            yield far
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving


@pytest.fixture
async def telephones():
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=RTP_PORTS) as plane,
        telephone(plane, AGENT) as agent,
        telephone(plane, CONTACT) as contact,
        telephone(plane, BOSS) as boss,
    ):
        yield agent, contact, boss


async def users_of(office, agent, boss):
    alice, bob = await office.add_user("alice"), await office.add_user("boss")
    await office.register(alice, f"sip:alice@{LOOPBACK}:{agent.port}")
    await office.register(bob, f"sip:boss@{LOOPBACK}:{boss.port}")
    return alice, bob


async def ended(office, call_id):
    async def has_ended():
        return await office.call(call_id) == "ended"

    await until(has_ended)
    return await office.call(call_id, "outcome, ended_by")


def refer(call, target):
    call.leg.send_request("REFER", (("Refer-To", f"<{target}>"), ("Referred-By", "<sip:alice@x>")))


async def test_the_contact_talks_to_whom_the_agents_phone_named(office, database_url, telephones):
    agent, contact, boss = telephones
    await office.add_trunk(host=LOOPBACK, port=contact.port)
    alice, bob = await users_of(office, agent, boss)
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=alice)
        agent_call = await agent.next_call()
        await contact.next_call()
        await contact.hears(AGENT)
        refer(agent_call, "sip:boss@example.com")
        boss_call = await boss.next_call()
        await contact.hears(BOSS)
        await boss.hears(CONTACT)
        news = [await agent.told(), await agent.told(), await agent.told()]
        assert news == ["100", "180", "200"]
        assert (await agent.end()).by_remote
        assert await office.reserved() == {bob: call_id}
        boss_call.hang_up()
        assert await ended(office, call_id) == ("connected", "agent")
        assert (await contact.end()).by_remote
    events = await office.events(call_id)
    assert events[-3:] == ["bridged", "transferred", "ended"]
    assert await office.reserved() == {}
    legs = "SELECT role, user_id, sip_status, dialog FROM legs ORDER BY position"
    assert await office.rows(legs) == [
        ("agent", alice, 200, None),
        ("contact", None, 200, None),
        ("agent", bob, 200, None),
    ]


async def test_a_busy_target_gives_the_contact_back_to_the_agent(office, database_url, telephones):
    agent, contact, boss = telephones
    await office.add_trunk(host=LOOPBACK, port=contact.port)
    alice, _ = await users_of(office, agent, boss)
    boss.behave = boss.refuse
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=alice)
        agent_call = await agent.next_call()
        contact_call = await contact.next_call()
        await contact.hears(AGENT)
        refer(agent_call, "sip:boss@example.com")
        assert [await agent.told(), await agent.told()] == ["100", "486"]
        await contact.hears(AGENT)
        await agent.hears(CONTACT)
        contact_call.hang_up()
        assert await ended(office, call_id) == ("connected", "contact")
    assert "transfer_failed" in await office.events(call_id)
    assert await office.reserved() == {}


async def test_a_target_who_has_another_call_is_busy_without_being_rung(
    office, database_url, telephones
):
    agent, contact, boss = telephones
    await office.add_trunk(host=LOOPBACK, port=contact.port)
    alice, bob = await users_of(office, agent, boss)
    other = await office.queue(user_id=bob)
    await office.claim(await office.join())
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=alice)
        agent_call = await agent.next_call()
        contact_call = await contact.next_call()
        await contact.hears(AGENT)
        refer(agent_call, "sip:boss@example.com")
        assert [await agent.told(), await agent.told()] == ["100", "486"]
        await contact.hears(AGENT)
        contact_call.hang_up()
        assert await ended(office, call_id) == ("connected", "contact")
    assert boss.calls.empty()
    assert await office.reserved() == {bob: other}


async def test_a_number_is_dialled_over_the_lines_trunk(office, database_url, telephones):
    agent, contact, boss = telephones
    await office.add_trunk(host=LOOPBACK, port=contact.port)
    alice, _ = await users_of(office, agent, boss)
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=alice)
        agent_call = await agent.next_call()
        await contact.next_call()
        await contact.hears(AGENT)
        refer(agent_call, "tel:+41-44-555-01-90")
        outside = await contact.next_call()
        assert outside.request.uri.user == "+41445550190"
        assert outside.request.uri.user != CONTACT_NUMBER
        assert (await agent.end()).by_remote
        outside.hang_up()
        assert (await ended(office, call_id))[0] == "connected"
