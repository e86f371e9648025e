"""Where the calls of one engine ask for their next agent, and wait for one.

Calls that ask in the same moment share a statement. A call that finds nobody joins its group's
queue, which all engines see: whoever looks leaves a free user to the oldest call that waits for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Self

from twoleg.calls.agent_queries import (
    Found,
    found_outside,
    join_queues,
    leave_queues,
    release,
    seek,
    sweep,
)
from twoleg.calls.agent_search import AgentSearch, Target
from twoleg.calls.background import background
from twoleg.calls.connected import Connection, stay_connected
from twoleg.store import Database

MAX_BATCH: Final = 64
"""Calls that are looked for in one statement."""

MAX_WAITING: Final = 5000
"""Calls of one engine that wait for an agent; one more is told that nobody is free."""

MAX_WAITING_OF_ACCOUNT: Final = 2000
"""How many of them one account may have."""

LOOKS_OF_ONE_QUEUE: Final = 32
"""Calls of one queue, the oldest, that are looked for at the same time."""

WAITING_POLL_SECONDS: Final = 0.5
"""How often waiting calls are looked after."""

SWEEP_SECONDS: Final = 10.0
"""How often it is made sure that no call that has ended keeps a user."""

PACE_SECONDS: Final = 0.004
"""From one statement to the next, at least: calls share its cost."""

MAX_CONTENTIONS: Final = 20
"""How often another call may be quicker before a call goes on as if nobody had been free."""


@dataclass(slots=True, eq=False)
class _Ask:
    search: AgentSearch
    account_id: int
    reply: asyncio.Future[Found | None]
    """None: this engine has the call no longer, or there is no place in the queue."""

    def answer(self, found: Found | None) -> None:
        if not self.reply.done():
            self.reply.set_result(found)


class AgentDesk:
    """Finds agents for the calls of one engine. Made by `AgentDesk.open`."""

    def __init__(self, database: Database, engine_id: int) -> None:
        self._database = database
        self._engine_id = engine_id
        self._asking: dict[int, _Ask] = {}
        self._joining: dict[int, _Ask] = {}
        self._waiting: dict[int, _Ask] = {}
        self._leaving: set[int] = set()
        self._over: set[tuple[int, int]] = set()
        self._look = asyncio.Event()
        self._of_account: Counter[int] = Counter()
        self._look_at = 0.0
        self._sweep_at = 0.0

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database, engine_id: int) -> AsyncIterator[Self]:
        """Find agents until the block is left."""
        desk = cls(database, engine_id)
        async with background(
            stay_connected(database, desk._serve, "nobody can be found for calls")
        ):
            yield desk

    @property
    def waiting(self) -> int:
        """Calls that stand in a queue."""
        return len(self._waiting)

    async def find(
        self, search: AgentSearch, account_id: int, found: Found | None = None
    ) -> Found | None:
        """Reserve whom the call rings next, and free whom it rang before; None: nobody is left.

        Waits as long as the group, or the call, allows it. `found` is what was found already.
        """
        contentions = 0
        while (target := search.target) is not None:
            if target.phone_number is not None:
                search.turn_to_next(None)
                for user_id in search.rung:
                    self.release(search.call_id, user_id)
                return found_outside(target.phone_number)
            found = found or await self._ask(self._asking, search, account_id)
            if found is None:
                return None
            if not found.agents and found.contended and contentions < MAX_CONTENTIONS:
                contentions += 1
                found = None
                continue
            if not found.agents and found.others:
                found = await self._wait(search, account_id, found) or found
            if found.agents:
                search.ring(found)
                return found
            search.none_free = found.others
            search.turn_to_next(found.fallback)
            found = None
        return None

    def release(self, call_id: int, user_id: int) -> None:
        """Free a user whose ring is over while the call goes on. Returns at once."""
        self._over.add((call_id, user_id))
        self._look.set()

    def _release_found(self, call_id: int, found: Found | None) -> None:
        for agent in found.agents if found is not None else ():
            self.release(call_id, agent["user_id"])

    async def _wait(self, search: AgentSearch, account_id: int, found: Found) -> Found | None:
        """Stand in the queue until somebody is found; None: the time is up, or it is full."""
        patience = search.patience(found.max_wait_seconds)
        full = (
            self._of_account.total() >= MAX_WAITING
            or self._of_account[account_id] >= MAX_WAITING_OF_ACCOUNT
        )
        if patience <= 0 or full:
            return None
        self._of_account[account_id] += 1
        waited = asyncio.timeout(patience)
        try:
            async with waited:
                return await self._ask(self._joining, search, account_id)
        except TimeoutError:
            if not waited.expired():
                raise
            return None
        finally:
            self._of_account[account_id] -= 1
            if not self._of_account[account_id]:
                del self._of_account[account_id]
            if self._waiting.pop(search.call_id, None) is not None:
                self._leave(search.call_id)

    def _leave(self, call_id: int) -> None:
        self._leaving.add(call_id)
        self._look.set()

    async def _ask(
        self, asks: dict[int, _Ask], search: AgentSearch, account_id: int
    ) -> Found | None:
        reply: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()
        asks[search.call_id] = ask = _Ask(search, account_id, reply)
        self._look.set()
        try:
            return await reply
        except asyncio.CancelledError:
            if reply.done() and not reply.cancelled():
                # It was answered in the turn in which nobody waited for it any more.
                self._release_found(search.call_id, reply.result())
            raise
        finally:
            if asks.get(search.call_id) is ask:
                del asks[search.call_id]

    async def _serve(self, connection: Connection) -> None:
        """Answer who asks; ends by an exception once the connection is of no use.

        Whoever was not answered by then is still there for the next connection.
        """
        self._look.set()
        while True:
            pause = WAITING_POLL_SECONDS if self._waiting else SWEEP_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._look.wait()
            self._look.clear()
            await self._sweep(connection)
            await self._free(connection)
            await self._join(connection)
            asks = list(self._asking.values())[:MAX_BATCH] + self._due()
            if asks:
                await self._look_for(connection, asks)
            if self._asking:
                self._look.set()
            await asyncio.sleep(PACE_SECONDS)

    async def _sweep(self, connection: Connection) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._sweep_at:
            await sweep(connection)
            self._sweep_at = now + SWEEP_SECONDS

    async def _free(self, connection: Connection) -> None:
        leaving, self._leaving = self._leaving, set()
        over, self._over = self._over, set()
        try:
            if leaving:
                await leave_queues(connection, self._engine_id, leaving)
            if over:
                await release(connection, self._engine_id, over)
        except BaseException:
            self._leaving |= leaving
            self._over |= over
            raise

    async def _join(self, connection: Connection) -> None:
        joining = list(self._joining.values())
        if not joining:
            return
        seeks = [ask.search.seek for ask in joining]
        joined = await join_queues(connection, self._engine_id, seeks)
        for ask in joining:
            call_id = ask.search.call_id
            if self._joining.get(call_id) is ask:
                del self._joining[call_id]
            if call_id not in joined:
                ask.answer(None)
            elif ask.reply.done():
                self._leave(call_id)
            else:
                self._waiting[call_id] = ask

    def _due(self) -> list[_Ask]:
        """Give the oldest calls of each queue, if it is time to look after them."""
        now = asyncio.get_running_loop().time()
        if not self._waiting or now < self._look_at:
            return []
        self._look_at = now + WAITING_POLL_SECONDS / 2
        looks: Counter[Target | None] = Counter()
        due = []
        for call_id in sorted(self._waiting):
            ask = self._waiting[call_id]
            looks[ask.search.target] += 1
            if looks[ask.search.target] <= LOOKS_OF_ONE_QUEUE:
                due.append(ask)
        return due

    async def _look_for(self, connection: Connection, asks: list[_Ask]) -> None:
        found = await seek(connection, self._engine_id, [ask.search.seek for ask in asks])
        for ask in asks:
            call_id = ask.search.call_id
            here = found.get(call_id)
            if ask.reply.done():
                # Nobody waits for it any more: the call was ended, or has waited long enough.
                self._release_found(call_id, here)
            elif self._waiting.get(call_id) is not ask:
                if self._asking.get(call_id) is ask:
                    del self._asking[call_id]
                ask.answer(here)
            elif here is None or not (here.agents or here.others):
                # It is not ours any more, or there is nobody left to wait for.
                del self._waiting[call_id]
                self._leave(call_id)
                ask.answer(here)
            elif here.agents:
                del self._waiting[call_id]
                ask.answer(here)
                # Where somebody was free for one, there may be somebody for the next.
                self._look_at = 0.0
                self._look.set()
