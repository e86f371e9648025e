"""An engine with its database places real calls between two phones on loopback sockets."""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from calls.engine.conftest import CONTACT_NUMBER
from calls.engine.recorded_tones import recorded_tones
from waiting import until

from twoleg.calls.engine import Engine, EngineConfig
from twoleg.calls.hang_up import request_hang_up
from twoleg.calls.leg_media import LegMedia
from twoleg.calls.recordings import SPOOL
from twoleg.calls.story import StorySettings
from twoleg.media import Codec, EmbeddedPlane, steady
from twoleg.sip import (
    Credentials,
    RegistrationConfig,
    RegistrationState,
    SipUri,
    Transport,
    make_ha1s,
    parse_message,
)
from twoleg.sip_io import AddressInUse, KnownAddresses, Listen, Phone, PhoneConfig, registered

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


@pytest.fixture
async def world(office):
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=RTP_PORTS) as plane,
        far_end(plane) as agent,
        far_end(plane) as contact,
    ):
        await office.add_trunk(host=LOOPBACK, port=contact.port)
        alice = await office.add_user("alice")
        await office.register(alice, f"sip:alice@{LOOPBACK}:{agent.port}")
        yield World(office, agent, contact, alice)


async def test_a_queued_call_joins_agent_and_contact_and_is_recorded(world, database_url):
    office = world.office
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=world.alice)
        await world.agent.next_call()
        contact_call = await world.contact.next_call()
        contact_call.hang_up()
        assert await world.ended(call_id) == ("connected", "contact")
        assert (await world.agent.end()).by_remote
    assert await office.events(call_id) == [
        "queued",
        "agent_ringing",
        "agent_connected",
        "contact_ringing",
        "bridged",
        "ended",
    ]
    legs = "SELECT role, sip_status, codec, user_id, dialog FROM legs ORDER BY position"
    assert await office.rows(legs) == [
        ("agent", 200, "PCMU", world.alice, None),
        ("contact", 200, "PCMU", None, None),
    ]
    talked, lasted = await office.call(call_id, "talk_seconds, total_seconds")
    assert 0 < talked <= lasted
    assert await office.reserved() == {}


async def test_a_call_that_waited_until_the_contact_opted_out_rings_nobody(world, database_url):
    office = world.office
    contact_id = await office.insert(
        "contacts", account_id=office.account_id, phone_number=CONTACT_NUMBER, opted_out=True
    )
    minute = timedelta(minutes=1)
    async with Engine.open(config(), database_url):
        call_id = await office.queue(
            user_id=world.alice, contact_id=contact_id, created_at=datetime.now(UTC) - minute
        )
        assert await world.ended(call_id) == ("blocked", "system")
    assert (await office.call(call_id, "failure")).startswith("contact_opted_out: ")
    assert world.agent.calls.empty()
    assert await office.reserved() == {}


async def test_a_recorded_call_has_the_agent_on_the_left_and_the_contact_on_the_right(
    world, database, database_url, tmp_path
):
    office = world.office
    policy = "UPDATE accounts SET recording = 'always', recording_announcement = 'none'"
    await office.rows(policy)
    world.contact.hertz = 1000
    async with Engine.open(config(data_dir=tmp_path), database_url):
        call_id = await office.queue(user_id=world.alice)
        await world.agent.next_call()
        contact_call = await world.contact.next_call()
        raws = (tmp_path / SPOOL).glob
        await until(lambda: sum(raw.stat().st_size for raw in raws("*.raw")) >= 20_000)
        contact_call.hang_up()
        await world.ended(call_id)
        await world.until("finalising", "SELECT state FROM recordings WHERE call_id = %s", call_id)
    tones = await recorded_tones(database, tmp_path, office.account_id, call_id, (440, 1000))
    assert tones == [440, 1000]
    assert (await office.events(call_id))[-2:] == ["ended", "recording_ready"]


