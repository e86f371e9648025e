"""What carriers see of a call, as SIPp in their place took it, and which of them carries it."""

import pytest
from calls.engine.conftest import CONTACT_NUMBER, LINE_NUMBER
from calls.engine.world import LOOPBACK, RTP_PORTS, World, config, far_end
from foreign_peers.ports import free_port
from peers.sipp import Sipp

from twoleg.calls.engine import Engine
from twoleg.media import EmbeddedPlane

pytestmark = pytest.mark.peer


@pytest.fixture
async def world(office):
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=RTP_PORTS) as plane,
        far_end(plane) as agent,
    ):
        alice = await office.add_user("alice")
        await office.register(alice, f"sip:alice@{LOOPBACK}:{agent.port}")
        yield World(office, agent, None, alice)


async def are_reachable(world, number):
    """Wait until so many trunks have answered the OPTIONS that they get first."""
    await world.until(number, "SELECT count(*) FROM trunks WHERE state = 'reachable'")


async def trunks_of(world, call_id):
    """Give the trunk and the final status of each leg to the contact."""
    legs = "SELECT trunk_id, sip_status FROM legs WHERE call_id = %s AND role = 'contact'"
    return await world.office.rows(f"{legs} ORDER BY position", call_id)


@pytest.mark.parametrize(
    ("trunk", "dialled", "shown"),
    [
        ({}, CONTACT_NUMBER, {"From": LINE_NUMBER}),
        (
            {"caller_id_mode": "p_asserted_identity", "number_format": "e164_no_plus"},
            "41445550123",
            {"From": "41445550100", "P-Asserted-Identity": "41445550100"},
        ),
        (
            {"caller_id_mode": "p_asserted_identity", "username": "acme", "password": "secret"},
            CONTACT_NUMBER,
            {"From": "acme", "P-Asserted-Identity": LINE_NUMBER},
        ),
        (
            {
                "caller_id_mode": "remote_party_id",
                "number_format": "national",
                "dial_prefix": "*8",
            },
            "*80445550123",
            {"From": "0445550100", "Remote-Party-ID": "0445550100"},
        ),
    ],
    ids=["from", "asserted, no plus", "asserted, by account", "remote party, national, prefix"],
)
async def test_each_side_sees_the_number_that_it_is_to_see(
    world, database_url, tmp_path, trunk, dialled, shown
):
    async with Sipp.run("bye_from_callee", tmp_path, options=1) as carrier:
        await world.office.add_trunk(host=LOOPBACK, port=carrier.port, **trunk)
        async with Engine.open(config(), database_url):
            await are_reachable(world, 1)
            call_id = await world.office.queue(user_id=world.alice)
            agent_call = await world.agent.next_call()
            assert await world.ended(call_id) == ("connected", "contact")

    assert agent_call.request.from_.uri.user == CONTACT_NUMBER
    invite = carrier.received("INVITE")
    assert invite.uri.user == dialled
    assert invite.to.uri.user == dialled
    for name in ("From", "P-Asserted-Identity", "Remote-Party-ID"):
        value = invite.headers.get(name)
        assert (value is not None) == (name in shown), name
        if value is not None:
            assert f"<sip:{shown[name]}@" in value


async def test_a_carrier_that_is_out_of_service_makes_room_for_the_next(
    world, database_url, tmp_path
):
    async with (
        Sipp.run("unavailable_503", tmp_path, options=1) as first,
        Sipp.run("bye_from_callee", tmp_path, options=1) as second,
    ):
        trunks = [
            await world.office.add_trunk(host=LOOPBACK, port=carrier.port, priority=priority)
            for priority, carrier in enumerate((first, second))
        ]
        async with Engine.open(config(), database_url):
            await are_reachable(world, 2)
            call_id = await world.office.queue(user_id=world.alice)
            assert await world.ended(call_id) == ("connected", "contact")
    assert await trunks_of(world, call_id) == list(zip(trunks, (503, 200), strict=True))


async def test_a_carrier_that_was_not_there_is_tried_last_by_the_next_call(
    world, database_url, tmp_path
):
    async with Sipp.run("bye_from_callee", tmp_path, calls=2, options=1) as carrier:
        gone = await world.office.add_trunk(host=LOOPBACK, port=free_port())
        there = await world.office.add_trunk(host=LOOPBACK, port=carrier.port, priority=1)
        async with Engine.open(config(), database_url):
            await are_reachable(world, 1)
            calls = []
            for _ in range(2):
                call_id = await world.office.queue(user_id=world.alice)
                assert await world.ended(call_id) == ("connected", "contact")
                calls.append(await trunks_of(world, call_id))
    first, second = calls
    assert [trunk for trunk, _ in first] == [gone, there]
    assert second == [(there, 200)]
