"""Webhooks and their deliveries over the API."""

import base64

import pytest

WEBHOOKS = "/api/v1/webhooks"
URL = "https://crm.example.com/twoleg"
SECRET = "/api/v1/account/callback-secret"


@pytest.fixture(autouse=True)
async def no_webhook_yet(account, execute):
    await execute("DELETE FROM webhook_receivers")
    await execute("DELETE FROM webhooks")


@pytest.fixture
async def webhook(client):
    reply = await client.post(WEBHOOKS, json={"url": URL, "events": ["call.ended"]})
    assert reply.status_code == 201, reply.text
    return reply.json()


@pytest.fixture
def deliver(execute):
    """Write deliveries of a webhook as a worker would."""

    async def deliver(webhook_id, *states, type_="call.ended", call_id=None):
        for state in states:
            await execute(
                "INSERT INTO webhook_deliveries (account_id, receiver_id, webhook_id, call_id,"
                " type, message_id, state, attempts, last_status, last_error)"
                " SELECT account_id, id, webhook_id, %s, %s, 'evt_1', %s, 3, 500, 'answered 500'"
                " FROM webhook_receivers WHERE webhook_id = %s",
                *(call_id, type_, state, webhook_id),
            )

    return deliver


async def test_a_webhook_shows_its_secret_once(client, webhook):
    secret = webhook.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert webhook["url"] == URL
    assert webhook["events"] == ["call.ended"]
    assert webhook["active"] is True
    assert webhook["disabled_reason"] is None
    reply = await client.get(f"{WEBHOOKS}/{webhook['id']}")
    assert reply.json() == webhook
    assert (await client.get(WEBHOOKS)).json() == {"data": [webhook], "next_cursor": None}


async def test_webhooks_are_listed_page_by_page(client):
    made = [(await client.post(WEBHOOKS, json={"url": URL})).json()["id"] for _ in range(3)]
    first = (await client.get(WEBHOOKS, params={"limit": 2})).json()
    second = await client.get(WEBHOOKS, params={"limit": 2, "cursor": first["next_cursor"]})
    assert [each["id"] for each in first["data"] + second.json()["data"]] == made


async def test_a_webhook_is_changed_field_by_field(client, webhook):
    path = f"{WEBHOOKS}/{webhook['id']}"
    changed = (await client.patch(path, json={"url": "https://Other.example.com/x"})).json()
    assert (changed["url"], changed["events"]) == ("https://other.example.com/x", ["call.ended"])
    changed = (await client.patch(path, json={"events": []})).json()
    assert changed["events"] == []
    assert (await client.patch(path, json={"active": False})).json()["active"] is False
    assert (await client.patch(path, json={"colour": "green"})).status_code == 422


async def test_one_that_is_switched_on_again_begins_anew(client, webhook, execute):
    await execute("UPDATE webhooks SET active = false, disabled_reason = 'It failed.'")
    await execute("UPDATE webhook_receivers SET failing_since = now()")
    path = f"{WEBHOOKS}/{webhook['id']}"
    shown = (await client.get(path)).json()
    assert (shown["active"], shown["disabled_reason"]) == (False, "It failed.")
    assert shown["failing_since"] is not None
    await client.patch(path, json={"active": True})
    shown = (await client.get(path)).json()
    assert (shown["active"], shown["disabled_reason"]) == (True, None)
    assert shown["failing_since"] is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "url"),
        ({"url": "http://crm.example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://[::ffff:192.168.0.1]/"}, "url"),
        ({"url": "https://user:secret@crm.example.com/"}, "url"),
        ({"url": None}, "url"),
        ({"url": URL, "events": ["everything!"]}, "events"),
        ({"url": URL, "events": "call.ended"}, "events"),
        ({"url": URL, "events": ["call.ended"] * 51}, "events"),
        ({"url": URL, "active": "perhaps"}, "active"),
        ({"url": URL, "secret": "whsec_mine"}, "secret"),
    ],
)
async def test_a_webhook_that_cannot_be_is_refused_by_field(client, execute, fields, field):
    reply = await client.post(WEBHOOKS, json=fields)
    assert reply.status_code == 422
    assert [name.partition(".")[0] for name in reply.json()["errors"]] == [field]
    assert await execute("SELECT count(*) FROM webhooks") == [(0,)]


