"""One reader for many subscribers: what each gets, and what a slow one does to the others."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pytest

from twoleg.events import EventStream, TooManySubscriptions, Wanted
from twoleg.events import stream as stream_module

ONE = Wanted(account_id=1)
IDLE = 60.0


@pytest.fixture
async def stream(database):
    async with EventStream.open(database) as stream:
        yield stream


class Reader:
    """A subscriber that keeps what it got."""

    def __init__(self, batches) -> None:
        self._batches = batches
        self.position = 0
        self.ids: list[int] = []

    async def read(self) -> bool:
        """Take the next batch; False at the end."""
        try:
            self.position, events = await anext(self._batches)
        except StopAsyncIteration:
            return False
        self.ids += [event.id for event in events]
        return True

    async def read_until(self, event_id: int) -> None:
        while not (self.ids and self.ids[-1] >= event_id):
            assert await self.read()


@asynccontextmanager
async def following(stream, wanted=ONE, after=None):
    with stream.subscribe(wanted, after) as subscription:
        async with aclosing(subscription.batches(IDLE)) as batches:
            reader = Reader(batches)
            await reader.read()
            yield reader


async def test_a_subscriber_gets_what_happens_from_now_on(stream, add) -> None:
    before = await add()
    async with following(stream) as reader:
        assert reader.position == before
        expected = [await add() for _ in range(3)]
        await reader.read_until(expected[-1])
    assert reader.ids == expected


async def test_a_subscriber_that_resumes_gets_each_event_once(stream, add, monkeypatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_READ", 2)
    ids = [await add() for _ in range(7)]
    async with following(stream, after=ids[1]) as reader:
        await reader.read()
        ids += [await add() for _ in range(5)]
        await reader.read_until(ids[-1])
    assert reader.ids == ids[2:]


async def test_events_that_commit_out_of_order_come_in_the_order_of_their_ids(
    stream, add, uncommitted
) -> None:
    async with following(stream) as reader, uncommitted(call_id=2) as (late, writer):
        later = await add()
        await writer.execute("COMMIT")
        await reader.read_until(later)
    assert reader.ids == [late, later]


async def test_an_account_gets_only_its_own(stream, add) -> None:
    start = await add()
    async with (
        following(stream, after=start) as one,
        following(stream, Wanted(account_id=2), after=0) as two,
    ):
        theirs, ours = await add(call_id=6), await add(call_id=1)
        await one.read_until(ours)
        await two.read_until(theirs)
    assert (one.ids, two.ids) == ([ours], [theirs])


@pytest.mark.parametrize("after", [None, 0], ids=["live", "resumed"])
async def test_calls_and_types_that_are_not_wanted_are_left_out(stream, add, after) -> None:
    wanted = Wanted(1, call_id=2, types=frozenset({"call.ended"}))
    async with AsyncExitStack() as stack:
        if after is None:
            reader = await stack.enter_async_context(following(stream, wanted))
        await add(1, "call.ended")
        await add(2, "call.bridged")
        right = await add(2, "call.ended")
        if after is not None:
            reader = await stack.enter_async_context(following(stream, wanted, after))
        await reader.read_until(right)
        assert reader.ids == [right]


async def test_a_slow_subscriber_is_cut_off_and_resumes_by_id(stream, add, monkeypatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_QUEUED", 3)
    async with following(stream) as quick, following(stream) as slow:
        reading = asyncio.create_task(slow.read())
        ids = [await add()]
        await quick.read_until(ids[0])
        assert await reading
        for _ in range(5):
            ids.append(await add())
            await quick.read_until(ids[-1])
        assert not await slow.read()
        assert quick.ids == ids
    async with following(stream, after=slow.ids[-1]) as again:
        await again.read_until(ids[-1])
    assert slow.ids + again.ids == ids


async def test_a_subscriber_that_comes_after_a_pause_without_any_gets_what_is_new(
    stream, add
) -> None:
    async with following(stream) as reader:
        await reader.read_until(await add())
    between = await add()
    async with following(stream) as reader:
        position = reader.position
        new = await add()
        await reader.read_until(new)
    assert reader.ids == [event_id for event_id in (between, new) if event_id > position]


async def test_the_stream_goes_on_after_the_database_was_restarted(
    stream, add, execute, database
) -> None:
    async with following(stream) as reader:
        ids = [await add()]
        await reader.read_until(ids[0])
        await execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND query LIKE 'LISTEN%%' OR query LIKE '%%FROM call_events%%'"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        ids.append(await add())
        await reader.read_until(ids[-1])
    assert reader.ids == ids


async def test_an_account_has_no_more_subscriptions_than_it_may(stream, calls, monkeypatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_OF_ACCOUNT", 1)
    with stream.subscribe(ONE, None):
        with pytest.raises(TooManySubscriptions), stream.subscribe(ONE, None):
            pass
        with stream.subscribe(Wanted(account_id=2), None):
            pass
    with stream.subscribe(ONE, None):
        pass


async def test_closing_ends_every_subscription(stream, calls) -> None:
    async with following(stream) as reader:
        ended = asyncio.create_task(reader.read())
        stream.close()
        assert not await ended
    with stream.subscribe(ONE, None) as late:
        assert late.over
