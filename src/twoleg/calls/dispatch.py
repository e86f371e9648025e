"""Taking calls from the queue as there is room, running each, and passing hang-ups on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, Self

import psycopg
import structlog

from twoleg.calls.admission_queries import CALLS_CHANNEL
from twoleg.calls.claims import Claim, claim
from twoleg.calls.hang_up import HANG_UP_CHANNEL
from twoleg.store import Database

MAX_CLAIM: Final = 64
"""Calls taken in one go."""

POLL_SECONDS: Final = 2.0
"""How often the queue is looked at without having been told: a notification may be lost."""

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0

_ASKED: Final = "SELECT id FROM calls WHERE id = ANY(%s) AND hangup_requested_at IS NOT NULL"

log = structlog.get_logger(__name__)


class RunningCall(Protocol):
    """A call that is placed; `twoleg.calls.story.Story` is one."""

    async def run(self) -> None: ...

    def hang_up(self) -> None: ...


class Dispatcher:
    """Runs up to `capacity` calls of one engine. Made by `Dispatcher.open`."""

    def __init__(
        self,
        database: Database,
        engine_id: int,
        capacity: int,
        begin: Callable[[Claim], RunningCall],
    ) -> None:
        self._database = database
        self._engine_id = engine_id
        self._capacity = capacity
        self._begin = begin
        self._running: dict[int, RunningCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()
        self._look.set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._draining = False
        self._asked_anew = False
        self.placed = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        engine_id: int,
        capacity: int,
        begin: Callable[[Claim], RunningCall],
    ) -> AsyncIterator[Self]:
        """Place calls until the block is left, which ends those that still run."""
        dispatcher = cls(database, engine_id, capacity, begin)
        workers = [
            asyncio.create_task(dispatcher._listen(), name="listen for calls"),
            asyncio.create_task(dispatcher._claim(), name="claim calls"),
        ]
        try:
            yield dispatcher
        finally:
            dispatcher._draining = True
            for task in (*workers, *dispatcher._tasks):
                task.cancel()
            await asyncio.gather(*workers, *dispatcher._tasks, return_exceptions=True)

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def draining(self) -> bool:
        return self._draining

    async def drain(self, seconds: float) -> int:
        """Take no more calls, wait for the running ones, and say how many are left."""
        self._draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        except TimeoutError:
            log.warning("calls still run", calls=len(self._running))
        return len(self._running)

    def hang_up(self, call_id: int) -> None:
        """End a call, if it is one of ours."""
        call = self._running.get(call_id)
        if call is not None:
            call.hang_up()

    async def _claim(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._draining:
            try:
                async with self._database.connection() as connection:
                    await connection.commit()
                    await connection.set_autocommit(True)
                    try:
                        pause = FIRST_PAUSE_SECONDS
                        await self._claim_over(connection)
                    finally:
                        if not connection.closed:
                            await connection.set_autocommit(False)
            except (OSError, psycopg.OperationalError) as error:
                log.warning("calls wait for the database", error=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _claim_over(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while not self._draining:
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            if self._asked_anew:
                await self._find_hang_ups(connection)
            room = min(MAX_CLAIM, self._capacity - len(self._running))
            if room <= 0 or self._draining:
                continue
            claims = await claim(connection, self._engine_id, room)
            for each in claims:
                self._start(each)
            if len(claims) == room:
                self._look.set()

    def _start(self, claimed: Claim) -> None:
        call = self._begin(claimed)
        self._running[claimed.call_id] = call
        self._quiet.clear()
        self.placed += 1
        task = asyncio.create_task(self._run(claimed.call_id, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, call_id: int, call: RunningCall) -> None:
        try:
            with structlog.contextvars.bound_contextvars(call_id=call_id):
                await call.run()
        finally:
            del self._running[call_id]
            if len(self._running) == self._capacity - 1:
                self._look.set()
            if not self._running:
                self._quiet.set()

    async def _listen(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                async with await self._database.connect() as connection:
                    await connection.execute(f"LISTEN {CALLS_CHANNEL}")
                    await connection.execute(f"LISTEN {HANG_UP_CHANNEL}")
                    pause = FIRST_PAUSE_SECONDS
                    # What was said while nobody listened is looked up.
                    self._asked_anew = True
                    self._look.set()
                    async for said in connection.notifies():
                        self._hear(said)
            except (OSError, psycopg.OperationalError) as error:
                log.warning("nobody tells of calls", error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _hear(self, said: psycopg.Notify) -> None:
        if said.channel == CALLS_CHANNEL:
            self._look.set()
        elif said.payload.isdecimal():
            self.hang_up(int(said.payload))

    async def _find_hang_ups(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._asked_anew = False
        if not self._running:
            return
        cursor = await connection.execute(_ASKED, (list(self._running),))
        for (call_id,) in await cursor.fetchall():
            self.hang_up(call_id)
