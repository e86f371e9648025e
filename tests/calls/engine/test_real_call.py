"""An engine with its database places real calls between two phones on loopback sockets."""

from datetime import UTC, datetime, timedelta

import pytest
from calls.engine.conftest import CONTACT_NUMBER
from calls.engine.recorded_tones import recorded_tones
from calls.engine.world import (
    LOOPBACK,
    PASSWORD,
    agent_and_contact,
    config,
    far_end,
    registered_at,
)
from waiting import until

from twoleg.calls.engine import Engine
from twoleg.calls.hang_up import request_hang_up
from twoleg.calls.recordings import SPOOL
from twoleg.sip import (
    RegistrationState,
    make_ha1s,
)
from twoleg.sip_io import AddressInUse


@pytest.fixture
async def world(office):
    async with agent_and_contact(office) as world:
        yield world


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
