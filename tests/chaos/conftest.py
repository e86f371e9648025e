"""A service whose parts a test starts and kills, and everybody who is rung."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import psycopg
import pytest
from chaos.answerers import LOOPBACK, Answerers
from chaos.run import LINE, furnish
from chaos.service import Parts

from twoleg.store import EmbeddedServer, schema

QUICK = {"fsync": "off", "full_page_writes": "off"}
AGENT, CONTACT = "+41435550001", "+41445550001"
SECOND_AGENT, SECOND_CONTACT = "+41435550002", "+41445550002"
WAIT_SECONDS = 90


@dataclass
class Scene:
    """A service whose parts a test starts, and everybody who is rung."""

    parts: Parts
    answerers: Answerers
    http: httpx.AsyncClient
    users: list[int]

    async def place(self, *, second: bool = False) -> httpx.Response:
        return await self.http.post(
            "/calls",
            json={
                "user_id": self.users[second],
                "user_phone_number": SECOND_AGENT if second else AGENT,
                "contact_phone_number": SECOND_CONTACT if second else CONTACT,
                "line_phone_number": LINE,
                "screen": False,
            },
        )

    async def record(self, call: int) -> dict[str, object]:
        """Read a call's record, again for as long as the API says that the database is away."""
        while (reply := await self.http.get(f"/calls/{call}")).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(float(reply.headers["Retry-After"]))
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def when(self, reached: Callable[[], object], what: str) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not reached():  # noqa: ASYNC110  of other processes there is no event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"waited in vain for {what}")

    async def counted(self, statement: str, number: int) -> None:
        """Wait until the database counts so many."""
        async with (
            asyncio.timeout(WAIT_SECONDS),
            await psycopg.AsyncConnection.connect(
                self.parts.server.url, autocommit=True
            ) as connection,
        ):
            while await (await connection.execute(statement)).fetchone() != (number,):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

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
            parts = Parts(server, tmp_path, workers=2)
            async with (
                Answerers.open(fate_of) as answerers,
                httpx.AsyncClient(
                    base_url=f"http://{LOOPBACK}:{parts.http_port}/api/v1", timeout=20
                ) as http,
            ):
                token, users = await furnish(server.url, answerers.port, 2)
                http.headers["Authorization"] = f"Bearer {token}"
                try:
                    await asyncio.gather(*[parts.parts[name].start() for name in started])
                    yield Scene(parts, answerers, http, users)
                finally:
                    await parts.stop()
        finally:
            await asyncio.to_thread(server.__exit__, None, None, None)

    return scene