async def test_a_deleted_webhook_is_gone_and_its_secret_too(client, webhook, execute):
    path = f"{WEBHOOKS}/{webhook['id']}"
    assert (await client.delete(path)).status_code == 204
    for reply in (
        await client.get(path),
        await client.patch(path, json={"active": True}),
        await client.delete(path),
        await client.get(f"{path}/deliveries"),
        await client.post(f"{path}/test"),
        await client.post(f"{path}/rotate-secret"),
    ):
        assert reply.status_code == 404
    assert await execute("SELECT secret, active FROM webhooks") == [("", False)]


async def test_a_rotated_secret_is_a_new_one_and_the_old_one_stays_for_a_day(
    client, webhook, execute
):
    reply = await client.post(f"{WEBHOOKS}/{webhook['id']}/rotate-secret")
    assert reply.status_code == 200
    [(secret, old, hours)] = await execute(
        "SELECT secret, old_secret, extract(hour FROM old_secret_until - now()) FROM webhooks"
    )
    assert reply.json()["secret"] == secret != webhook["secret"] == old
    assert hours == 23


async def test_deliveries_are_listed_newest_first_and_filtered(client, webhook, deliver):
    await deliver(webhook["id"], "delivered", "failed", "pending", call_id=7)
    await deliver(webhook["id"], "delivered", type_="call.bridged")
    path = f"{WEBHOOKS}/{webhook['id']}/deliveries"

    async def states(**params):
        reply = await client.get(path, params=params)
        assert reply.status_code == 200, reply.text
        return [each["state"] for each in reply.json()["data"]]

    assert await states() == ["delivered", "pending", "failed", "delivered"]
    assert await states(state="failed") == ["failed"]
    assert await states(type="call.bridged") == ["delivered"]
    assert await states(call_id=7, limit=2) == ["pending", "failed"]
    page = (await client.get(path, params={"limit": 3})).json()
    assert await states(cursor=page["next_cursor"]) == ["delivered"]
    assert page["data"][2]["last_error"] == "answered 500"
    assert page["data"][2]["next_attempt_at"] is None
    assert page["data"][1]["next_attempt_at"] is not None
    assert (await client.get(path, params={"state": "lost"})).status_code == 422


async def test_a_delivery_is_sent_again_from_its_beginning(client, webhook, deliver, execute):
    await deliver(webhook["id"], "failed")
    path = f"{WEBHOOKS}/{webhook['id']}/deliveries"
    [delivery] = (await client.get(path)).json()["data"]
    reply = await client.post(f"{path}/{delivery['id']}/redeliver")
    assert reply.status_code == 202
    assert (reply.json()["state"], reply.json()["attempts"]) == ("pending", 0)
    assert reply.json()["message_id"] == delivery["message_id"]
    assert await execute("SELECT due_at <= now() FROM webhook_receivers") == [(True,)]
    assert (await client.post(f"{path}/999/redeliver")).status_code == 404
    await client.patch(f"{WEBHOOKS}/{webhook['id']}", json={"active": False})
    assert (await client.post(f"{path}/{delivery['id']}/redeliver")).status_code == 422


async def test_a_test_is_a_delivery_of_its_own(client, webhook):
    path = f"{WEBHOOKS}/{webhook['id']}"
    reply = await client.post(f"{path}/test")
    assert reply.status_code == 202
    delivery = reply.json()
    assert (delivery["type"], delivery["state"]) == ("webhook.test", "pending")
    assert delivery["message_id"].startswith("test_")
    assert (await client.get(f"{path}/deliveries")).json()["data"] == [delivery]


