"""Taking calls from the queue as there is room, running each, and passing hang-ups on.

A call that finds no agent may wait. It is ours by then, so that it is in nobody's way, and still
`queued`, so that it is placed by another engine if this one is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol, Self

import structlog

from twoleg.calls.admission_queries import CALLS_CHANNEL
from twoleg.calls.agent_desk import AgentDesk
from twoleg.calls.agent_search import AgentSearch
from twoleg.calls.background import background
from twoleg.calls.claims import CLAIMS_DO_NOT_WAIT, Claim, claim, give_back
from twoleg.calls.connected import Connection, stay_connected
from twoleg.calls.dispositions import DISPOSITIONS_CHANNEL, untold_dispositions
from twoleg.calls.hang_up import HANG_UP_CHANNEL
from twoleg.calls.pace import Pace, keep_pace
from twoleg.store import Database
from twoleg.store.listening import hear

MAX_CLAIM: Final = 64
"""Calls taken in one go."""

CALLS_IN_ONE_GO: Final = 4
"""Calls of a claim that are begun before signalling has its turn again."""

POLL_SECONDS: Final = 2.0
"""How often the queue is looked at without having been told: a notification may be lost."""

PACE_SECONDS: Final = 0.004
"""From one claim to the next, at least."""

SLOWEST_PACE_SECONDS: Final = 0.05
"""The same under load, and while the engine takes fewer calls than there may be.

A claim of one call costs the database as much as a claim of ten.
"""

SHARED_FROM: Final = 320.0
"""Calls a second from which on that is the pace; with half of them it is a quarter of that."""

_ASKED: Final = """
SELECT id FROM calls
WHERE engine_id = %s AND ended_at IS NULL AND hangup_requested_at IS NOT NULL
"""

_OURS: Final = """
SELECT id FROM calls
WHERE engine_id = %s AND ended_at IS NULL AND status = 'queued' AND contact_attempt_at IS NULL
"""

log = structlog.get_logger(__name__)


MAX_QUEUED_SECONDS: Final = 300.0
"""How old a call may be, unless told otherwise, that no engine was there to take."""


def seconds_between_claims(calls_per_second: float) -> float:
    """Say how long an engine waits from one claim to the next, where so many calls come."""
    share = min(1.0, calls_per_second / SHARED_FROM)
    return max(PACE_SECONDS, SLOWEST_PACE_SECONDS * share**2)


class RunningCall(Protocol):
    """A call that is placed; `twoleg.calls.story.Story` is one."""

    async def run(self) -> None: ...

    def hang_up(self) -> None: ...

    def disposed(self, disposition: str | None, notes: str | None) -> None: ...


Begin = Callable[[Claim, AgentSearch], RunningCall]
"""Makes a call of what was claimed; the search goes on where `Claim.found` has left it."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    claim: Claim
    search: AgentSearch
    task: asyncio.Task[None]
    since: float


