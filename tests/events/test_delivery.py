"""From a committed event to each receiver: signed, in order, at least once."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from events.receiver import Answer, never, receiving, statuses, taken
from standardwebhooks import WebhookVerificationError

from twoleg.calls.states import Status
from twoleg.events import webhooks
from twoleg.events.addresses import AddressPolicy
from twoleg.events.delivery import (
    delivering,
    outbox,
    queries,
    remove_old_deliveries,
    sender,
    service,
)
from twoleg.events.delivery.connection import MAX_READ
from twoleg.events.delivery.messages import STATUSES

ANYWHERE = AddressPolicy(allow_private=True)


@pytest.fixture
def hook(database, calls):
    """Make a webhook of account 1; returns it and its secret."""

    async def hook(url, *events, account_id=1):
        async with database.connection() as connection:
            return await webhooks.create_webhook(
                connection, account_id, url=url, events=events, active=True
            )

    return hook


@pytest.fixture
def at_once(monkeypatch):
    """What failed is tried again at once."""
    monkeypatch.setattr(sender, "PAUSES_SECONDS", (0,) * len(sender.PAUSES_SECONDS))
    monkeypatch.setattr(service, "POLL_SECONDS", 0.01)


@pytest.fixture
def rows(execute):
    async def rows(columns="state, attempts, last_status, last_error"):
        return await execute(f"SELECT {columns} FROM webhook_deliveries ORDER BY id")

    return rows


@pytest.fixture
def written(rows):
    """Wait until no delivery is pending any more."""

    async def written(state=None):
        async def all_are():
            states = {each for (each,) in await rows("state")}
            return states and (states == {state} if state else "pending" not in states)

        await until(all_are)

    return written


async def until(holds):
    """Wait for what only a look at the database, or at a worker's inside, can tell."""
    while True:
        found = holds()
        if await found if asyncio.iscoroutine(found) else found:
            return
        await asyncio.sleep(0.01)


async def attempted(rows, count=1):
    """Wait until some delivery is there, and each was tried so often."""

    async def all_were():
        made = await rows("attempts")
        return made and all(attempts >= count for (attempts,) in made)

    await until(all_were)


async def test_an_event_is_posted_with_a_signature_that_libraries_accept(
    database, hook, add, execute, written, rows
) -> None:
    await execute("UPDATE calls SET metadata = '{\"ticket\": 7}' WHERE id = 1")
    async with receiving() as receiver, delivering(database, ANYWHERE):
        _, secret = await hook(receiver.url)
        event_id = await add(1, "call.queued")
        [received] = await receiver.until(1)
        await written()
    received.verify(secret)
    with pytest.raises(WebhookVerificationError):
        received.verify(webhooks.make_secret())
    assert received.headers["content-type"] == "application/json"
    assert received.id == f"evt_{event_id}"
    body = received.json
    assert body["type"] == "call.queued"
    data = body["data"]
    assert data["event"] == {"id": event_id}
    assert (data["id"], data["status"], data["sequence"]) == (1, "queued", 1)
    assert data["contact_phone_number"] == "+18181276543"
    assert data["metadata"] == {"ticket": 7}
    assert data["outcome"] is None
    assert await rows("state, attempts, last_status, last_error") == [("delivered", 1, 200, None)]


async def test_the_body_is_the_call_as_it_was_then(database, hook, add, execute) -> None:
    async with receiving() as receiver:
        await hook(receiver.url)
        await add(1, "call.bridged")
        await add(1, "call.note")
        await add(1, "call.ended")
        await execute(
            "UPDATE calls SET ended_at = '2026-01-05T17:01:12.34Z', outcome = 'connected',"
            " status = 'ended', talk_seconds = 61.022 WHERE id = 1"
        )
        async with delivering(database, ANYWHERE):
            bridged, note, ended = (each.json["data"] for each in await receiver.until(3))
    assert [each["status"] for each in (bridged, note, ended)] == ["bridged", "bridged", "ended"]
    assert [each["outcome"] for each in (bridged, note, ended)] == [None, None, "connected"]
    assert ended["talk_seconds"] == 61.022
    assert ended["ended_at"] == "2026-01-05T17:01:12.340Z"


def test_every_status_of_a_call_is_known_here_too() -> None:
    assert {str(status) for status in Status} == STATUSES


