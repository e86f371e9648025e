"""Receivers that refuse, are slow or gone: how often, how long and until when they are tried."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from events.receiver import ANYWHERE, Answer, never, receiving, statuses
from foreign_peers.ports import silent_port
from waiting import until

from twoleg.events.delivery import delivering, sender
from twoleg.events.delivery.connection import MAX_READ


@pytest.mark.parametrize("status", [500, 404, 302])
async def test_a_message_that_was_not_taken_is_sent_again_under_the_same_id(
    database, hook, add, at_once, written, rows, status
) -> None:
    async with receiving(statuses(status, status, 204)) as receiver:
        _, secret = await hook(receiver.url)
        await add()
        async with delivering(database, ANYWHERE):
            received = await receiver.until(3)
            await written()
    assert len({each.id for each in received}) == 1
    assert len({each.body for each in received}) == 1
    for each in received:
        each.verify(secret)
    assert await rows() == [("delivered", 3, 204, None)]


async def test_a_message_is_given_up_after_about_a_day_of_attempts(
    database, hook, add, at_once, written, rows, execute
) -> None:
    async with receiving(statuses(500)) as receiver:
        await hook(receiver.url)
        await add()
        async with delivering(database, ANYWHERE):
            await written()
    attempts = len(sender.PAUSES_SECONDS) + 1
    assert len(receiver.received) == attempts
    assert await rows() == [("failed", attempts, 500, "answered 500")]
    totals = dict(await execute("SELECT outcome, attempts FROM webhook_totals"))
    assert totals == {"retried": attempts - 1, "failed": 1}


def test_the_pauses_grow_and_last_about_a_day() -> None:
    pauses = sender.PAUSES_SECONDS
    assert pauses[0] == 5
    assert list(pauses) == sorted(pauses)
    assert timedelta(hours=22) < timedelta(seconds=sum(pauses)) < timedelta(hours=26)


async def test_a_failed_message_waits_while_later_ones_go_on(
    database, hook, add, in_an_hour, attempted, rows, execute
) -> None:
    async with receiving(statuses(500, 200)) as receiver:
        await hook(receiver.url)
        await add()
        await add()
        async with delivering(database, ANYWHERE):
            await receiver.until(2)
            await attempted()
    assert await rows("state, attempts, next_attempt_at > now()") == [
        ("pending", 1, True),
        ("delivered", 1, False),
    ]
    [(failing,)] = await execute("SELECT failing_since FROM webhook_receivers")
    assert failing is None


async def test_a_receiver_that_never_answers_holds_up_nobody_else(database, hook, add) -> None:
    async with receiving(never) as dead, receiving() as live, delivering(database, ANYWHERE):
        await hook(dead.url)
        await hook(live.url)
        for call_id in range(1, 6):
            for _ in range(8):
                await add(call_id)
        await live.until(40)
        assert dead.most_at_once <= 4


async def test_dead_receivers_however_many_leave_places_to_those_that_take_their_messages(
    database, hook, add, monkeypatch
) -> None:
    monkeypatch.setattr(sender, "MAX_FLYING", 6)
    monkeypatch.setattr(sender, "KEPT_FLYING", 2)
    async with receiving(never) as dead, receiving() as live, delivering(database, ANYWHERE):
        await hook(live.url, "call.ended")
        await add(1, "call.ended")
        await live.until(1)
        for _ in range(3):
            await hook(dead.url, "call.bridged")
        for call_id in range(1, 6):
            await add(call_id, "call.bridged")
        await until(lambda: dead.at_once >= 4)
        for call_id in range(2, 6):
            await add(call_id, "call.ended")
        await live.until(5)
        assert dead.most_at_once == 4


async def test_a_slow_receiver_is_given_up_after_the_timeout_and_gets_one_at_a_time(
    database, hook, add, in_an_hour, attempted, rows, monkeypatch
) -> None:
    monkeypatch.setattr("twoleg.events.delivery.posting.TIMEOUT_SECONDS", 0.05)
    async with receiving(never) as dead:
        await hook(dead.url)
        for call_id in range(1, 6):
            await add(call_id)
        async with delivering(database, ANYWHERE) as working:
            await attempted()
            [lane] = working.sender._lanes.values()
            assert lane.at_once == 1
    assert set(await rows()) == {("pending", 1, None, "no reply within 0.05 s")}


async def test_a_receiver_that_is_not_there_is_tried_again_later(
    database, hook, add, attempted, rows, execute
) -> None:
    began = datetime.now(UTC)
    with silent_port() as port:
        await hook(f"http://127.0.0.1:{port}/")
        await add()
        async with delivering(database, ANYWHERE):
            await attempted()
    assert await rows() == [("pending", 1, None, "no connection")]
    [(worker, due_at)] = await execute("SELECT worker, due_at FROM webhook_receivers")
    assert worker is None
    pause = timedelta(seconds=sender.PAUSES_SECONDS[0])
    assert began + pause <= due_at <= datetime.now(UTC) + pause * (1 + sender.JITTER)


async def test_a_receiver_that_is_gone_is_switched_off_with_the_reason(
    database, hook, add, written, execute, rows
) -> None:
    async with receiving(statuses(410)) as receiver, delivering(database, ANYWHERE):
        await hook(receiver.url)
        await add()
        await receiver.until(1)
        await written()
        await add()
    assert len(receiver.received) == 1
    assert await rows() == [("failed", 1, 410, "answered 410")]
    assert await execute("SELECT active, disabled_reason FROM webhooks") == [
        (False, "It answered 410: it wants nothing any more.")
    ]


async def test_a_receiver_that_failed_for_days_is_switched_off_with_the_reason(
    database, hook, add, written, execute, at_once
) -> None:
    async with receiving(statuses(500)) as receiver:
        await hook(receiver.url)
        since = datetime.now(UTC) - timedelta(seconds=sender.GIVE_UP_SECONDS + 60)
        await execute("UPDATE webhook_receivers SET failing_since = %s", since)
        await add()
        async with delivering(database, ANYWHERE):
            await written()
    [(active, reason)] = await execute("SELECT active, disabled_reason FROM webhooks")
    assert not active
    assert reason.startswith("It has taken nothing since")
    assert reason.endswith("the last time: answered 500.")


async def test_what_was_pending_is_not_sent_to_a_webhook_that_was_switched_off(
    database, hook, add, written, execute, rows
) -> None:
    async with receiving() as receiver:
        await hook(receiver.url)
        await add()
        async with delivering(database, ANYWHERE):
            await written()
        await execute("UPDATE webhook_deliveries SET state = 'pending'")
        await execute("UPDATE webhook_receivers SET due_at = now()")
        await execute("UPDATE webhooks SET active = false")
        async with delivering(database, ANYWHERE):
            await written()
    assert len(receiver.received) == 1
    assert await rows("state, last_error") == [("failed", sender.NOT_ACTIVE)]


async def test_a_busy_receiver_is_left_alone_for_as_long_as_it_asks(
    database, hook, add, attempted, rows
) -> None:
    async def busy(received):
        return Answer(429, {"Retry-After": "1000"})

    async with receiving(busy) as receiver, delivering(database, ANYWHERE) as working:
        await hook(receiver.url)
        await add()
        await attempted()
        [lane] = working.sender._lanes.values()
        await until(lambda: lane.idle)
        await add()
        await until(lambda: lane.known)
    assert await rows("attempts, next_attempt_at > now() + interval '900 seconds'") == [
        (1, True),
        (0, False),
    ]
    assert len(receiver.received) == 1


async def test_redirects_are_not_followed(database, hook, add, in_an_hour, attempted, rows) -> None:
    async with receiving() as target:

        async def elsewhere(received):
            return Answer(307, {"Location": target.url})

        async with receiving(elsewhere) as receiver, delivering(database, ANYWHERE):
            await hook(receiver.url)
            await add()
            await attempted()
    assert target.received == []
    assert await rows() == [("pending", 1, 307, "answered 307: redirects are not followed")]


async def test_an_endless_reply_is_read_only_a_little(database, hook, add, written) -> None:
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += MAX_READ
            yield b"x" * MAX_READ

    async def answering(received):
        return Answer(200, body=endless())

    async with receiving(answering) as receiver, delivering(database, ANYWHERE):
        await hook(receiver.url)
        await add()
        await written("delivered")
        await receiver.left.wait()


@pytest.mark.parametrize("rubbish", [b"\0\xff\r\n\r\n", b"", b"HTTP/1.1 999999 X\r\n\r\n"])
async def test_a_reply_that_is_no_http_is_a_failure_as_any(
    database, hook, add, in_an_hour, attempted, rows, rubbish
) -> None:
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(rubbish)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await hook(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await add()
        async with delivering(database, ANYWHERE):
            await attempted()
    assert await rows("state, attempts, last_status") == [("pending", 1, None)]


async def test_an_event_whose_call_is_kept_no_longer_is_given_up(
    database, hook, add, execute, written, attempted, rows
) -> None:
    async with receiving(statuses(500)) as receiver:
        await hook(receiver.url)
        await add(1)
        async with delivering(database, ANYWHERE):
            await attempted()
        await execute("DELETE FROM calls WHERE id = 1")
        await execute("UPDATE webhook_deliveries SET next_attempt_at = now()")
        await execute("UPDATE webhook_receivers SET due_at = now()")
        async with delivering(database, ANYWHERE):
            await written()
    assert await rows("state, attempts, last_error") == [("failed", 1, sender.NOT_KEPT)]
