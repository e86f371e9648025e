"""Engines with their desks, and three users."""

from contextlib import asynccontextmanager

import pytest
from calls.engine.agent_desk.floor import Floor

from twoleg.calls import agent_desk
from twoleg.calls.agent_desk import AgentDesk


@pytest.fixture(autouse=True)
def look_often(monkeypatch):
    monkeypatch.setattr(agent_desk, "WAITING_POLL_SECONDS", 0.02)


@pytest.fixture
def floor(office, database):
    @asynccontextmanager
    async def run():
        engine_id = await office.join()
        async with AgentDesk.open(database, engine_id) as desk:
            yield Floor(office, desk, engine_id)

    return run


@pytest.fixture
async def users(office):
    return [await office.add_user(name) for name in ("alice", "bob", "carol")]