class Dispatcher:
    """Runs up to `capacity` calls of one engine. Made by `Dispatcher.open`."""

    def __init__(
        self,
        database: Database,
        engine_id: int,
        capacity: int,
        desk: AgentDesk,
        begin: Begin,
        calls: asyncio.TaskGroup,
        max_queued_seconds: float,
        spare: Callable[[int], int] | None,
        has_unwritten: Callable[[int], bool],
    ) -> None:
        self._database = database
        self._engine_id = engine_id
        self._capacity = capacity
        self._desk = desk
        self._begin = begin
        self._calls = calls
        self._max_queued_seconds = max_queued_seconds
        self._spare = spare
        self._has_unwritten = has_unwritten
        self._pace = Pace(asyncio.get_running_loop().time())
        self._running: dict[int, RunningCall] = {}
        self._begun_at: dict[int, int] = {}
        """Of each running call the sequence that it was claimed with."""

        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[int, _Waiting] = {}
        self._last_account = 0
        self._look = asyncio.Event()
        self._look.set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._draining = False
        self._claiming = False
        self._asked_anew = False
        self._disposed_anew = False
        self.placed = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        engine_id: int,
        capacity: int,
        desk: AgentDesk,
        begin: Begin,
        *,
        max_queued_seconds: float = MAX_QUEUED_SECONDS,
        spare: Callable[[int], int] | None = None,
        has_unwritten: Callable[[int], bool] = frozenset[int]().__contains__,
    ) -> AsyncIterator[Self]:
        """Place calls until the block is left, which ends those that still run.

        A call that was in the queue for longer than `max_queued_seconds` and its own waiting time
        expires. `spare` tells for how many calls more, beside those that run, there is what they
        need; None: for as many as `capacity` has room for. `has_unwritten` tells of a call that is
        over whether the database knows that already.
        """
        async with asyncio.TaskGroup() as calls:
            dispatcher = cls(
                database,
                engine_id,
                capacity,
                desk,
                begin,
                calls,
                max_queued_seconds,
                spare,
                has_unwritten,
            )
            try:
                async with background(
                    keep_pace(dispatcher._pace),
                    dispatcher._poll(),
                    stay_connected(database, dispatcher._listen, "nobody tells of calls"),
                    stay_connected(database, dispatcher._take, "calls wait for the database"),
                ):
                    yield dispatcher
            finally:
                dispatcher._draining = True
                for task in dispatcher._tasks:
                    task.cancel()

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Calls that wait for an agent."""
        return len(self._waiting)

    @property
    def lateness(self) -> float:
        """How late the event loop is, smoothed, in seconds."""
        return self._pace.lateness

    async def drain(self, seconds: float) -> int:
        """Take no more calls, wait for the running ones, and say how many are left."""
        self._draining = True
        self._look.set()
        try:
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        except TimeoutError:
            log.warning("calls still run", calls=len(self._running))
        return len(self._running)

    def hang_up(self, call_id: int) -> None:
        """End a call, if it is one of ours."""
        call = self._running.get(call_id)
        waiting = self._waiting.pop(call_id, None)
        if call is not None:
            call.hang_up()
        elif waiting is not None:
            waiting.task.cancel()
            asked = replace(waiting.claim, hangup_requested=True)
            self._start(_waited(asked, waiting.since), waiting.search)
        elif self._claiming:
            # It may be among those that are being claimed: the database knows.
            self._asked_anew = True
            self._look.set()

    async def _listen(self, connection: Connection) -> None:
        await connection.execute(f"LISTEN {CALLS_CHANNEL}")
        await connection.execute(f"LISTEN {HANG_UP_CHANNEL}")
        await connection.execute(f"LISTEN {DISPOSITIONS_CHANNEL}")
        # What was said while nobody listened is looked up.
        self._asked_anew = self._disposed_anew = True
        self._look.set()
        await hear(connection, self._heard)

    def _heard(self, channel: str, said: str) -> None:
        if channel == CALLS_CHANNEL:
            self._look.set()
        elif channel == DISPOSITIONS_CHANNEL:
            # Of a call that is being claimed it is not known yet whether it is ours.
            ours = said.isdecimal() and int(said) in self._running
            if ours or self._claiming:
                self._disposed_anew = True
                self._look.set()
        elif said.isdecimal():
            self.hang_up(int(said))

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self._look.set()

    async def _take(self, connection: Connection) -> None:
        await connection.execute(CLAIMS_DO_NOT_WAIT)
        await self._give_back_unheard(connection)
        self._look.set()
        loop = asyncio.get_running_loop()
        claimed_at, pause = 0.0, PACE_SECONDS
        while True:
            await self._look.wait()
            if (too_early := claimed_at + pause - loop.time()) > 0:
                await asyncio.sleep(too_early)
            claimed_at = loop.time()
            self._look.clear()
            if self._asked_anew:
                await self._find_hang_ups(connection)
            if self._disposed_anew:
                await self._find_dispositions(connection)
            if self._draining:
                await self._give_back_waiting(connection)
            else:
                pause = await self._claim(connection)

    async def _claim(self, connection: Connection) -> float:
        """Take what there is room for, and give the seconds until more may be taken."""
        wanted = min(MAX_CLAIM, self._room)
        room = min(wanted, self._pace.allowance(asyncio.get_running_loop().time()))
        pause = SLOWEST_PACE_SECONDS
        if room == wanted:
            pause = seconds_between_claims(self._pace.claims_per_second)
        if room == 0:
            # A call that ends says so only where all room was taken by calls.
            if len(self._running) < self._capacity:
                self._look.set()
            return SLOWEST_PACE_SECONDS
        # Whoever is hung up from here on may be among them, until each of them has begun.
        self._claiming = True
        try:
            claims = await claim(connection, self._engine_id, room, self._last_account)
            self._pace.claimed(len(claims))
            left = await self._begin_each(claims)
        finally:
            self._claiming = False
        await self._give_back(connection, left)
        accounts = {claimed.account_id for claimed in claims}
        if accounts:
            last = self._last_account
            self._last_account = max(accounts, key=lambda each: (each <= last, each))
        if len(claims) == room or len(accounts) > 1:
            # With several accounts each gave its share only.
            self._look.set()
        return pause

    async def _begin_each(self, claims: Sequence[Claim]) -> list[int]:
        """Begin what was claimed, in goes of a few calls; give the ids of those left over.

        Meanwhile calls that waited may find their agents and take the room, and the engine may be
        told to take no more.
        """
        left: list[int] = []
        for first in range(0, len(claims), CALLS_IN_ONE_GO):
            if first:
                await asyncio.sleep(0)
            go = claims[first : first + CALLS_IN_ONE_GO]
            room = 0 if self._draining else self._room
            for claimed in go[:room]:
                self._take_up(claimed)
            left += [claimed.call_id for claimed in go[room:]]
        return left

    def _take_up(self, claimed: Claim) -> None:
        if self._begun_at.get(claimed.call_id) == claimed.sequence:
            # The server died and forgot that it is ours; by this claim it knows again.
            return
        search = claimed.search()
        if claimed.waited_too_long(self._max_queued_seconds):
            self._start(replace(claimed, expired=True), search)
        elif claimed.found.agents:
            search.ring(claimed.found)
            self._start(claimed, search)
        elif claimed.hangup_requested:
            self._start(claimed, search)
        else:
            self._wait(claimed, search)

    def _wait(self, claimed: Claim, search: AgentSearch) -> None:
        """Begin the call once it has an agent, or it is known that nobody will take it.

        Whoever takes the call out of `_waiting` cancels the task.
        """
        since = asyncio.get_running_loop().time()
        task = self._calls.create_task(self._find_agent(claimed, search, since))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        before = self._waiting.get(claimed.call_id)
        if before is not None:
            before.task.cancel()
        self._waiting[claimed.call_id] = _Waiting(claimed, search, task, since)

    async def _find_agent(self, claimed: Claim, search: AgentSearch, since: float) -> None:
        found = await self._desk.find(search, claimed.account_id, claimed.found)
        if not self._draining:
            del self._waiting[claimed.call_id]
            served = claimed if found is None else replace(claimed, found=found)
            self._start(_waited(served, since), search)

    async def _give_back_unheard(self, connection: Connection) -> None:
        """Give back calls whose claim was committed, and its reply lost with the connection."""
        cursor = await connection.execute(_OURS, (self._engine_id,))
        ours = [call_id for (call_id,) in await cursor.fetchall()]
        known = self._running.keys() | self._waiting.keys()
        unheard = [each for each in ours if each not in known and not self._has_unwritten(each)]
        await self._give_back(connection, unheard)

    async def _give_back_waiting(self, connection: Connection) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.task.cancel()
        await self._give_back(connection, list(waiting))

    async def _give_back(self, connection: Connection, call_ids: list[int]) -> None:
        if call_ids:
            await give_back(connection, self._engine_id, call_ids)

    async def _find_hang_ups(self, connection: Connection) -> None:
        self._asked_anew = False
        try:
            cursor = await connection.execute(_ASKED, (self._engine_id,))
            asked = await cursor.fetchall()
        except BaseException:
            self._asked_anew = True
            raise
        for (call_id,) in asked:
            self.hang_up(call_id)

    async def _find_dispositions(self, connection: Connection) -> None:
        self._disposed_anew = False
        try:
            untold = await untold_dispositions(connection, self._engine_id)
        except BaseException:
            self._disposed_anew = True
            raise
        for call_id, disposition, notes in untold:
            call = self._running.get(call_id)
            if call is not None:
                call.disposed(disposition, notes)

    @property
    def _room(self) -> int:
        running = len(self._running)
        room = self._capacity - running
        if self._spare is not None:
            room = min(room, self._spare(running))
        return max(0, room)

    def _start(self, claimed: Claim, search: AgentSearch) -> None:
        call = self._begin(claimed, search)
        self._running[claimed.call_id] = call
        self._begun_at[claimed.call_id] = claimed.sequence
        self._quiet.clear()
        self.placed += 1
        task = self._calls.create_task(self._run(claimed.call_id, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, call_id: int, call: RunningCall) -> None:
        # Whatever the call logs; the task's context, and the name in it, ends with the task.
        structlog.contextvars.bind_contextvars(call_id=call_id)
        try:
            await call.run()
        except Exception:
            # One call's mishap must not end the others.
            log.exception("a call broke off")
        finally:
            # Lost to another engine and claimed anew, it may be here twice for a moment.
            if self._running.get(call_id) is call:
                del self._running[call_id]
                del self._begun_at[call_id]
            if len(self._running) == self._capacity - 1:
                self._look.set()
            if not self._running:
                self._quiet.set()


def _waited(claimed: Claim, since: float) -> Claim:
    """Count how long a call has waited for its agent, beside the queue."""
    waited = asyncio.get_running_loop().time() - since
    return replace(claimed, queued_seconds=claimed.queued_seconds + waited)
