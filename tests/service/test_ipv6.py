"""The whole of twoleg with SIP and audio on IPv6: a phone, or a web page, and a trunk at `::1`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from calls.engine.test_real_ipv6 import LOOPBACK, talking
from calls.engine.world import far_end, registered_at
from foreign_peers.chromium import Page, chromium
from service.conftest import FIRST_RTP_PORT, RTP_PORTS, Service, running
from service.test_softphones import AGENT_HERTZ, BROWSER_RATE, CONTACT_HERTZ, tone

from twoleg.media import EmbeddedPlane
from twoleg.sip import RegistrationState

LINE = "+18552562001"
CONTACT = "+18181276543"
PHONE_PORTS = range(51_000, 51_200)


@pytest.fixture
def ipv6_service(tmp_path, worker_number, certificates):
    low = FIRST_RTP_PORT + RTP_PORTS * worker_number
    options = ("--sip", f"[{LOOPBACK}]:0", "--rtp-ports", f"{low}-{low + RTP_PORTS - 1}")
    with running(tmp_path / "data", certificates, *options, ws_host=f"[{LOOPBACK}]") as service:
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


def talk_in_page(
    service: Service, user: dict[str, str], folder: Path, contact_has_heard: Callable[[], object]
) -> tuple[dict[str, object], set[str]]:
    """Have a page's user talk, hold and hang up; give the record, and where the page heard us."""
    about = [
        f"ws://[{LOOPBACK}]:{service.ws_port}",
        user["sip_username"],
        user["sip_password"],
        "twoleg.example",
    ]
    says = tone(AGENT_HERTZ, BROWSER_RATE, seconds=1)
    with chromium(folder, says, BROWSER_RATE) as page:
        page.run(f"void (globalThis.phone = new Phone(...{json.dumps(about)}))")
        assert page.run("phone.register()") == 200
        call = service.place(
            user_id=user["id"], contact_phone_number=CONTACT, line_phone_number=LINE
        )
        wait_for_contact(page)
        contact_has_heard()
        # With a restart of ICE, whose checks come over IPv6 too.
        assert page.run("phone.offer('sendonly')") == 200
        page.wait_until("phone.heard() === null")
        assert page.run("phone.offer('sendrecv', true)") == 200
        wait_for_contact(page)
        heard_at = {each["address"] for each in page.run("phone.stats('remote-candidate')")}
        assert page.run("phone.hangUp()") == 200
        return service.ended(call), heard_at


def wait_for_contact(page: Page) -> None:
    page.wait_until(f"Math.abs(phone.heard() - {CONTACT_HERTZ}) < 20")


async def test_a_browser_and_a_contact_hear_each_other_over_ipv6(ipv6_service, tmp_path):
    service, loop = ipv6_service, asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        plane = await enter(EmbeddedPlane.open(host=LOOPBACK, ports=PHONE_PORTS))
        contact = await enter(far_end(plane, LOOPBACK))
        ear, offers = talking(contact, CONTACT_HERTZ)
        trunk = service.create("/trunks", name="Peer", host=LOOPBACK, port=contact.port)
        service.create("/lines", phone_number=LINE, trunk_ids=[trunk["id"]])
        user = service.create("/users", name="Page", email="page@example.com", sip_username="page")

        def contact_has_heard():
            asyncio.run_coroutine_threadsafe(ear.enough.wait(), loop).result(20)

        record, heard_at = await asyncio.to_thread(
            talk_in_page, service, user, tmp_path / "browser", contact_has_heard
        )
    assert (record["outcome"], record["ended_by"]) == ("connected", "agent")
    assert ear.tone() == AGENT_HERTZ
    assert heard_at == {LOOPBACK}
    assert b"c=IN IP6 ::1" in offers[0]
    assert all(leg["quality"]["packets_received"] > 0 for leg in record["legs"])
