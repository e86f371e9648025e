"""What a dry run says is what happens then: the same phones and numbers, in the same order."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from twoleg.calls import agent_search
from twoleg.calls.admission_rules import AdmissionRefused
from twoleg.calls.agent_desk import AgentDesk
from twoleg.calls.call_agents import CallAgents
from twoleg.calls.dispatch import Dispatcher
from twoleg.calls.dry_run import Ring, dry_run
from twoleg.calls.planning import Surroundings, plan_of
from twoleg.calls.requests import read_call_request
from twoleg.directory.tokens import hash_of
from twoleg.sip import Address

TOKEN = "token-of-the-office"
STRATEGIES = ("ring_all", "in_order", "round_robin", "longest_idle")
NUMBERS = (None, "+41445550151", "+41445550152", "+4930555012", "+41900555010")


@pytest.fixture(autouse=True)
def no_wait_for_former_calls(monkeypatch):
    monkeypatch.setattr(agent_search, "SETTLE_SECONDS", 0.0)


@pytest.fixture
async def contact(office):
    await office.insert(
        "tokens", account_id=office.account_id, name="test", token_hash=hash_of(TOKEN)
    )
    number = "+41445550123"
    contact = await office.insert("contacts", account_id=office.account_id, phone_number=number)
    await office.rows(
        "INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)"
        " VALUES (%s, %s, %s)",
        contact,
        office.account_id,
        number,
    )
    return contact


async def staff(office, draw):
    """Users as they come: with phones and numbers or none, away, in wrap-up time, long idle."""
    users = []
    for number in range(8):
        user = await office.add_user(
            f"user-{number}",
            phone_number=draw.choice(NUMBERS),
            availability=draw.choice(("available", "available", "away")),
            screening=draw.choice((None, "always", "never")),
        )
        await office.rows(
            "UPDATE users SET last_call_ended_at = now() - make_interval(mins => %s),"
            " wrap_up_until = now() + make_interval(mins => %s) WHERE id = %s",
            draw.choice((None, draw.randrange(99))),
            draw.choice((None, None, 5)),
            user,
        )
        for phone in range(draw.randrange(3)):
            await office.register(user, f"sip:user-{number}@192.0.2.{phone}")
        users.append(user)
    return users


async def groups_of(office, users, draw):
    groups = []
    for _ in range(5):
        behind = [
            None,
            {"user_id": draw.choice(users)},
            {"phone_number": draw.choice(NUMBERS[1:])},
            {"ring_group_id": groups[-1]} if groups else None,
        ]
        groups.append(
            await office.add_group(
                *draw.sample(users, draw.randrange(5)),
                strategy=draw.choice(STRATEGIES),
                ring_seconds=draw.choice((15, 25)),
                next_position=draw.randrange(5),
                fallback=draw.choice(behind),
            )
        )
    # The last one stands behind the first as well: a ring.
    await office.rows(
        "UPDATE ring_groups SET fallback = jsonb_build_object('ring_group_id', %s::bigint)"
        " WHERE id = %s",
        groups[-1],
        groups[0],
    )
    return groups


class Rung:
    """A call of which nobody ever answers: its plan, and whom it rings."""

    def __init__(self, plan, agents, told):
        self.plan = plan
        self.agents = agents
        self.told = told

    async def run(self):
        rounds = list(self.plan.rounds)
        while (together := await self.agents.following()) is not None:
            rounds.append(together)
        self.told.put_nowait((self.plan, rounds))

    def hang_up(self):
        pass

    def disposed(self, disposition, notes):
        pass


@pytest.fixture
async def place(office, database):
    """Place a call as an engine does; give its plan and whom it rang."""
    engine_id = await office.join()
    host, port = await office.row("SELECT sip_host, sip_port FROM engines")
    here = Surroundings(engine_id, Address(host, port), lambda: 0.5)
    told = asyncio.Queue()
    async with AgentDesk.open(database, engine_id) as desk:

        def begin(claim, search):
            return Rung(plan_of(claim, here), CallAgents(claim, search, desk, here), told)

        async def place(**columns):
            call_id = await office.queue(**columns)
            async with asyncio.timeout(20):
                plan, rounds = await told.get()
            await office.rows(
                "UPDATE calls SET status = 'ended', outcome = 'canceled', ended_at = now()"
                " WHERE id = %s",
                call_id,
            )
            await office.rows("DELETE FROM reservations WHERE call_id = %s", call_id)
            return plan, rounds

        async with Dispatcher.open(database, engine_id, 10, desk, begin):
            yield place


def beside_the_call(plan):
    """What of a plan is not of one call alone."""
    return replace(plan, call_id=0, sequence=0, queued_seconds=0.0, rounds=(), agents_busy=False)


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_a_dry_run_names_is_rung(office, database, contact, place, seed):
    draw = random.Random(seed)
    for priority in range(3):
        host = f"192.0.2.{priority + 1}"
        await office.add_trunk(name=f"Carrier {priority}", priority=priority, host=host)
    users = await staff(office, draw)
    groups = await groups_of(office, users, draw)
    other = await office.join()
    busy = await office.queue(engine_id=other, claimed_at=datetime.now(UTC))
    await office.rows("INSERT INTO reservations (user_id, call_id) VALUES (%s, %s)", users[0], busy)
    rings = refused = 0
    for _ in range(15):
        named = {
            "user_id": draw.choice((None, *users)),
            "ring_group_id": draw.choice(groups),
        }
        options = draw.choice(({}, {"ring_seconds": {"agent": 40}}, {"screen": True}))
        fields = named | {"contact_id": contact, "line_id": office.line_id}
        try:
            async with database.connection() as connection:
                said = await dry_run(connection, TOKEN, read_call_request(fields, options=options))
        except AdmissionRefused:
            refused += 1
            continue
        plan, rounds = await place(contact_id=contact, options=options, **named)
        steps = [step.together for step in said.steps if isinstance(step, Ring)]
        assert [together for together in steps if together is not None] == rounds
        assert beside_the_call(said.plan) == beside_the_call(plan)
        rings += len(rounds)
    assert rings > 5
    assert refused < 10
