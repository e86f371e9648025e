"""The whole of twoleg with SIP and audio on IPv6: a registered phone and a trunk at `::1`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest
from calls.engine.test_real_call import far_end, registered_at
from calls.engine.test_real_ipv6 import LOOPBACK, talking
from service.conftest import FIRST_RTP_PORT, RTP_PORTS, running

from twoleg.media import EmbeddedPlane
from twoleg.sip import RegistrationState

LINE = "+18552562001"
CONTACT = "+18181276543"
PHONE_PORTS = range(51_000, 51_200)


@pytest.fixture
def ipv6_service(tmp_path, worker_number, certificates):
    low = FIRST_RTP_PORT + RTP_PORTS * worker_number
    options = ("--sip", f"[{LOOPBACK}]:0", "--rtp-ports", f"{low}-{low + RTP_PORTS - 1}")
    with running(tmp_path / "data", certificates, *options) as service:
        yield service


async def test_a_registered_phone_and_a_contact_hear_each_other_over_ipv6(ipv6_service):
    service = ipv6_service
    engine = SimpleNamespace(sip_address=f"[{LOOPBACK}]:{service.sip_port}")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        plane = await enter(EmbeddedPlane.open(host=LOOPBACK, ports=PHONE_PORTS))
        agent, contact = [await enter(far_end(plane, LOOPBACK)) for _ in range(2)]
        trunk = service.create("/trunks", name="Peer", host=LOOPBACK, port=contact.port)
        service.create("/lines", phone_number=LINE, trunk_ids=[trunk["id"]])
        user = service.create(
            "/users", name="Agent", email="agent@example.com", sip_username="agent"
        )
        agent_ear, _ = talking(agent, 440)
        contact_ear, _ = talking(contact, 1000)
        registering = registered_at(engine, agent, "agent", user["sip_password"])
        assert (await enter(registering)).state is RegistrationState.REGISTERED
        call = service.place(
            user_id=user["id"], contact_phone_number=CONTACT, line_phone_number=LINE
        )
        agent_call = await agent.next_call()
        async with asyncio.timeout(20):
            await agent_ear.enough.wait()
            await contact_ear.enough.wait()
        agent_call.hang_up()
        record = await asyncio.to_thread(service.ended, call)
    assert (record["outcome"], record["ended_by"]) == ("connected", "agent")
    assert (agent_ear.tone(), contact_ear.tone()) == (1000, 440)
    assert all(leg["quality"]["packets_received"] > 0 for leg in record["legs"])
    assert agent_call.flow.remote.host == LOOPBACK