async def test_a_contact_that_is_first_waits_for_the_agent_and_is_joined_to_it(world, database_url):
    office = world.office
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=world.alice, options={"first": "contact"})
        contact_call = await world.contact.next_call()
        agent_call = await world.agent.next_call()
        await world.until("bridged", "SELECT status FROM calls WHERE id = %s", call_id)
        agent_call.hang_up()
        assert await world.ended(call_id) == ("connected", "agent")
        assert (await world.contact.end()).by_remote
    assert contact_call.request.uri.user == CONTACT_NUMBER
    assert await office.events(call_id) == [
        "queued",
        "contact_ringing",
        "contact_answered",
        "agent_ringing",
        "bridged",
        "ended",
    ]
    assert await office.reserved() == {}


async def test_the_dialogs_are_stored_while_the_call_lasts(world, database_url):
    async with Engine.open(config(), database_url):
        call_id = await world.office.queue(user_id=world.alice)
        agent_call = await world.agent.next_call()
        contact_call = await world.contact.next_call()
        await world.until(2, "SELECT count(dialog) FROM legs")
        rows = await world.office.rows("SELECT dialog->>'call_id' FROM legs ORDER BY position")
        assert rows == [(agent_call.request.call_id,), (contact_call.request.call_id,)]
        agent_call.hang_up()
        assert await world.ended(call_id) == ("connected", "agent")


async def test_delete_ends_a_real_call(world, database, database_url):
    async with Engine.open(config(), database_url):
        call_id = await world.office.queue(user_id=world.alice)
        await world.contact.next_call()
        async with database.connection() as connection:
            await request_hang_up(connection, world.office.account_id, call_id)
        assert await world.ended(call_id) == ("connected", "api")
        assert (await world.agent.end()).by_remote
        assert (await world.contact.end()).by_remote


async def test_a_busy_contact_is_recorded(world, database_url):
    world.contact.behave = world.contact.refuse
    async with Engine.open(config(), database_url):
        call_id = await world.office.queue(user_id=world.alice)
        assert await world.ended(call_id) == ("contact_busy", "contact")
        assert (await world.agent.end()).by_remote


async def test_a_trunk_that_is_not_there_is_recorded(world, database_url):
    await world.office.rows("UPDATE trunks SET host = 'nowhere.invalid', port = NULL")
    async with Engine.open(config(), database_url):
        call_id = await world.office.queue(user_id=world.alice)
        assert await world.ended(call_id) == ("contact_unreachable", "system")


async def test_a_call_that_cannot_be_planned_fails_and_harms_no_other(world, database_url):
    await world.office.rows("UPDATE trunks SET number_format = 'national'")
    async with Engine.open(config(), database_url):
        bad = await world.office.queue(user_id=world.alice, contact_phone_number="nonsense")
        assert await world.ended(bad) == ("failed", "system")
        good = await world.office.queue(user_id=world.alice)
        (await world.contact.next_call()).hang_up()
        assert await world.ended(good) == ("connected", "contact")


async def test_an_engine_that_is_left_hangs_up_and_closes_the_records(world, database_url):
    async with Engine.open(config(), database_url) as engine:
        call_id = await world.office.queue(user_id=world.alice)
        contact_call = await world.contact.next_call()
        assert await contact_call.leg.established()
        assert await engine.drain(0.01) == 1
    assert await world.office.call(call_id, "status, outcome, failure") == (
        "ended",
        "failed",
        "the engine was stopped",
    )
    assert (await world.agent.end()).by_remote
    assert (await world.contact.end()).by_remote


async def test_running_calls_go_on_while_the_database_is_away(world, database_url, outage):
    async with Engine.open(config(), database_url):
        call_id = await world.office.queue(user_id=world.alice)
        contact_call = await world.contact.next_call()
        assert await contact_call.leg.established()
        await outage.begin()
        contact_call.hang_up()
        assert (await world.agent.end()).by_remote
        await outage.end()
        assert await world.ended(call_id) == ("connected", "contact")


