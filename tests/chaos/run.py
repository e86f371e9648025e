"""Hundreds of calls while every process is killed at random: nothing may be lost.

`python -m chaos.run --calls 500 --kills 25 --seed 7`, or `scripts/chaos`. The seed decides who is
killed when, and how everybody who is rung behaves.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
from chaos.answerers import (
    AGENTS,
    CONTACTS,
    LOOPBACK,
    Answerers,
    RungLeg,
    seeded,
    user_of,
)
from chaos.service import Parts
from chaos.staff import furnish_groups, rung_by_two
from chaos.verdict import faults_of
from chaos.webhooks import Receiver

from twoleg.directory.accounts import setup_account
from twoleg.store import Database, EmbeddedServer, schema

LINE = "+41425550100"
TO_GROUPS = 4
"""One call of so many asks a ring group."""

HANG_UP_SECONDS = 15.0
"""Within so long after its engine was killed a leg that was up, or rang, is ended."""

END_SECONDS = 150.0
SOON_BACK_SECONDS = 0.2
DRAINED_SHARE = 0.25
"""So many of the engines that are ended are told to stop, instead of being killed."""

REQUEST_SECONDS = 10.0
ASK_AGAIN_SECONDS = 0.5
ASK_FOR_SECONDS = 120.0
MAX_LOG = 3000


@dataclass(frozen=True)
class Plan:
    """How much happens in a run: to each kill its share of the calls.

    `server_settings` are PostgreSQL's.
    """

    calls: int
    kills: int
    seed: int
    calls_per_second: float = 5.0
    long_away: float = 18.0
    """For how long half of the killed engines stay away: the other one has to mend things then.

    The rest are soon back, and find what they left.
    """

    victims: tuple[str, ...] = ()
    """Who is killed; everybody, if nobody is named."""

    server_settings: dict[str, str] = field(default_factory=dict)


@dataclass
class Tally:
    """What was done, and what came of it."""

    accepted: list[int] = field(default_factory=list)
    asked_again: Counter[str] = field(default_factory=Counter)
    """Why requests were sent again, each with the key of the first."""

    killed: Counter[str] = field(default_factory=Counter)
    late: list[str] = field(default_factory=list)
    """Legs of killed engines that were not ended in time."""

    longest: float = 0.0
    """Seconds from an engine's death to the end of the last leg that it left."""

    left: int = 0
    unknown: int = 0
    """Legs that rang when their engine died, and were not in the database yet."""

    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[float] = field(default_factory=list)
    """When PostgreSQL was killed, by the monotonic clock."""

    deliveries: int = 0
    faults: list[str] = field(default_factory=list)

    def in_words(self) -> str:
        """Give every figure, and every fault, a line."""
        return "\n".join(
            [
                *(f"fault: {fault}" for fault in self.faults),
                f"accepted {len(self.accepted)} calls",
                f"asked_again {dict(self.asked_again)}",
                f"killed {dict(self.killed)}",
                f"outcomes {dict(self.outcomes)}",
                f"left_by_killed_engines {self.left} legs",
                f"not_yet_written {self.unknown} legs",
                f"longest_until_hung_up {self.longest:.1f} s",
                f"webhook_deliveries {self.deliveries} requests",
            ]
        )


