"""One engine's desk, and the calls that look for an agent there."""

import asyncio

from calls.engine.conftest import change
from waiting import until

from twoleg.calls.writer import Writer


class Seeker:
    """One claimed call and what its search has come to."""

    def __init__(self, desk, claim):
        self.desk = desk
        self.claim = claim
        self.call_id = claim.call_id
        self.search = claim.search()
        self.found = claim.found
        if claim.found.agents:
            self.search.ring(claim.found)

    @property
    def rung(self):
        return [agent["user_id"] for agent in self.found.agents] if self.found else None

    async def next(self):
        """Ring whoever comes next, and say who."""
        found = None if self.found.agents else self.found
        async with asyncio.timeout(20):
            self.found = await self.desk.find(self.search, self.claim.account_id, found)
        return self.rung


class Floor:
    """One engine's desk, and the calls that it has claimed."""

    def __init__(self, office, desk, engine_id):
        self.office = office
        self.desk = desk
        self.engine_id = engine_id

    async def claim(self, room=100):
        return [Seeker(self.desk, each) for each in await self.office.claim(self.engine_id, room)]

    async def call(self, **columns):
        """Queue a call and claim it."""
        await self.office.queue(**columns)
        [seeker] = await self.claim()
        return seeker

    async def calls_wait(self, number):
        await until(lambda: self.desk.waiting == number)


async def end(office, database, floor, call_id, **values):
    """End a call as its engine does."""
    async with Writer.open(database, floor.engine_id) as writer:
        writer.write(change(call_id, office.account_id, 2, "ended", **values))
        await writer.flushed()


async def all_are_free(office):
    """Wait until no call has a user."""

    async def are_free():
        return await office.reserved() == {}

    await until(are_free)


async def no_call_waits(office):
    """Wait until the last call has left the queue."""

    async def has_left():
        return await office.rows("SELECT FROM waiting_calls") == []

    await until(has_left)
