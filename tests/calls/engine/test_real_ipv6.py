"""An engine on IPv6 alone: SIP and audio of a registered phone and of a trunk, end to end."""

import asyncio
from array import array
from dataclasses import replace

import pytest
from calls.engine.world import (
    PASSWORD,
    RTP_PORTS,
    World,
    config,
    far_end,
    registered_at,
)
from name_server import name_server_of

from twoleg.calls.engine import Engine, EngineConfig
from twoleg.calls.leg_media import LegMedia
from twoleg.media import Codec, Decoder, EmbeddedPlane, dominant_tone, steady
from twoleg.sip import make_ha1s
from twoleg.sip_io import ResolverConfig

LOOPBACK = "::1"
SAMPLE_RATE = 8000
TONES = (440, 1000)
TRUNK = "carrier.example.com"


class Ear:
    """What a far end hears, until it has heard enough of one tone."""

    def __init__(self):
        self.samples = array("h")
        self.enough = asyncio.Event()

    def hear(self, _, payload):
        self.samples.extend(Decoder(Codec.PCMU).decode(payload))
        if len(self.samples) >= SAMPLE_RATE and self.tone() is not None:
            self.enough.set()

    def tone(self):
        return dominant_tone(self.samples[-SAMPLE_RATE // 2 :], SAMPLE_RATE, TONES)


def talking(far, hertz):
    """Have a far end play a tone to whoever calls it, and listen."""
    ear = Ear()
    described = []

    async def talk(call, port):
        media = LegMedia(port, (Codec.PCMU,))
        described.append(call.offer)
        call.ring()
        call.accept(media.answer_offer(call.offer))
        port.tap(ear.hear)
        port.play(steady((hertz,), 1000), loop=True)

    far.behave = talk
    return ear, described


@pytest.fixture
async def world(office):
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=RTP_PORTS) as plane,
        far_end(plane, LOOPBACK) as agent,
        far_end(plane, LOOPBACK) as contact,
    ):
        alice = await office.add_user("alice", sip_ha1=make_ha1s("alice", "twoleg", PASSWORD))
        yield World(office, agent, contact, alice)


async def hold_a_call(world, settings, database_url):
    """Have the registered agent and the contact talk until each has heard the other."""
    agent_ear, agent_offers = talking(world.agent, 440)
    contact_ear, contact_offers = talking(world.contact, 1000)
    async with (
        Engine.open(settings, database_url) as engine,
        registered_at(engine, world.agent, "alice"),
    ):
        assert engine.sip_address.startswith("[::1]:")
        call_id = await world.office.queue(user_id=world.alice)
        agent_call = await world.agent.next_call()
        await world.contact.next_call()
        async with asyncio.timeout(20):
            await agent_ear.enough.wait()
            await contact_ear.enough.wait()
        agent_call.hang_up()
        assert await world.ended(call_id) == ("connected", "agent")
    assert (agent_ear.tone(), contact_ear.tone()) == (1000, 440)
    for offer in (*agent_offers, *contact_offers):
        assert b"c=IN IP6 ::1\r\n" in offer
    packets = "SELECT bool_and((quality->>'packets_received')::int > 0) FROM legs"
    assert await world.office.value(packets)
    assert agent_call.flow.remote.host == LOOPBACK


async def test_a_registered_phone_and_a_trunk_hear_each_other_over_ipv6(world, database_url):
    await world.office.add_trunk(host=LOOPBACK, port=world.contact.port)
    await hold_a_call(world, config(sip=(LOOPBACK, 0)), database_url)


def asking(server):
    """Set up an engine that asks a name server of the test."""

    class Asking(EngineConfig):
        @property
        def phone(self):
            resolver = ResolverConfig(nameservers=(server.address,), lookup_seconds=20.0)
            return replace(super().phone, resolver=resolver)

    settings = config(sip=(LOOPBACK, 0))
    return Asking(sip=settings.sip, rtp_ports=settings.rtp_ports, story=settings.story)


async def test_a_trunk_by_name_is_found_at_its_ipv6_address(world, database_url):
    """The engine has no socket for the other address, and does not ask for it."""
    await world.office.add_trunk(host=TRUNK, port=world.contact.port)
    records = ((f"{TRUNK}.", 60, "AAAA", LOOPBACK), (f"{TRUNK}.", 60, "A", "192.0.2.1"))
    async with name_server_of(*records) as server:
        await hold_a_call(world, asking(server), database_url)
        assert server.asked[(f"{TRUNK}.", "AAAA")] > 0
        assert server.asked[(f"{TRUNK}.", "A")] == 0
