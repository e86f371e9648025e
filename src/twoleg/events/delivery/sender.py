"""Sending what is due: receivers by turns, each in its own lane, results written together."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Final

import structlog

from twoleg.events.addresses import AddressPolicy
from twoleg.events.delivery import queries
from twoleg.events.delivery.lane import WINDOW, Lane
from twoleg.events.delivery.messages import Message, request_of
from twoleg.events.delivery.names import Names
from twoleg.events.delivery.posting import Poster, Reply
from twoleg.events.delivery.queries import LEASE_SECONDS, Result
from twoleg.events.webhooks.values import TEST, DeliveryState
from twoleg.store.database import Connection

MAX_FLYING: Final = 1000
"""Messages that one worker has on their way at once."""

KEPT_FLYING: Final = 250
"""So many of them are for receivers that took the last one: however many others are dead, or slow,
those wait for nobody."""

MAX_LANES: Final = 5000
PACE_SECONDS: Final = 0.003
"""From one turn to the next, at least: under load messages share a statement's cost."""

LINGER_SECONDS: Final = 30.0
"""How long a receiver without anything due, and its connections, are kept."""

PAUSES_SECONDS: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)
"""How long a message waits after each attempt that failed: about a day in all."""

JITTER: Final = 0.1
"""The share by which a pause may be longer: what failed together does not come back together."""

MAX_LANE_PAUSE_SECONDS: Final = 60.0
GIVE_UP_SECONDS: Final = 3 * 24 * 3600.0
"""A webhook that took nothing for so long is switched off."""

NOT_ACTIVE: Final = "the webhook is not active"
NOT_KEPT: Final = "what it tells of is kept no longer"

log = structlog.get_logger(__name__)


