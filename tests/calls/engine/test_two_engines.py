"""Two engines behind one Kamailio: each reaches every phone, and one ends what the other leaves."""

import asyncio
import os
import sys
from array import array
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from calls.engine.world import LOOPBACK, PASSWORD, World, far_end
from foreign_peers.kamailio import kamailio, requests_of

from twoleg.calls.leg_media import LegMedia
from twoleg.media import Codec, Decoder, EmbeddedPlane, dominant_tone, steady
from twoleg.sip import Credentials, NameAddr, OutOfDialogRequest, SipUri, make_ha1s

pytestmark = [pytest.mark.peer, pytest.mark.process]

PHONE_PORTS = range(40000, 60000)
ENGINE_PORTS = (range(20_000, 20_200), range(20_200, 20_400))
NAMES = ("alice", "bob", "carol")
CONTACT_HERTZ = 1000
SAMPLE_RATE = 8000
READY_SECONDS = 30
TAKEN_OVER_SECONDS = 60


class EngineProcess:
    """One `twoleg engine`, which has room for a single call."""

    def __init__(self, process):
        self.process = process
        self.port = 0

    async def ready(self):
        async with asyncio.timeout(READY_SECONDS):
            line = (await self.process.stdout.readline()).decode()
        assert line.startswith(f"ready sip:{LOOPBACK}:")
        self.port = int(line.rpartition(":")[2])


@asynccontextmanager
async def engine_process(database_url, ports):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "twoleg", "engine", "--sip", f"{LOOPBACK}:0", "--max-calls", "1",
        "--rtp-ports", f"{ports.start}-{ports.stop - 1}",
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "TWOLEG_DATABASE_URL": database_url, "TWOLEG_LOG_LEVEL": "error"},
    )  # fmt: skip
    try:
        yield EngineProcess(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def register_through(edge, far, username):
    """Register a phone with whichever engine the proxy chooses."""
    user = NameAddr(SipUri("sip", username, None, LOOPBACK, edge))
    request = OutOfDialogRequest(
        method="REGISTER",
        target=SipUri("sip", None, None, LOOPBACK, edge),
        from_=user,
        to=user,
        headers=(("Contact", f"<sip:{username}@{far.address}>"), ("Expires", "600")),
        credentials=Credentials(username, PASSWORD),
    )
    async with asyncio.timeout(READY_SECONDS):
        assert (await far.phone.request(request)).status == 200


class Offices(World):
    """The office whose users have their phones behind the proxy, all of them on one machine."""

    def __init__(self, office, phones, contact, users, edge):
        super().__init__(office, phones, contact, users["alice"])
        self.users = users
        self.edge = edge
        self.heard = asyncio.Queue()
        phones.behave = self.talk
        contact.hertz = CONTACT_HERTZ

    async def talk(self, call, port):
        """Answer, and tell once the contact's tone was heard for half a second."""
        media = LegMedia(port, (Codec.PCMU,))
        samples = array("h")

        def hear(_, payload):
            samples.extend(Decoder(Codec.PCMU).decode(payload))
            latest = samples[-SAMPLE_RATE // 2 :]
            if len(samples) >= SAMPLE_RATE and (
                dominant_tone(latest, SAMPLE_RATE, (440, CONTACT_HERTZ)) == CONTACT_HERTZ
            ):
                self.heard.put_nowait(call)
                port.tap(None)

        call.ring()
        call.accept(media.answer_offer(call.offer))
        port.tap(hear)
        port.play(steady((440,), 1000), loop=True)

    async def talking(self, name):
        """Have a user in a call, with audio; give the call as its phone has it, and whose it is."""
        call_id = await self.office.queue(user_id=self.users[name])
        agent_call = await self.agent.next_call()
        await self.contact.next_call()
        async with asyncio.timeout(15):
            assert await self.heard.get() is agent_call
        assert agent_call.request.uri.user == name
        assert agent_call.flow.remote.port == self.edge
        port = await self.office.value(
            "SELECT sip_port FROM engines JOIN calls ON engine_id = engines.id WHERE calls.id = %s",
            call_id,
        )
        return call_id, agent_call, port

    async def hang_up(self, call_id, agent_call):
        agent_call.hang_up()
        assert await self.ended(call_id) == ("connected", "agent")


@pytest.fixture
async def engines(database_url):
    async with AsyncExitStack() as stack:
        engines = [
            await stack.enter_async_context(engine_process(database_url, ports))
            for ports in ENGINE_PORTS
        ]
        for engine in engines:
            await engine.ready()
        yield engines


@pytest.fixture
async def world(office, engines, tmp_path):
    users = {
        name: await office.add_user(name, sip_ha1=make_ha1s(name, "twoleg", PASSWORD))
        for name in NAMES
    }
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(
            EmbeddedPlane.open(host=LOOPBACK, ports=PHONE_PORTS)
        )
        phones = await stack.enter_async_context(far_end(plane))
        contact = await stack.enter_async_context(far_end(plane))
        await office.add_trunk(host=LOOPBACK, port=contact.port)
        ports = [engine.port for engine in engines]
        edge = stack.enter_context(kamailio(tmp_path / "edge", *ports))
        for name in NAMES:
            await register_through(edge, phones, name)
        yield Offices(office, phones, contact, users, edge)


async def test_both_engines_reach_a_phone_through_the_proxy_and_one_ends_the_others_calls(
    world, engines, tmp_path
):
    """Each engine has room for one call, so that it is settled which of them has the next."""
    bobs, bobs_call, first = await world.talking("bob")
    alices, alices_call, second = await world.talking("alice")
    assert {first, second} == {engine.port for engine in engines}
    await world.hang_up(alices, alices_call)
    carols, carols_call, third = await world.talking("carol")
    assert third == second
    await world.hang_up(bobs, bobs_call)
    lost, lost_call, fourth = await world.talking("alice")
    assert fourth == first

    killed, living = sorted(engines, key=lambda engine: engine.port != first)
    killed.process.kill()
    async with asyncio.timeout(TAKEN_OVER_SECONDS):
        end = await lost_call.ended()
    assert (end.by_remote, end.status, end.reason) == (True, 503, "Engine lost")
    assert await world.ended(lost) == ("failed", "system")
    byes = requests_of(tmp_path / "edge", "BYE")
    assert (lost_call.request.call_id, living.port) in byes
    assert not carols_call.leg.over
    await world.hang_up(carols, carols_call)
