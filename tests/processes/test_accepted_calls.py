"""A call that was accepted is placed, once, whichever process dies then."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from processes.watching import Serving

from twoleg.cli.demo.reports import Happening, PhoneScript, Report
from twoleg.cli.demo.service import Agent, Service
from twoleg.cli.demo.simulated import SimulatedPhone

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

POLL_SECONDS = 0.1
END_SECONDS = 60
LOST_SECONDS = 30
"""Within so long a call whose engine was lost after the mark has failed."""
STOP_SECONDS = 10
"""Within so long after SIGTERM nothing is left."""


@dataclass
class Scene:
    """A service with a registered agent's phone and a contact's phone behind its trunk."""

    serving: Serving
    service: Service
    agent: Agent
    agent_phone: SimulatedPhone
    contact_phone: SimulatedPhone
    seen: Counter[tuple[str, Happening]]

    async def ended(self, location: str, within: float = END_SECONDS) -> dict[str, object]:
        """The record once the call has ended, asked for until somebody answers."""
        record: dict[str, object] = {"status": "never asked for"}
        try:
            async with asyncio.timeout(within):
                while record["status"] != "ended":
                    await asyncio.sleep(POLL_SECONDS)
                    try:
                        record = await self.service.record(location)
                    except httpx.TransportError:
                        record = {"status": "nobody answers"}
        except TimeoutError:
            pytest.fail(f"the call has not ended: {record}")
        return record


@pytest.fixture
async def scene(serve, tmp_path) -> AsyncIterator[Scene]:
    with serve(tmp_path / "data") as serving:
        async with on_stage(serving, tmp_path) as scene:
            yield scene


@asynccontextmanager
async def on_stage(serving: Serving, directory) -> AsyncIterator[Scene]:
    seen: Counter[tuple[str, Happening]] = Counter()

    def note(name: str, report: Report) -> None:
        seen[name, report.happening] += 1

    async with (
        httpx.AsyncClient(base_url=serving.url) as http,
        SimulatedPhone.start("agent", directory, note) as agent_phone,
        SimulatedPhone.start("contact", directory, note) as contact_phone,
    ):
        service = Service(http, serving.token, serving.sip)
        contact_phone.begin(
            PhoneScript(tone_hz=1000, expected_hz=700, ring_seconds=0.2, talk_seconds=2.0)
        )
        listening = await contact_phone.until(Happening.LISTENING)
        agent = await service.furnish(listening["port"])
        agent_phone.begin(
            PhoneScript(
                registrar=serving.sip,
                username=agent.sip_username,
                password=agent.sip_password,
                tone_hz=700,
                expected_hz=1000,
                ring_seconds=0.2,
            )
        )
        await agent_phone.until(Happening.REGISTERED)
        yield Scene(serving, service, agent, agent_phone, contact_phone, seen)


async def test_the_api_is_killed_right_after_it_accepted(scene) -> None:
    location = await scene.service.place(scene.agent)
    os.kill(scene.serving.parts()["api"], signal.SIGKILL)

    record = await scene.ended(location)

    assert record["outcome"] == "connected"
    assert scene.seen["agent", Happening.RINGS] == 1
    assert scene.seen["contact", Happening.RINGS] == 1


async def test_nothing_is_dialled_twice_when_the_engine_is_killed_while_the_contact_rings(
    scene,
) -> None:
    location = await scene.service.place(scene.agent)
    await scene.contact_phone.until(Happening.RINGS)
    os.kill(scene.serving.parts()["engine"], signal.SIGKILL)

    record = await scene.ended(location, within=LOST_SECONDS)

    assert record["outcome"] == "failed"
    assert scene.seen["contact", Happening.RINGS] == 1


async def test_a_call_that_is_up_is_ended_when_everything_is_told_to_stop(scene, marked) -> None:
    await scene.service.place(scene.agent)
    await scene.contact_phone.until(Happening.HEARS)

    assert await asyncio.to_thread(scene.serving.stop, within=STOP_SECONDS) == 0
    assert marked.none_left()

    await scene.agent_phone.until(Happening.ENDED)
    await scene.contact_phone.until(Happening.ENDED)
