"""An office whose agent and contact have phones on loopback, for engines that are real."""

import asyncio
import contextlib
from contextlib import asynccontextmanager

from waiting import until

from twoleg.calls.engine import EngineConfig
from twoleg.calls.leg_media import LegMedia
from twoleg.calls.story import StorySettings
from twoleg.media import Codec, EmbeddedPlane, steady
from twoleg.sip import Credentials, RegistrationConfig, RegistrationState, SipUri, Transport
from twoleg.sip_io import KnownAddresses, Listen, Phone, PhoneConfig, registered

LOOPBACK = "127.0.0.1"
RTP_PORTS = range(40000, 60000)
PASSWORD = "correct horse"


class FarEnd:
    """A phone that answers every call, unless told to do otherwise."""

    def __init__(self, phone, plane):
        self.phone = phone
        self.plane = plane
        self.behave = self.answer
        self.hertz = 440
        self.calls = asyncio.Queue()
        self.ended = asyncio.Queue()

    @property
    def address(self):
        [(_, address)] = self.phone.addresses
        return address

    @property
    def port(self):
        return self.address.port

    async def serve(self):
        async with asyncio.TaskGroup() as calls:
            async for call in self.phone.incoming():
                calls.create_task(self._take(call))

    async def _take(self, call):
        async with self.plane.open_port() as port:
            await self.behave(call, port)
            self.calls.put_nowait(call)
            self.ended.put_nowait(await call.ended())

    async def answer(self, call, port):
        media = LegMedia(port, (Codec.PCMU,))
        call.ring()
        call.accept(media.answer_offer(call.offer))
        port.play(steady((self.hertz,), 1000), loop=True)

    async def refuse(self, call, port):
        call.reject(486)

    async def next_call(self):
        async with asyncio.timeout(15):
            return await self.calls.get()

    async def end(self):
        async with asyncio.timeout(15):
            return await self.ended.get()


@asynccontextmanager
async def far_end(plane, host=LOOPBACK):
    listen = (Listen(Transport.UDP, host),)
    config = PhoneConfig(listen=listen, accept_calls=True, drain_seconds=0.2)
    async with Phone.open(config, KnownAddresses({host})) as phone:
        far = FarEnd(phone, plane)
        serving = asyncio.create_task(far.serve())
        try:
            yield far
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving


def config(**values):
    settings = {
        "sip": (LOOPBACK, 0),
        "rtp_ports": RTP_PORTS,
        "max_calls": 10,
        "story": StorySettings(tone_seconds=0.05),
    }
    return EngineConfig(**(settings | values))


@asynccontextmanager
async def registered_at(engine, far, username, password=PASSWORD):
    """Keep a phone registered at the engine; gives the registration, once it has succeeded."""
    host, port = engine.sip_address.rsplit(":", 1)
    host, ours = host.strip("[]"), far.address
    settled = asyncio.Event()

    def on_change(registration):
        if registration.state in (RegistrationState.REGISTERED, RegistrationState.FAILED):
            settled.set()

    registration_config = RegistrationConfig(
        registrar=SipUri("sip", None, None, host, int(port)),
        address_of_record=SipUri("sip", username, None, host, int(port)),
        contact=SipUri("sip", username, None, ours.host, ours.port),
        credentials=Credentials(username, password),
    )
    async with registered(far.phone, registration_config, on_change) as registration:
        async with asyncio.timeout(15):
            await settled.wait()
        yield registration


class World:
    """The office with one agent and one contact, each with a phone."""

    def __init__(self, office, agent, contact, alice):
        self.office = office
        self.agent = agent
        self.contact = contact
        self.alice = alice

    async def until(self, value, statement, *parameters):
        """Wait until the database gives that value."""

        async def it_does():
            return await self.office.value(statement, *parameters) == value

        await until(it_does)

    async def ended(self, call_id):
        """Wait until the call's record is closed; gives its outcome and who ended it."""
        await self.until("ended", "SELECT status FROM calls WHERE id = %s", call_id)
        return await self.office.call(call_id, "outcome, ended_by")


@asynccontextmanager
async def agent_and_contact(office):
    """Give the office an agent with a phone, and a trunk at whose end a contact answers."""
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=RTP_PORTS) as plane,
        far_end(plane) as agent,
        far_end(plane) as contact,
    ):
        await office.add_trunk(host=LOOPBACK, port=contact.port)
        alice = await office.add_user("alice")
        await office.register(alice, f"sip:alice@{LOOPBACK}:{agent.port}")
        yield World(office, agent, contact, alice)