@dataclass(eq=False)
class Run:
    """One run, while it goes."""

    plan: Plan
    parts: Parts
    answerers: Answerers
    http: httpx.AsyncClient
    groups: Sequence[int] = ()
    tally: Tally = field(default_factory=Tally)
    kill_begins: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def place_all(self, users: Sequence[int]) -> None:
        """Place the calls; who is refused, or never hears, asks again with the same key."""
        plan = self.plan
        for number, user_id in enumerate(users):
            async with self.kill_begins:
                await self.kill_begins.wait_for(
                    lambda number=number: number * plan.kills < (self._kills + 1) * plan.calls
                )
            await self._place(number, user_id)
            await asyncio.sleep(1 / plan.calls_per_second)

    @property
    def _kills(self) -> int:
        return sum(self.tally.killed.values())

    async def _place(self, number: int, user_id: int) -> None:
        key = {"Idempotency-Key": f"chaos-{number}"}
        asked: dict[str, object] = {
            "user_id": user_id,
            "user_phone_number": f"{AGENTS}{5_550_000 + number}",
        }
        if number % TO_GROUPS == 0 and self.groups:
            asked = {"ring_group_id": self.groups[number // TO_GROUPS % len(self.groups)]}
        body = asked | {
            "contact_phone_number": f"{CONTACTS}{5_550_000 + number}",
            "line_phone_number": LINE,
            "screen": False,
            "max_seconds": 20,
        }
        give_up = time.monotonic() + ASK_FOR_SECONDS
        while time.monotonic() < give_up:
            try:
                reply = await self.http.post(
                    "/calls", json=body, headers=key, timeout=REQUEST_SECONDS
                )
            except httpx.TransportError as error:
                self.tally.asked_again[type(error).__name__] += 1
            else:
                if reply.status_code == httpx.codes.ACCEPTED:
                    self.tally.accepted.append(reply.json()["id"])
                    return
                # Away, or the first request with the key is still being taken in.
                assert reply.status_code in (409, 503), reply.text
                assert reply.status_code == httpx.codes.CONFLICT or "Retry-After" in reply.headers
                self.tally.asked_again[str(reply.status_code)] += 1
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        self.tally.faults.append(f"request {number} was never accepted")

    async def kill_all(self, chance: random.Random) -> None:
        """Kill one after another; the next only once the one before is back, and caught up."""
        named = self.plan.victims
        victims = [each for each in (*self.parts.parts, "postgres") if not named or each in named]
        order = [victims[i % len(victims)] for i in range(self.plan.kills)]
        chance.shuffle(order)
        for victim in order:
            await asyncio.sleep(chance.uniform(1.0, 4.0))
            async with self.kill_begins:
                self.tally.killed[victim] += 1
                self.kill_begins.notify_all()
            await self._kill(victim, chance)

    async def _kill(self, victim: str, chance: random.Random) -> None:
        if victim == "postgres":
            self.tally.crashes.append(time.monotonic())
            await self.parts.kill_database()
            await asyncio.sleep(chance.uniform(0.2, 6.0))
            await self.parts.revive_database()
            await asyncio.sleep(5.0)
            return
        part = self.parts.parts[victim]
        down = (
            chance.choice((SOON_BACK_SECONDS, self.plan.long_away))
            if victim.startswith("engine")
            else 1.0
        )
        if victim.startswith("engine"):
            await (part.stop() if chance.random() < DRAINED_SHARE else part.kill())
            port = self.parts.sip_ports[int(victim.split()[1]) - 1]
            self._left_by(port)
            watching = asyncio.create_task(self._watch(port, time.monotonic()))
            await asyncio.sleep(down)
            await part.start()
            await watching
        else:
            await part.kill()
            await asyncio.sleep(down)
            await part.start()

    def _left_by(self, port: int) -> list[RungLeg]:
        """Give the legs that a killed engine left, and note it of them."""
        legs = [leg for leg in self.answerers.legs if leg.engine_port == port and not leg.is_over]
        for leg in legs:
            leg.is_left = True
        return legs

    async def _watch(self, port: int, killed_at: float) -> None:
        """See that what a killed engine left is ended in time.

        An INVITE is written soon after it left. What was not, nobody can take back.
        """
        written = await _written(self.parts.server.url)
        legs = self._left_by(port)
        left = [leg for leg in legs if leg.is_known and leg.number in written]
        self.tally.unknown += sum(leg.number not in written for leg in legs)
        self.tally.left += len(left)
        ending = [asyncio.create_task(leg.over.wait()) for leg in left]
        if ending:
            _, waiting = await asyncio.wait(
                ending, timeout=killed_at + HANG_UP_SECONDS - time.monotonic()
            )
            for task in waiting:
                task.cancel()
        self.tally.late += [
            f"{leg.number}, {'up' if leg.up_at else 'ringing'}"
            f" since {killed_at - (leg.up_at or leg.rang_at):.1f} s, was left by its engine"
            for leg in left
            if not leg.is_over and leg.is_known
        ]
        ends = [leg.over_at - killed_at for leg in left if leg.over_at and leg.ended_by_caller]
        self.tally.longest = max([self.tally.longest, *ends])


async def _written(url: str) -> set[str]:
    """Give the numbers of the legs that an engine can end for another."""
    known = (
        "SELECT to_uri FROM legs WHERE invite IS NOT NULL OR dialog IS NOT NULL"
        " UNION ALL SELECT coalesce(invite->>'uri', dialog->>'remote_uri') FROM lost_legs"
    )
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute(known)
        return {user_of(row[0]) for row in await cursor.fetchall()}


async def run(plan: Plan, directory: Path) -> Tally:
    """Do one run in `directory`; the tally has the faults that were found, none if all is well."""
    server = EmbeddedServer(directory / "data", settings=plan.server_settings)
    await asyncio.to_thread(server.__enter__)
    try:
        return await _run_on(plan, directory, server)
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def _run_on(plan: Plan, directory: Path, server: EmbeddedServer) -> Tally:
    await asyncio.to_thread(schema.upgrade, server.url)
    parts = Parts(server, directory)
    async with (
        Answerers.open(seeded(random.Random(plan.seed))) as answerers,
        Receiver.open() as receiver,
    ):
        token, users = await furnish(server.url, answerers.port, plan.calls)
        groups = await furnish_groups(server.url)
        try:
            await parts.start()
            async with httpx.AsyncClient(
                base_url=f"http://{LOOPBACK}:{parts.http_port}/api/v1",
                headers={"Authorization": f"Bearer {token}"},
                trust_env=False,
            ) as http:
                hook = {"url": f"http://{LOOPBACK}:{receiver.port}/", "events": []}
                made = await http.post("/webhooks", json=hook)
                assert made.is_success, made.text
                running = Run(plan, parts, answerers, http, groups)
                async with asyncio.TaskGroup() as group:
                    group.create_task(running.place_all(users))
                    group.create_task(running.kill_all(random.Random(plan.seed)))
                tally = running.tally
                await _all_ended(server.url, receiver)
                tally.faults += [
                    *tally.late,
                    *parts.fallen(),
                    *rung_by_two(answerers.legs, tally.crashes),
                    *await faults_of(server.url, tally.accepted, answerers, receiver),
                ]
                tally.outcomes = await _outcomes(server.url)
                if 3 * tally.outcomes["connected"] < len(tally.accepted):
                    tally.faults.append("too few calls were connected for this to say anything")
                tally.deliveries = receiver.taken
                return tally
        finally:
            await parts.stop()


async def furnish(url: str, port: int, calls: int) -> tuple[str, list[int]]:
    """Make an account without limits, its trunk and line, and a user for every call."""
    async with Database.open(url) as database:
        account = await setup_account(database, "Chaos", None)
        async with database.connection() as connection:
            await connection.execute(
                "UPDATE accounts SET max_calls = 100000, calls_per_second = 1000"
            )
            cursor = await connection.execute(
                "WITH trunk AS (INSERT INTO trunks (account_id, name, host, port)"
                " VALUES (%(account)s, 'Chaos', %(host)s, %(port)s) RETURNING id),"
                " line AS (INSERT INTO lines (account_id, phone_number, country)"
                " VALUES (%(account)s, %(line)s, 'CH') RETURNING id),"
                " over AS (INSERT INTO line_trunks (line_id, trunk_id, position)"
                " SELECT line.id, trunk.id, 1 FROM line, trunk)"
                " INSERT INTO users (account_id, name, email, sip_username)"
                " SELECT %(account)s, 'User', 'user-' || n || '@example.test', 'user-' || n"
                " FROM generate_series(1, %(calls)s) n RETURNING id",
                {
                    "account": account.account_id,
                    "host": LOOPBACK,
                    "port": port,
                    "line": LINE,
                    "calls": calls,
                },
            )
            users = [row[0] for row in await cursor.fetchall()]
    return account.token, users


async def _all_ended(url: str, receiver: Receiver) -> None:
    """Wait until no call is open and no delivery due, for a bounded time."""
    unfinished = (
        "SELECT (SELECT count(*) FROM calls WHERE ended_at IS NULL)"
        " + (SELECT count(*) FROM lost_legs)"
    )
    give_up = time.monotonic() + END_SECONDS
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while time.monotonic() < give_up:
            cursor = await connection.execute(unfinished)
            row = await cursor.fetchone()
            cursor = await connection.execute("SELECT call_id, sequence FROM call_events")
            events = await cursor.fetchall()
            if row == (0,) and all(event in receiver.ids for event in events):
                return
            await asyncio.sleep(0.5)


async def _outcomes(url: str) -> Counter[str]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute("SELECT outcome, count(*) FROM calls GROUP BY outcome")
        return Counter(dict(await cursor.fetchall()))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Run once, say what happened, and end with 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--calls-per-second", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--victim", action="append", default=[], help="kill only these")
    given = parser.parse_args()
    say(f"seed {given.seed}")
    plan = Plan(
        given.calls, given.kills, given.seed, given.calls_per_second, victims=tuple(given.victim)
    )
    with tempfile.TemporaryDirectory(prefix="twoleg-chaos-") as directory:
        tally = asyncio.run(run(plan, Path(directory)))
        say(tally.in_words())
        if tally.faults:
            for log in sorted(Path(directory).glob("*.log")):
                say(f"--- {log.name}\n{log.read_text()[-MAX_LOG:]}")
    sys.exit(1 if tally.faults else 0)


if __name__ == "__main__":
    main()