async def test_the_events_of_a_call_come_in_their_order_and_calls_side_by_side(
    database, hook, add
) -> None:
    async with receiving() as receiver, delivering(database, ANYWHERE):
        await hook(receiver.url)
        for _ in range(8):
            for call_id in range(1, 6):
                await add(call_id, "call.queued")
        received = await receiver.until(40)
    by_call: dict[int, list[int]] = {}
    for each in received:
        data = each.json["data"]
        by_call.setdefault(data["id"], []).append(data["sequence"])
    assert by_call == {call_id: list(range(1, 9)) for call_id in range(1, 6)}


async def test_one_call_never_has_two_messages_on_their_way(database, hook, add) -> None:
    async with receiving() as receiver:
        await hook(receiver.url)
        for _ in range(10):
            await add(1)
        async with delivering(database, ANYWHERE):
            await receiver.until(10)
    assert receiver.most_at_once == 1


async def test_looking_at_the_log_reads_no_more_with_every_call_that_there_ever_was(
    database, hook, calls, execute
) -> None:
    await hook("http://192.0.2.1/")
    await execute(
        "INSERT INTO calls (id, account_id, source, contact_phone_number, line_phone_number)"
        " SELECT n, 1, 'api', '+18181276543', '+18552562001' FROM generate_series(100, 10100) n"
    )
    await execute(
        "INSERT INTO call_events (account_id, call_id, sequence, type)"
        " SELECT 1, id, n, 'call.queued' FROM calls, generate_series(1, 12) n"
    )
    await execute("ANALYZE calls, call_events, webhooks, webhook_receivers")

    read = {}
    for name, statement in {"look": outbox._LOOK, "fill": outbox._FILL}.items():
        # As it is planned once and for all, whatever the parameters.
        for place, parameter in enumerate(("after", "until", "most"), start=1):
            statement = statement.replace(f"%({parameter})s", f"${place}::bigint")
        async with database.connection() as connection:
            cursor = psycopg.AsyncRawCursor(connection)
            await cursor.execute(f"EXPLAIN (GENERIC_PLAN) {statement}")
            plan = [line for (line,) in await cursor.fetchall()]
        read[name] = [line for line in plan if "Seq Scan on calls" in line]

    assert read == {"look": [], "fill": []}


async def test_only_wanted_types_of_the_own_account_are_sent(database, hook, add) -> None:
    async with receiving() as receiver, receiving() as other, delivering(database, ANYWHERE):
        await hook(receiver.url, "call.ended")
        await hook(other.url, account_id=2)
        await add(1, "call.bridged")
        await add(6, "call.bridged")
        await add(1, "call.ended")
        [ended] = await receiver.until(1)
        [theirs] = await other.until(1)
    assert ended.json["type"] == "call.ended"
    assert theirs.json["data"]["id"] == 6


async def test_what_happened_before_the_webhook_was_made_is_not_sent(database, hook, add) -> None:
    await add()
    async with receiving() as receiver:
        await hook(receiver.url)
        event_id = await add()
        async with delivering(database, ANYWHERE):
            [received] = await receiver.until(1)
    assert received.id == f"evt_{event_id}"


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
    database, hook, add, rows, execute
) -> None:
    async with receiving(statuses(500, 200)) as receiver:
        await hook(receiver.url)
        await add()
        await add()
        async with delivering(database, ANYWHERE):
            await receiver.until(2)
            await attempted(rows)
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
    database, hook, add, rows, monkeypatch
) -> None:
    monkeypatch.setattr("twoleg.events.delivery.posting.TIMEOUT_SECONDS", 0.05)
    async with receiving(never) as dead:
        await hook(dead.url)
        for call_id in range(1, 6):
            await add(call_id)
        async with delivering(database, ANYWHERE) as working:
            await attempted(rows)
            [lane] = working.sender._lanes.values()
            assert lane.at_once == 1
    assert set(await rows()) == {("pending", 1, None, "no reply within 0.05 s")}


