"""The live event stream of one process: one reader of the log, fanned out to many subscribers."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, Self

from twoleg.events.log import (
    EVENTS_CHANNEL,
    Event,
    events_between,
    events_of_account,
    settled_end,
    settled_until,
)
from twoleg.store import Database
from twoleg.store.database import Connection
from twoleg.store.lasting import stay_connected

POLL_SECONDS: Final = 1.0
"""How often the log is looked at without having been told: a notification may be lost."""

PACE_SECONDS: Final = 0.01
"""From one look at the log to the next, at least: under load events share a statement's cost."""

MAX_READ: Final = 1000
"""Events read in one go, from the log's end or for a subscriber that catches up."""

MAX_QUEUED: Final = 1000
"""Events that wait for one subscriber; one that is slower than that is cut off."""

MAX_SUBSCRIPTIONS: Final = 2000
MAX_OF_ACCOUNT: Final = 200


class TooManySubscriptions(Exception):
    """The account, or this process, has as many subscriptions as it may."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events of an account are subscribed to; None does not narrow."""

    account_id: int
    call_id: int | None = None
    types: frozenset[str] | None = None
    appointment_id: int | None = None
    calls: bool = True
    """False: those of calls are not, whatever else is asked for."""

    appointments: bool = True
    """False: those of appointments are not."""

    def takes(self, event: Event) -> bool:
        """Tell whether `event`, of the account, is wanted."""
        return (
            (self.calls if event.appointment_id is None else self.appointments)
            and (self.call_id is None or event.call_id == self.call_id)
            and (self.appointment_id is None or event.appointment_id == self.appointment_id)
            and (self.types is None or event.type in self.types)
        )


class Subscription:
    """What one subscriber gets: events by rising id. Made by `EventStream.subscribe`."""

    def __init__(self, stream: EventStream, wanted: Wanted, after: int | None) -> None:
        self._stream = stream
        self._after = after
        self._queue: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self.wanted = wanted
        self.over = False
        """No more will come: the subscriber was too slow, or the stream was closed."""

    async def batches(
        self, idle_seconds: float
    ) -> AsyncGenerator[tuple[int, Sequence[Event]], None]:
        """Give events as they come, with the id up to which everything was given by then.

        Begins behind `after`, or with what happens from now on. A batch is empty after
        `idle_seconds` without an event, and at the beginning. Ends when `over`.
        """
        position = await self._stream.reading()
        if self._after is not None:
            position = min(position, self._after)
        yield position, ()
        while not self.over and position < (end := self._stream.position):
            # Behind: read from the log what went by, a page at a time, as fast as it is taken.
            page = await self._stream.past(self.wanted, position, end)
            position = page[-1].id if len(page) == MAX_READ else end
            yield position, [event for event in page if self.wanted.takes(event)]
        # Nothing was awaited since the position was found to be the stream's.
        with self._stream.live(self):
            while not self.over:
                if not self._queue:
                    await self._wait(idle_seconds)
                if self._queue:
                    events = tuple(self._queue)
                    self._queue.clear()
                    yield events[-1].id, events
                elif not self.over:
                    yield self._stream.position, ()

    def push(self, events: Sequence[Event]) -> None:
        """Queue what is wanted of `events`; too much ends the subscription."""
        if self.over:
            return
        self._queue.extend(event for event in events if self.wanted.takes(event))
        if len(self._queue) > MAX_QUEUED:
            self.end()
        elif self._queue:
            self._arrived.set()

    def end(self) -> None:
        """End the subscription; what is queued is dropped, and can be resumed from its id."""
        self.over = True
        self._queue.clear()
        self._arrived.set()

    async def _wait(self, seconds: float) -> None:
        self._arrived.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        except TimeoutError:
            pass


class EventStream:
    """Reads the log once for all subscribers, and only while there are any.

    Made by `EventStream.open`. Holds one connection of its own.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscribers: Counter[int] = Counter()
        self._live: dict[int, set[Subscription]] = {}
        self._wanted = asyncio.Event()
        self._reading = asyncio.Event()
        self._subscriptions: set[Subscription] = set()
        self._closed = False
        self.position = 0
        """Every event up to this id was fanned out, and none with a lower id can come."""

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database) -> AsyncIterator[Self]:
        """Serve subscribers until the block is left."""
        stream = cls(database)
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(
                stay_connected(database, stream._serve, "events wait for the database")
            )
            try:
                yield stream
            finally:
                stream.close()
                reader.cancel()

    @property
    def subscribers(self) -> int:
        """Subscriptions that are lent now."""
        return len(self._subscriptions)

    def close(self) -> None:
        """End every subscription, and take none any more."""
        self._closed = True
        self._reading.set()
        for subscription in list(self._subscriptions):
            subscription.end()

    @contextmanager
    def subscribe(self, wanted: Wanted, after: int | None) -> Iterator[Subscription]:
        """Lend a subscription behind event `after`. Raises TooManySubscriptions."""
        account_id = wanted.account_id
        if (
            len(self._subscriptions) >= MAX_SUBSCRIPTIONS
            or self._subscribers[account_id] >= MAX_OF_ACCOUNT
        ):
            raise TooManySubscriptions
        subscription = Subscription(self, wanted, after)
        self._subscriptions.add(subscription)
        self._subscribers[account_id] += 1
        self._wanted.set()
        if self._closed:
            subscription.end()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            self._subscribers[account_id] -= 1
            if not self._subscribers[account_id]:
                del self._subscribers[account_id]

    async def reading(self) -> int:
        """Wait until the log is read; return the position then."""
        await self._reading.wait()
        return self.position

    async def past(self, wanted: Wanted, after: int, until: int) -> list[Event]:
        """Return the next page of what went by, of every type. Raises DatabaseUnavailable."""
        async with self._database.connection() as connection:
            return await events_of_account(
                connection,
                wanted.account_id,
                after,
                until,
                call_id=wanted.call_id,
                appointment_id=wanted.appointment_id,
                most=MAX_READ,
            )

    @contextmanager
    def live(self, subscription: Subscription) -> Iterator[None]:
        """Pass on to `subscription` what is read while the block lasts."""
        account_id = subscription.wanted.account_id
        of_account = self._live.setdefault(account_id, set())
        of_account.add(subscription)
        try:
            yield
        finally:
            of_account.discard(subscription)
            if not of_account and self._live.get(account_id) is of_account:
                del self._live[account_id]

    async def _serve(self, connection: Connection) -> None:
        while True:
            await self._wanted.wait()
            await connection.execute(f"LISTEN {EVENTS_CHANNEL}")
            if not self._reading.is_set():
                self.position = await settled_end(connection)
                self._reading.set()
            while self._subscriptions:
                await self._read(connection)
            self._wanted.clear()
            self._reading.clear()
            # Nobody reads what would be told: it must not pile up at the server.
            await connection.execute("UNLISTEN *")

    async def _read(self, connection: Connection) -> None:
        end = await settled_until(connection, self.position, MAX_READ)
        if end == self.position:
            async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass
            return
        events = await events_between(connection, self.position, end)
        # Nobody may begin to listen between what was fanned out and the new position.
        self._fan_out(events)
        self.position = end
        await asyncio.sleep(PACE_SECONDS)

    def _fan_out(self, events: Sequence[Event]) -> None:
        by_account: dict[int, list[Event]] = {}
        for event in events:
            if event.account_id in self._live:
                by_account.setdefault(event.account_id, []).append(event)
        for account_id, of_account in by_account.items():
            for subscription in self._live[account_id]:
                subscription.push(of_account)