async def test_only_administrators_keep_webhooks(client, webhook, execute):
    await execute("UPDATE tokens SET scopes = '{directory:write,directory:read,calls:write}'")
    for reply in (
        await client.get(WEBHOOKS),
        await client.post(WEBHOOKS, json={"url": URL}),
        await client.get(f"{WEBHOOKS}/{webhook['id']}/deliveries"),
        await client.get(SECRET),
        await client.post(SECRET),
    ):
        assert reply.status_code == 403


async def test_the_callback_secret_is_read_and_replaced(client):
    first = (await client.get(SECRET)).json()["callback_secret"]
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32
    second = (await client.post(SECRET)).json()["callback_secret"]
    assert second != first
    assert (await client.get(SECRET)).json()["callback_secret"] == second


async def test_a_call_may_bring_a_url_of_its_own(client, execute):
    body = {"user_id": 1, "contact_id": 1234, "line_id": 1}
    url = "https://CRM.example.com/calls/7?x=Y"
    reply = await client.post("/api/v1/calls", json=body | {"callback_url": url})
    assert reply.status_code == 202, reply.text
    assert await execute("SELECT callback_url FROM calls") == [
        ("https://crm.example.com/calls/7?x=Y",)
    ]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://crm.example.com/", "must begin with https://."),
        ("https://10.0.0.1/", "must be a public address."),
        (7, "must be a string."),
        ("https://crm.example.com/" + "x" * 2000, ""),
    ],
)
async def test_a_call_with_a_url_that_nothing_may_be_sent_to_is_refused(client, execute, url, why):
    body = {"user_id": 1, "contact_id": 1234, "line_id": 1, "callback_url": url}
    reply = await client.post("/api/v1/calls", json=body)
    assert reply.status_code == 422
    [[error]] = reply.json()["errors"].values()
    assert error.startswith("The callback_url")
    assert error.endswith(why)
    assert await execute("SELECT count(*) FROM calls") == [(0,)]


async def test_what_was_sent_of_a_call_is_listed_its_own_url_included(
    client, webhook, execute, add_account
):
    fields = {"user_id": 1, "contact_id": 1234, "line_id": 1}
    calls = [(await client.post("/api/v1/calls", json=fields)).json()["id"] for _ in range(2)]
    await execute(
        "INSERT INTO webhook_receivers (account_id, origin) VALUES (1, 'https://hook.example.com')"
    )
    await execute(
        "INSERT INTO webhook_deliveries (account_id, receiver_id, webhook_id, url, event_id,"
        " call_id, type, message_id, state) SELECT e.account_id, r.id, r.webhook_id,"
        " CASE WHEN r.webhook_id IS NULL THEN 'https://hook.example.com/1' END, e.id, e.call_id,"
        " e.type, 'evt', CASE WHEN r.webhook_id IS NULL THEN 'failed' ELSE 'delivered' END"
        " FROM call_events e, webhook_receivers r ORDER BY r.id"
    )
    path = f"/api/v1/calls/{calls[0]}/deliveries"
    own, hooks = (await client.get(path)).json()["data"]
    assert (own["url"], own["webhook_id"]) == ("https://hook.example.com/1", None)
    assert (hooks["url"], hooks["webhook_id"]) == (None, webhook["id"])
    assert {own["call_id"], hooks["call_id"]} == {calls[0]}
    page = (await client.get(path, params={"limit": 1})).json()
    page = (await client.get(path, params={"cursor": page["next_cursor"]})).json()
    assert page == {"data": [hooks], "next_cursor": None}
    assert (await client.get(path, params={"state": "failed"})).json()["data"] == [own]
    await add_account("another-token")
    headers = {"Authorization": "Bearer another-token"}
    assert (await client.get(path, headers=headers)).status_code == 404


async def test_only_administrators_see_what_was_sent_of_a_call(client, account, execute):
    fields = {"user_id": 1, "contact_id": 1234, "line_id": 1}
    call = (await client.post("/api/v1/calls", json=fields)).json()
    await execute("UPDATE tokens SET scopes = '{calls:read}'")
    assert (await client.get(f"/api/v1/calls/{call['id']}/deliveries")).status_code == 403