async def test_a_receiver_that_is_not_there_is_tried_again_later(
    database, hook, add, rows, execute
) -> None:
    async with receiving() as gone:
        pass
    await hook(gone.url)
    await add()
    async with delivering(database, ANYWHERE):
        await attempted(rows)
    assert await rows() == [("pending", 1, None, "no connection")]
    [(worker, due_in)] = await execute(
        "SELECT worker, extract(epoch FROM due_at - now()) FROM webhook_receivers"
    )
    assert worker is None
    assert 3 < due_in < 7


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
    database, hook, add, rows
) -> None:
    async def busy(received):
        return Answer(429, {"Retry-After": "1000"})

    async with receiving(busy) as receiver, delivering(database, ANYWHERE) as working:
        await hook(receiver.url)
        await add()
        await attempted(rows)
        [lane] = working.sender._lanes.values()
        await until(lambda: lane.idle)
        await add()
        await until(lambda: lane.known)
    assert await rows("attempts, next_attempt_at > now() + interval '900 seconds'") == [
        (1, True),
        (0, False),
    ]
    assert len(receiver.received) == 1


async def test_redirects_are_not_followed(database, hook, add, rows) -> None:
    async with receiving() as target:

        async def elsewhere(received):
            return Answer(307, {"Location": target.url})

        async with receiving(elsewhere) as receiver, delivering(database, ANYWHERE):
            await hook(receiver.url)
            await add()
            await attempted(rows)
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
    database, hook, add, rows, rubbish
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
            await attempted(rows)
    assert await rows("state, attempts, last_status") == [("pending", 1, None)]


async def test_events_without_a_worker_are_sent_once_there_is_one(database, hook, add) -> None:
    async with receiving() as receiver:
        await hook(receiver.url)
        async with delivering(database, ANYWHERE):
            await add()
            await receiver.until(1)
        missed = [await add() for _ in range(3)]
        async with delivering(database, ANYWHERE):
            received = await receiver.until(4)
    assert [each.id for each in received[1:]] == [f"evt_{event_id}" for event_id in missed]


async def test_an_event_that_commits_late_is_sent_too(database, hook, add, uncommitted) -> None:
    async with receiving() as receiver, delivering(database, ANYWHERE):
        await hook(receiver.url)
        async with uncommitted(call_id=2) as (late, writer):
            later = await add()
            await writer.execute("COMMIT")
            received = await receiver.until(2)
    assert {each.id for each in received} == {f"evt_{late}", f"evt_{later}"}


async def test_workers_side_by_side_send_each_message_once(
    database, hook, add, written, rows
) -> None:
    async with AsyncExitStack() as stack:
        receivers = [await stack.enter_async_context(receiving()) for _ in range(4)]
        for receiver in receivers:
            await hook(receiver.url)
        for _ in range(3):
            await stack.enter_async_context(delivering(database, ANYWHERE))
        events = [await add(call_id) for _ in range(5) for call_id in range(1, 6)]
        for receiver in receivers:
            await receiver.until(len(events))
        await written()
    for receiver in receivers:
        assert sorted(each.id for each in receiver.received) == sorted(
            f"evt_{event_id}" for event_id in events
        )


def vanish(monkeypatch) -> None:
    """Let workers end as if they were killed: nothing is written, nothing given back."""

    async def nothing(*_):
        pass

    monkeypatch.setattr(service, "DRAIN_SECONDS", 0)
    monkeypatch.setattr(sender.Sender, "leave", nothing)


async def test_what_a_lost_worker_had_is_sent_by_another_under_the_same_id(
    database, hook, add, execute, written, monkeypatch
) -> None:
    async with receiving(never) as receiver:
        await hook(receiver.url)
        await add()
        with monkeypatch.context() as killed:
            vanish(killed)
            async with delivering(database, ANYWHERE):
                [first] = await receiver.until(1)
        receiver.answering = taken
        [(held,)] = await execute("SELECT leased_until > now() FROM webhook_receivers")
        assert held
        # The lease that it left runs out.
        await execute("UPDATE webhook_receivers SET leased_until = now()")
        async with delivering(database, ANYWHERE):
            _, second = await receiver.until(2)
            await written()
    assert first.id == second.id
    assert first.body == second.body