async def test_another_engine_ends_the_dialogs_of_one_that_was_lost(world, database_url):
    """The rows of a call are what a crash would leave: its engine is silent, its legs are up."""
    office = world.office
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=world.alice)
        contact_call = await world.contact.next_call()
        assert await contact_call.leg.established()
        lost = await office.join()
        await office.rows("UPDATE engines SET heartbeat_at = 'epoch' WHERE id = %s", lost)
        await office.rows("UPDATE calls SET engine_id = %s WHERE id = %s", lost, call_id)
        async with Engine.open(config(), database_url):
            assert await world.ended(call_id) == ("failed", "system")
            assert (await world.contact.end()).reason == "Engine lost"
            assert (await world.agent.end()).by_remote
    assert (await office.events(call_id)).count("ended") == 1


class Asking(asyncio.DatagramProtocol):
    """A trunk that asks who we are, and then says that it tries, and no more."""

    def __init__(self):
        self.invites = []
        self.knows = asyncio.Event()
        self.cancels = asyncio.Queue()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        request = parse_message(data)
        if request.method == "INVITE":
            self.invites.append(request)
            known = "Proxy-Authorization" in request.headers
            response = request.make_response(100 if known else 407, to_tag="trunk")
            if known:
                self.knows.set()
            else:
                challenge = 'Digest realm="trunk", nonce="1", qop="auth", algorithm=MD5'
                response.headers.add("Proxy-Authenticate", challenge)
            self.transport.sendto(response.to_bytes(), addr)
        elif request.method == "CANCEL":
            self.cancels.put_nowait(request)
            self.transport.sendto(request.make_response(200, to_tag="trunk").to_bytes(), addr)


async def test_another_engine_cancels_an_invite_that_was_challenged_and_has_not_rung(
    world, database_url
):
    """Of the second INVITE nothing is stored: it is known from the first."""
    office = world.office
    loop = asyncio.get_running_loop()
    transport, trunk = await loop.create_datagram_endpoint(Asking, local_addr=(LOOPBACK, 0))
    port = transport.get_extra_info("sockname")[1]
    await office.rows("UPDATE trunks SET port = %s, username = 'line', password = 'secret'", port)
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=world.alice)
        async with asyncio.timeout(15):
            await trunk.knows.wait()
        await world.until(2, "SELECT count(*) FROM legs WHERE call_id = %s", call_id)
        lost = await office.join()
        await office.rows("UPDATE engines SET heartbeat_at = 'epoch' WHERE id = %s", lost)
        await office.rows("UPDATE calls SET engine_id = %s WHERE id = %s", lost, call_id)
        async with Engine.open(config(), database_url):
            async with asyncio.timeout(15):
                canceled = [await trunk.cancels.get() for _ in range(2)]
            assert await world.ended(call_id) == ("failed", "system")
    transport.close()
    first, second = trunk.invites[0], trunk.invites[-1]
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert [each.via.branch for each in canceled] == [first.via.branch, second.via.branch]
    assert [each.cseq.number for each in canceled] == [1, 2]


class TestPhones:
    """Users' phones register at the engine, and are rung by the way they came."""

    @pytest.fixture
    async def bob(self, world):
        hashes = make_ha1s("bob", "twoleg", PASSWORD)
        return await world.office.add_user("bob", sip_ha1=hashes)

    async def test_a_phone_that_registers_is_rung(self, world, bob, database_url):
        async with (
            Engine.open(config(), database_url) as engine,
            registered_at(engine, world.agent, "bob") as registration,
        ):
            assert registration.state is RegistrationState.REGISTERED
            bound, engine_id = await world.office.row(
                "SELECT flow->'remote', engine_id FROM bindings WHERE user_id = %s", bob
            )
            assert bound[1] == world.agent.port
            assert engine_id is not None
            call_id = await world.office.queue(user_id=bob)
            (await world.contact.next_call()).hang_up()
            assert await world.ended(call_id) == ("connected", "contact")
        gone = "SELECT FROM bindings WHERE user_id = %s AND expires_at > now()"
        assert await world.office.rows(gone, bob) == []

    async def test_a_wrong_password_binds_nothing(self, world, bob, database_url):
        async with (
            Engine.open(config(), database_url) as engine,
            registered_at(engine, world.agent, "bob", "wrong") as registration,
        ):
            assert registration.state is RegistrationState.FAILED
        assert await world.office.rows("SELECT FROM bindings WHERE user_id = %s", bob) == []