class Sender:
    """Sends for one worker, which others know by `name`."""

    def __init__(self, name: str, policy: AddressPolicy, tls: ssl.SSLContext) -> None:
        self._name = name
        self._policy = policy
        self._tls = tls
        self._names = Names()
        self._lanes: dict[int, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: list[tuple[Lane, Result]] = []
        self._healths: dict[int, datetime | None] = {}
        self._given_up: dict[int, str] = {}
        self._wake = asyncio.Event()
        self._due = False
        self._draining = False
        self._renew_at = 0.0
        self.results: Counter[DeliveryState] = Counter()

    def look(self) -> None:
        """Look what is due: there may be something new."""
        self._due = True
        self._wake.set()

    async def serve(self, connection: Connection, poll_seconds: float) -> None:
        """Send what is due; ends by an exception once the connection is of no use."""
        self.look()
        while True:
            try:
                async with asyncio.timeout(poll_seconds):
                    await self._wake.wait()
            except TimeoutError:
                self._due = True
            self._wake.clear()
            await self._turn(connection)
            await asyncio.sleep(PACE_SECONDS)

    async def drain(self, seconds: float) -> None:
        """Send nothing new, and give what is on its way so long to come to an end."""
        self._draining = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def leave(self, connection: Connection) -> None:
        """Write what is left to be written, and give every receiver back."""
        await self._save(connection)
        await queries.release(connection, self._name, list(self._lanes))

    def close(self) -> None:
        """Close all connections to receivers."""
        for lane in self._lanes.values():
            lane.poster.close()
        self._lanes.clear()
        self._names.close()

    async def _turn(self, connection: Connection) -> None:
        now = asyncio.get_running_loop().time()
        await self._save(connection)
        if now >= self._renew_at:
            await self._renew(connection)
            self._renew_at = now + LEASE_SECONDS / 3
        if self._draining:
            return
        looking, self._due = self._due, False
        try:
            if looking:
                await self._lease(connection, now)
            await self._find_due(connection, looking)
        except BaseException:
            self._due = True
            raise
        for lane in self._lanes.values():
            self._start(lane)
            if not lane.idle:
                lane.idle_since = now
        await self._release_idle(connection, now)

    async def _save(self, connection: Connection) -> None:
        done, self._done = self._done, []
        healths, self._healths = self._healths, {}
        given_up, self._given_up = self._given_up, {}
        if not done:
            return
        try:
            await queries.save(connection, [result for _, result in done], healths, given_up)
        except BaseException:
            self._done = done + self._done
            self._healths = healths | self._healths
            self._given_up = given_up | self._given_up
            raise
        for lane, result in done:
            lane.known.discard(result.id)
            self.results[result.state] += 1

    async def _renew(self, connection: Connection) -> None:
        if not self._lanes:
            return
        ours = await queries.renew(connection, self._name, list(self._lanes))
        for receiver_id in self._lanes.keys() - ours:
            log.warning("another worker has the receiver", receiver_id=receiver_id)
            self._forget(self._lanes.pop(receiver_id))

    def _forget(self, lane: Lane) -> None:
        lane.drop()
        lane.poster.close()

    async def _lease(self, connection: Connection, now: float) -> None:
        room = MAX_LANES - len(self._lanes)
        if room <= 0:
            return
        for leased in await queries.lease(connection, self._name, room):
            if leased.receiver_id not in self._lanes:
                poster = Poster(self._policy, self._tls, self._names)
                self._lanes[leased.receiver_id] = Lane(*leased, poster, now, more=True)

    async def _find_due(self, connection: Connection, looking: bool) -> None:
        lanes = [
            lane
            for lane in self._lanes.values()
            if (lane.room and looking) or (lane.more and lane.room >= WINDOW / 2)
        ]
        if not lanes:
            return
        known = {lane.receiver_id: lane.known for lane in lanes}
        rooms = {lane.receiver_id: lane.room for lane in lanes}
        found: dict[int, list[Message]] = {}
        for message in await queries.due(connection, rooms, known):
            found.setdefault(message.receiver_id, []).append(message)
        for lane in lanes:
            lane.add(found.get(lane.receiver_id, ()), rooms[lane.receiver_id])

    async def _release_idle(self, connection: Connection, now: float) -> None:
        idle = [
            lane
            for lane in self._lanes.values()
            if lane.idle and now - lane.idle_since > LINGER_SECONDS
        ]
        if idle:
            await queries.release(connection, self._name, [lane.receiver_id for lane in idle])
            for lane in idle:
                del self._lanes[lane.receiver_id]
                self._forget(lane)

    def _start(self, lane: Lane) -> None:
        if self._draining:
            return
        now = asyncio.get_running_loop().time()
        most = MAX_FLYING if lane.takes else MAX_FLYING - KEPT_FLYING
        for message in lane.take(now, most - len(self._tasks)):
            task = asyncio.create_task(self._send(lane, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, lane: Lane, message: Message) -> None:
        reply: Reply | None = None
        try:
            if message.active and message.sendable:
                reply = await lane.poster.post(request_of(message, time.time()))
        except Exception:
            # One message's mishap must not end the others: it is tried again, as any that fails.
            log.exception("a delivery broke off", delivery_id=message.id)
            reply = Reply(None, "it could not be sent")
        finally:
            lane.landed(message, reply)
        self._done.append((lane, self._result(lane, message, reply)))
        self._wake.set()
        if lane.lost:
            self._forget(lane)
        else:
            self._start(lane)

    def _result(self, lane: Lane, message: Message, reply: Reply | None) -> Result:
        if reply is None:
            why = NOT_KEPT if message.active else NOT_ACTIVE
            return Result(id=message.id, state=DeliveryState.FAILED, attempted=False, error=why)
        if message.type != TEST:
            self._note_health(lane, reply)
        if reply.taken:
            return Result(id=message.id, state=DeliveryState.DELIVERED, status=reply.status)
        if reply.retry_after is not None:
            now = asyncio.get_running_loop().time()
            lane.paused_until = now + min(reply.retry_after, MAX_LANE_PAUSE_SECONDS)
        last = message.type == TEST or reply.gone or message.attempts >= len(PAUSES_SECONDS)
        return Result(
            id=message.id,
            state=DeliveryState.FAILED if last else DeliveryState.PENDING,
            status=reply.status,
            error=reply.error,
            pause=None if last else _pause(message.attempts, reply.retry_after),
        )

    def _note_health(self, lane: Lane, reply: Reply) -> None:
        now = datetime.now(UTC)
        if reply.taken:
            if lane.failing_since is not None:
                self._healths[lane.receiver_id] = lane.failing_since = None
            return
        if lane.failing_since is None:
            self._healths[lane.receiver_id] = lane.failing_since = now
        if lane.webhook_id is None:
            return
        if reply.gone:
            self._given_up[lane.webhook_id] = "It answered 410: it wants nothing any more."
        elif (now - lane.failing_since).total_seconds() > GIVE_UP_SECONDS:
            since = lane.failing_since.isoformat(timespec="seconds")
            self._given_up[lane.webhook_id] = (
                f"It has taken nothing since {since}; the last time: {reply.error}."
            )


def _pause(attempts: int, retry_after: float | None) -> float:
    pause = PAUSES_SECONDS[attempts] * (1 + JITTER * random.random())
    return max(pause, retry_after or 0.0)