@pytest.mark.parametrize("seed", range(2))
async def test_workers_that_are_lost_at_any_moment_lose_no_event(
    database, hook, add, execute, monkeypatch, at_once, seed
) -> None:
    monkeypatch.setattr(queries, "LEASE_SECONDS", 0.2)
    monkeypatch.setattr(sender, "LEASE_SECONDS", 0.2)
    vanish(monkeypatch)
    chance = random.Random(seed)

    async def answering(received):
        await asyncio.sleep(0.01 * chance.random())
        return Answer(chance.choice([200, 200, 200, 503]))

    async def come_and_go() -> None:
        while not enough.is_set():
            async with delivering(database, ANYWHERE):
                await asyncio.sleep(0.3 * chance.random())

    events: list[int] = []

    async def write(call_id: int) -> None:
        for _ in range(20):
            events.append(await add(call_id))
            await asyncio.sleep(0.05 * chance.random())

    enough = asyncio.Event()
    async with receiving(answering) as receiver:
        await hook(receiver.url)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(come_and_go())
            await asyncio.gather(*(write(call_id) for call_id in range(1, 6)))
            enough.set()

        async def all_delivered():
            [(count,)] = await execute(
                "SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'"
            )
            return count == len(events)

        async with delivering(database, ANYWHERE):
            await until(all_delivered)
    bodies = {(each.id, each.body) for each in receiver.received}
    assert sorted(id_ for id_, _ in bodies) == sorted(f"evt_{event_id}" for event_id in events)


async def test_a_worker_that_lost_its_receiver_starts_nothing_more(
    database, hook, add, execute, monkeypatch
) -> None:
    monkeypatch.setattr(service, "POLL_SECONDS", 0.01)
    async with receiving() as receiver, delivering(database, ANYWHERE) as working:
        await hook(receiver.url)
        await add()
        await receiver.until(1)
        await execute(
            "UPDATE webhook_receivers SET worker = 'other', leased_until = now() + interval '1 h'"
        )
        working.sender._renew_at = 0.0
        await until(lambda: not working.sender._lanes)
        await add()
        await until(lambda: working.outbox.deliveries == 2)
    assert len(receiver.received) == 1


async def test_the_database_away_for_a_while_loses_nothing(
    database, hook, add, execute, written
) -> None:
    async with receiving() as receiver, delivering(database, ANYWHERE):
        await hook(receiver.url)
        events = [await add()]
        await receiver.until(1)
        await execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        events += [await add() for _ in range(3)]
        await receiver.until(len(events))
        await written("delivered")
    assert {each.id for each in receiver.received} == {f"evt_{event_id}" for event_id in events}


async def test_a_calls_own_callback_url_gets_its_events_signed_by_the_account(
    database, add, execute, written, rows
) -> None:
    async with receiving() as receiver, delivering(database, ANYWHERE):
        await execute("UPDATE calls SET callback_url = %s WHERE id = 2", f"{receiver.url}?c=2")
        await add(1)
        event_id = await add(2)
        [received] = await receiver.until(1)
        await written()
    [(secret,)] = await execute("SELECT callback_secret FROM accounts WHERE id = 1")
    received.verify(secret)
    assert received.path == "/hook?c=2"
    assert received.id == f"evt_{event_id}"
    assert await rows("state, webhook_id") == [("delivered", None)]


async def test_a_test_is_sent_once_also_to_a_webhook_that_is_switched_off(
    database, hook, execute, written, rows
) -> None:
    async with receiving(statuses(500)) as receiver:
        webhook, secret = await hook(receiver.url)
        await execute("UPDATE webhooks SET active = false")
        async with delivering(database, ANYWHERE):
            async with database.connection() as connection:
                delivery = await webhooks.send_test(connection, 1, webhook.id)
            await written()
    [received] = receiver.received
    received.verify(secret)
    assert received.id == delivery.message_id
    assert received.json["type"] == "webhook.test"
    assert received.json["data"] == {"webhook_id": webhook.id}
    assert await rows("state, attempts") == [("failed", 1)]
    [(failing,)] = await execute("SELECT failing_since FROM webhook_receivers")
    assert failing is None


async def test_a_delivery_is_sent_again_when_asked_for(database, hook, add, written) -> None:
    async with receiving() as receiver, delivering(database, ANYWHERE):
        webhook, _ = await hook(receiver.url)
        await add()
        await receiver.until(1)
        await written()
        async with database.connection() as connection:
            [delivery] = await webhooks.list_deliveries(
                connection, 1, webhook.id, before_id=None, limit=10
            )
            await webhooks.send_again(connection, 1, webhook.id, delivery.id)
        first, second = await receiver.until(2)
    assert (first.id, first.body) == (second.id, second.body)


