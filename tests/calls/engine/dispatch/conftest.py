"""Engines that begin calls of a test's own."""

from contextlib import asynccontextmanager

import pytest
from calls.engine.dispatch.stage import Stage

from twoleg.calls.agent_desk import AgentDesk
from twoleg.calls.dispatch import Dispatcher


@pytest.fixture
def engine(office, database):
    @asynccontextmanager
    async def run(capacity=10, **options):
        stage = Stage()
        stage.engine_id = await office.join()
        async with (
            AgentDesk.open(database, stage.engine_id) as stage.desk,
            Dispatcher.open(
                database, stage.engine_id, capacity, stage.desk, stage.begin, **options
            ) as stage.dispatcher,
        ):
            yield stage

    return run
