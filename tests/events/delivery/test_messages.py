"""From a committed event to each receiver: what is sent, signed and in order."""

from __future__ import annotations

import json

import pytest
from events.receiver import ANYWHERE, receiving, statuses
from standardwebhooks import WebhookVerificationError

from twoleg.calls.states import Status
from twoleg.events import webhooks
from twoleg.events.delivery import delivering
from twoleg.events.delivery.messages import STATUSES


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


async def test_what_is_logged_has_no_secret_in_it(
    database, hook, add, attempted, rows, capsys, caplog
) -> None:
    async with receiving(statuses(500)) as receiver:
        _, secret = await hook(f"{receiver.url}?token=hidden")
        await add()
        async with delivering(database, ANYWHERE):
            await attempted()
    told = "".join(capsys.readouterr()) + caplog.text + json.dumps(await rows(), default=str)
    assert secret not in told
    assert "hidden" not in told