async def test_the_old_secret_signs_too_for_a_while_after_a_rotation(
    database, hook, add, execute
) -> None:
    async with receiving() as receiver, delivering(database, ANYWHERE):
        webhook, old = await hook(receiver.url)
        async with database.connection() as connection:
            _, new = await webhooks.rotate_secret(connection, 1, webhook.id)
        await add()
        [first] = await receiver.until(1)
        await execute("UPDATE webhooks SET old_secret_until = now()")
        await add()
        _, second = await receiver.until(2)
    first.verify(old)
    first.verify(new)
    second.verify(new)
    with pytest.raises(WebhookVerificationError):
        second.verify(old)


async def test_an_event_whose_call_is_kept_no_longer_is_given_up(
    database, hook, add, execute, written, rows
) -> None:
    async with receiving(statuses(500)) as receiver:
        await hook(receiver.url)
        await add(1)
        async with delivering(database, ANYWHERE):
            await attempted(rows)
        await execute("DELETE FROM calls WHERE id = 1")
        await execute("UPDATE webhook_deliveries SET next_attempt_at = now()")
        await execute("UPDATE webhook_receivers SET due_at = now()")
        async with delivering(database, ANYWHERE):
            await written()
    assert await rows("state, attempts, last_error") == [("failed", 1, sender.NOT_KEPT)]


async def test_old_deliveries_are_removed_unless_they_are_to_be_sent(
    database, hook, add, rows, execute
) -> None:
    await hook("http://127.0.0.1:1/")
    await execute(
        "INSERT INTO webhook_deliveries (account_id, receiver_id, webhook_id, type, message_id,"
        " state, created_at) SELECT 1, r.id, r.webhook_id, 'call.ended', 'm', state, now() - age"
        " FROM webhook_receivers r, (VALUES ('delivered', interval '31 days'),"
        " ('failed', '31 days'), ('pending', '31 days'), ('delivered', '29 days')) AS v(state, age)"
    )
    assert await remove_old_deliveries(database, 30) == 2
    assert sorted(await rows("state")) == [("delivered",), ("pending",)]


async def test_hosts_of_callback_urls_are_forgotten_with_their_last_delivery(
    database, calls, execute
) -> None:
    await execute("INSERT INTO webhook_receivers (account_id, origin) VALUES (1, 'a'), (1, 'b')")
    await execute(
        "INSERT INTO webhook_deliveries (account_id, receiver_id, type, message_id, state)"
        " SELECT 1, id, 'call.ended', 'm', 'delivered' FROM webhook_receivers WHERE origin = 'a'"
    )
    await remove_old_deliveries(database, 30)
    assert await execute("SELECT origin FROM webhook_receivers") == [("a",)]


@pytest.mark.parametrize("first", ["fill", "release"])
async def test_a_receiver_that_is_given_back_as_something_new_comes_is_not_forgotten(
    hook, add, execute, connect, first
) -> None:
    await hook("http://127.0.0.1:1/")
    event_id = await add()
    await execute("INSERT INTO webhook_position DEFAULT VALUES")
    await execute("UPDATE webhook_receivers SET due_at = now(), worker = 'we'")
    filling, releasing = await connect(), await connect()
    acts = {
        "fill": lambda: filling.execute(outbox._FILL, {"after": 0, "until": event_id}),
        "release": lambda: queries.release(releasing, "we", [1]),
    }
    one, other = (filling, releasing) if first == "fill" else (releasing, filling)
    second = "release" if first == "fill" else "fill"
    await one.execute("BEGIN")
    await acts[first]()
    waiting = asyncio.create_task(acts[second]())

    async def blocked():
        return await execute(
            "SELECT pid FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
            other.info.backend_pid,
        )

    await until(blocked)
    await one.execute("COMMIT")
    await waiting
    assert await execute("SELECT due_at <= now() FROM webhook_receivers") == [(True,)]


async def test_what_is_logged_has_no_secret_in_it(
    database, hook, add, rows, capsys, caplog
) -> None:
    async with receiving(statuses(500)) as receiver:
        _, secret = await hook(f"{receiver.url}?token=hidden")
        await add()
        async with delivering(database, ANYWHERE):
            await attempted(rows)
    told = "".join(capsys.readouterr()) + caplog.text + json.dumps(await rows(), default=str)
    assert secret not in told
    assert "hidden" not in told
