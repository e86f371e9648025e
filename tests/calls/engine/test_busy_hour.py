"""Two engines, groups that share their users, and more calls than agents: nobody is rung twice."""

import asyncio
import random
from collections import Counter

from calls.engine.agent_desk.floor import no_call_waits
from calls.engine.conftest import change

from twoleg.calls import agent_desk
from twoleg.calls.agent_desk import AgentDesk
from twoleg.calls.dispatch import Dispatcher
from twoleg.calls.writer import Writer

SEED = 7
CALLS = 60
STRATEGIES = ("ring_all", "in_order", "round_robin", "longest_idle", "random")


LEAVE_GROUP = "DELETE FROM ring_group_members WHERE ring_group_id = %s AND user_id = %s"
JOIN_GROUP = """
INSERT INTO ring_group_members (ring_group_id, user_id, position)
SELECT %s, %s, 1 + coalesce(max(position), 0) FROM ring_group_members
WHERE ring_group_id = %s HAVING count(*) < 6 ON CONFLICT DO NOTHING
"""


class Floor:
    """Who is rung or talks now, by call, on both engines."""

    def __init__(self, office):
        self.office = office
        self.taken = {}
        self.ended = Counter()
        self.over = asyncio.Event()
        self.changes = 0

    def ring(self, call_id, users):
        for user in users:
            assert self.taken.get(user) in (None, call_id), "a user is rung by two calls"
            self.taken[user] = call_id

    def free(self, call_id):
        self.taken = {user: call for user, call in self.taken.items() if call != call_id}

    def end(self, call_id, outcome):
        self.ended[outcome] += 1
        if self.ended.total() == CALLS:
            self.over.set()


class Call:
    """Rings whoever is found: some answer and talk a little, others do not."""

    def __init__(self, floor, desk, writer, claim, search, draw):
        self.floor = floor
        self.desk = desk
        self.writer = writer
        self.claim = claim
        self.search = search
        self.draw = draw

    def hang_up(self):
        pass

    async def run(self):
        call_id, found, answered = self.claim.call_id, self.claim.found, None
        if not found.agents:
            found = await self.desk.find(self.search, self.claim.account_id)
        while found is not None and answered is None:
            users = [each["user_id"] for each in found.agents]
            self.floor.ring(call_id, users)
            await asyncio.sleep(self.draw.random() * 0.02)
            if self.draw.random() < 0.4:
                answered = self.draw.choice(users)
            else:
                # The database frees them by what comes next; others may ring them from then on.
                self.floor.free(call_id)
                found = await self.desk.find(self.search, self.claim.account_id)
        if answered is not None:
            await asyncio.sleep(self.draw.random() * 0.05)
        self.floor.free(call_id)
        ended = change(call_id, self.claim.account_id, 2, "ended", answered_by=answered)
        await self.writer.store(ended)
        self.floor.end(call_id, "answered" if answered else "nobody")


async def test_a_busy_hour_on_two_engines(office, database, monkeypatch):
    monkeypatch.setattr(agent_desk, "WAITING_POLL_SECONDS", 0.02)
    draw = random.Random(SEED)
    users = [await office.add_user(f"user-{number}") for number in range(8)]
    groups = [
        await office.add_group(
            *draw.sample(users, 4),
            strategy=STRATEGIES[number % len(STRATEGIES)],
            max_wait_seconds=draw.choice((0, 1, 600)),
            max_waiting=draw.choice((None, 3)),
        )
        for number in range(10)
    ]
    for group, behind in zip(groups[1:], groups, strict=False):
        fallback = draw.choice((None, {"ring_group_id": behind}, {"user_id": users[0]}))
        if fallback is not None:
            name, number = next(iter(fallback.items()))
            await office.rows(
                "UPDATE ring_groups SET fallback = jsonb_build_object(%s::text, %s::int)"
                " WHERE id = %s",
                name,
                number,
                group,
            )
    floor = Floor(office)
    async with asyncio.TaskGroup() as engines:
        for _ in range(2):
            engine_id = await office.join()
            engines.create_task(_run_engine(floor, database, engine_id, draw))
        engines.create_task(_come_and_go(floor, users, groups, draw))
        for _ in range(CALLS):
            target = (
                {"user_id": draw.choice(users)}
                if draw.random() < 0.3
                else {"ring_group_id": draw.choice(groups)}
            )
            await office.queue(**target)
    assert floor.ended.total() == CALLS
    assert floor.changes > 10
    assert floor.ended["answered"] > CALLS / 4
    assert await office.reserved() == {}
    assert await office.rows("SELECT FROM waiting_calls") == []
    assert await office.rows("SELECT FROM calls WHERE ended_at IS NULL") == []


async def _run_engine(floor, database, engine_id, draw):
    async with (
        Writer.open(database, engine_id) as writer,
        AgentDesk.open(database, engine_id) as desk,
    ):

        def begin(claim, search):
            return Call(floor, desk, writer, claim, search, draw)

        async with Dispatcher.open(database, engine_id, 30, desk, begin):
            async with asyncio.timeout(60):
                await floor.over.wait()
            # Who gives up is taken out of the queue behind its back.
            await no_call_waits(floor.office)


async def _come_and_go(floor, users, groups, draw):
    """Have users go away and come back, in their wrap-up time, into groups and out of them."""
    while not floor.over.is_set():
        user, group = draw.choice(users), draw.choice(groups)
        statement, *parameters = draw.choice(
            [
                ("UPDATE users SET availability = 'away' WHERE id = %s", user),
                ("UPDATE users SET wrap_up_until = now() + interval '50 ms' WHERE id = %s", user),
                (LEAVE_GROUP, group, user),
                (JOIN_GROUP, group, user, group),
            ]
        )
        await floor.office.rows(statement, *parameters)
        await asyncio.sleep(draw.random() * 0.03)
        await floor.office.rows("UPDATE users SET availability = 'available'")
        floor.changes += 1