async def test_a_trunk_that_answers_is_shown_as_reachable(world, database_url):
    async with Engine.open(config(), database_url):
        await world.until("reachable", "SELECT state FROM trunks")


async def test_an_address_that_is_taken_is_named(database_url, database):
    async with Engine.open(config(), database_url) as engine:
        host, port = engine.sip_address.rsplit(":", 1)
        with pytest.raises(AddressInUse) as taken:
            async with Engine.open(config(sip=(host, int(port))), database_url):
                pass
    assert taken.value.address.endswith(port)


class TestGroups:
    """The engine's way through a group, its queue and what stands behind it."""

    async def test_one_after_another_until_somebody_takes_the_call(self, world, database_url):
        office = world.office
        bob = await office.add_user("bob")
        async with far_end(world.contact.plane) as bobs:
            bobs.behave = bobs.refuse
            await office.register(bob, f"sip:bob@{LOOPBACK}:{bobs.port}")
            group = await office.add_group(bob, world.alice, strategy="in_order")
            async with Engine.open(config(), database_url):
                call_id = await office.queue(ring_group_id=group)
                await bobs.next_call()
                contact_call = await world.contact.next_call()
                assert await office.reserved() == {world.alice: call_id}
                contact_call.hang_up()
                assert await world.ended(call_id) == ("connected", "contact")
        legs = "SELECT user_id, sip_status FROM legs WHERE role = 'agent' ORDER BY position"
        assert await office.rows(legs) == [(bob, 486), (world.alice, 200)]
        idle = "SELECT id FROM users WHERE last_call_ended_at IS NOT NULL"
        assert await office.rows(idle) == [(world.alice,)]

    async def test_a_call_waits_for_an_agent_who_is_on_another(self, world, database_url):
        office = world.office
        group = await office.add_group(world.alice, max_wait_seconds=600)
        async with Engine.open(config(), database_url):
            first = await office.queue(user_id=world.alice)
            talking = await world.contact.next_call()
            second = await office.queue(ring_group_id=group)
            await world.until(1, "SELECT count(*) FROM waiting_calls")
            assert await office.call(second) == "queued"
            talking.hang_up()
            assert await world.ended(first) == ("connected", "contact")
            (await world.contact.next_call()).hang_up()
            assert await world.ended(second) == ("connected", "contact")
        assert await office.rows("SELECT FROM waiting_calls") == []

    async def test_a_number_behind_the_group_is_rung_over_the_trunk(self, world, database_url):
        office = world.office
        world.agent.behave = world.agent.refuse
        await office.rows("UPDATE accounts SET screening = 'never'")
        fallback = {"phone_number": "+41445550199"}
        group = await office.add_group(world.alice, fallback=fallback)
        async with Engine.open(config(), database_url):
            call_id = await office.queue(ring_group_id=group)
            agent_call, contact_call = [await world.contact.next_call() for _ in range(2)]
            assert agent_call.request.uri.user == "+41445550199"
            contact_call.hang_up()
            assert await world.ended(call_id) == ("connected", "contact")

    async def test_of_two_calls_a_trunk_with_one_place_carries_one(self, world, database_url):
        office = world.office
        await office.rows("UPDATE trunks SET max_calls = 1")
        bob = await office.add_user("bob")
        await office.register(bob, f"sip:bob@{LOOPBACK}:{world.agent.port}")
        async with Engine.open(config(), database_url):
            first = await office.queue(user_id=world.alice)
            talking = await world.contact.next_call()
            second = await office.queue(user_id=bob)
            assert await world.ended(second) == ("blocked", "system")
            talking.hang_up()
            assert await world.ended(first) == ("connected", "contact")
            await world.until(0, "SELECT calls FROM trunk_usage")
            third = await office.queue(user_id=bob)
            (await world.contact.next_call()).hang_up()
            assert await world.ended(third) == ("connected", "contact")
        failure = await office.call(second, "failure")
        assert failure == "every trunk of the line carries as many calls as it may"
