"""Losses that have a name: between claim and mark, and a database that is away for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import psycopg
import pytest
from chaos.answerers import AGENTS, LOOPBACK, Answerers, Fate
from chaos.run import LINE, furnish
from chaos.service import Parts

from twoleg.store import EmbeddedServer, schema

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

QUICK = {"fsync": "off", "full_page_writes": "off"}
AGENT, CONTACT = "+41435550001", "+41445550001"
WAIT_SECONDS = 90
TALK_SECONDS = 30.0
AWAY_SECONDS = 8.0


@dataclass
class Scene:
    """A service whose parts a test starts, and everybody who is rung."""

    parts: Parts
    answerers: Answerers
    http: httpx.AsyncClient
    users: list[int]

    async def place(self) -> httpx.Response:
        return await self.http.post(
            "/calls",
            json={
                "user_id": self.users[0],
                "user_phone_number": AGENT,
                "contact_phone_number": CONTACT,
                "line_phone_number": LINE,
                "screen": False,
            },
        )

    async def record(self, call: int) -> dict[str, object]:
        return (await self.http.get(f"/calls/{call}")).json()

    async def when(self, reached: Callable[[], object], what: str) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not reached():  # noqa: ASYNC110  of other processes there is no event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"waited in vain for {what}")

    async def ended(self, call: int) -> dict[str, object]:
        async with asyncio.timeout(WAIT_SECONDS):
            while (record := await self.record(call))["status"] != "ended":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return record

    def up(self) -> int:
        return sum(leg.up_at is not None and not leg.is_over for leg in self.answerers.legs)


@pytest.fixture
def scene(tmp_path):
    @asynccontextmanager
    async def scene(fate_of, *started: str) -> AsyncIterator[Scene]:
        server = EmbeddedServer(tmp_path / "data", settings=QUICK)
        await asyncio.to_thread(server.__enter__)
        try:
            await asyncio.to_thread(schema.upgrade, server.url)
            parts = Parts(server, tmp_path)
            async with (
                Answerers.open(fate_of) as answerers,
                httpx.AsyncClient(
                    base_url=f"http://{LOOPBACK}:{parts.http_port}/api/v1", timeout=20
                ) as http,
            ):
                token, users = await furnish(server.url, answerers.port, 1)
                http.headers["Authorization"] = f"Bearer {token}"
                try:
                    await asyncio.gather(*[parts.parts[name].start() for name in started])
                    yield Scene(parts, answerers, http, users)
                finally:
                    await parts.stop()
        finally:
            await asyncio.to_thread(server.__exit__, None, None, None)

    return scene


async def test_an_engine_that_dies_between_claim_and_mark_leaves_a_call_to_be_placed_once(
    scene,
) -> None:
    fates = {AGENT: iter([Fate(None), Fate(0.1)]), CONTACT: iter([Fate(0.1, 1.0)])}

    async with (
        scene(lambda number: next(fates[number]), "api", "engine 1") as it,
        await psycopg.AsyncConnection.connect(it.parts.server.url) as holding,
        await psycopg.AsyncConnection.connect(it.parts.server.url, autocommit=True) as other,
    ):
        # The mark is written together with the agent's leg: it has to wait.
        await holding.execute("LOCK TABLE legs IN EXCLUSIVE MODE")
        call = (await it.place()).json()["id"]
        await it.when(lambda: it.answerers.rung[AGENT] == 1, "the agent's ringing")
        await it.parts.parts["engine 1"].kill()
        await other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
            " WHERE relation = 'legs'::regclass AND NOT granted"
        )
        await holding.rollback()
        marked = "SELECT engine_id IS NOT NULL, contact_attempt_at IS NULL FROM calls"
        assert await (await other.execute(marked)).fetchall() == [(True, True)]

        await it.parts.parts["engine 1"].start()
        record = await it.ended(call)

        assert record["outcome"] == "connected"
        assert it.answerers.rung == {AGENT: 2, CONTACT: 1}
        events = [event["type"] for event in record["events"]]
        assert events.count("call.queued") == 2
        assert events.count("call.ended") == 1


async def test_calls_talk_on_while_the_database_is_away_and_are_written_afterwards(scene) -> None:
    def fate_of(number: str) -> Fate:
        return Fate(0.1, None if number.startswith(AGENTS) else TALK_SECONDS)

    async with scene(fate_of, "api", "engine 1", "engine 2") as it:
        call = (await it.place()).json()["id"]
        await it.when(lambda: it.up() == 2, "two legs that are up")

        await it.parts.kill_database()
        refused = await it.place()
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        await asyncio.sleep(AWAY_SECONDS)
        assert it.up() == 2
        await it.parts.revive_database()

        # By the end each engine has had the time to take the other for dead.
        record = await it.ended(call)
        assert (record["outcome"], record["ended_by"]) == ("connected", "contact")
        assert record["talk_seconds"] > TALK_SECONDS - 1
        assert [event["type"] for event in record["events"]] == [
            "call.queued",
            "call.agent_ringing",
            "call.agent_connected",
            "call.contact_ringing",
            "call.bridged",
            "call.ended",
        ]
        assert it.answerers.rung == {AGENT: 1, CONTACT: 1}
