"""`twoleg webhooks`, over HTTP."""

from __future__ import annotations

REFUSED = 65
DELIVERY = {
    "id": 7,
    "type": "call.ended",
    "call_id": 81,
    "state": "failed",
    "attempts": 11,
    "last_status": 500,
    "last_error": "answered 500",
    "created_at": "2026-01-05T17:00:00.000Z",
}


def test_a_webhook_is_made_and_its_secret_shown(twoleg, api) -> None:
    api.on(
        "POST /webhooks", {"id": 3, "url": "https://x.example/", "secret": "whsec_x"}, status=201
    )

    ended = twoleg("webhooks", "create", "url=https://x.example/", 'events:=["call.ended"]')

    assert ended.exit_code == 0
    assert "whsec_x" in ended.out
    assert api.asked[0].body == {"url": "https://x.example/", "events": ["call.ended"]}


def test_deliveries_are_listed_with_what_became_of_them(twoleg, api) -> None:
    api.on(
        "GET /webhooks/3/deliveries?state=failed&limit=50",
        {"data": [DELIVERY], "next_cursor": None},
    )

    ended = twoleg("webhooks", "deliveries", "3", "state=failed")

    assert ended.exit_code == 0
    for word in ("call.ended", "81", "failed", "answered 500"):
        assert word in ended.out


def test_a_delivery_is_sent_again(twoleg, api) -> None:
    api.on("POST /webhooks/3/deliveries/7/redeliver", DELIVERY | {"state": "pending"}, status=202)

    ended = twoleg("webhooks", "redeliver", "3", "7", "--json")

    assert ended.json["state"] == "pending"


def test_a_test_is_sent_and_a_secret_rotated(twoleg, api) -> None:
    api.on("POST /webhooks/3/test", DELIVERY | {"type": "webhook.test"}, status=202)
    api.on("POST /webhooks/3/rotate-secret", {"id": 3, "secret": "whsec_new"})

    assert twoleg("webhooks", "test", "3", "--json").json["type"] == "webhook.test"
    assert "whsec_new" in twoleg("webhooks", "rotate-secret", "3").out


def test_what_the_service_refuses_is_told(twoleg, api) -> None:
    errors = {"url": ["The url must begin with https://."]}
    api.on("POST /webhooks", {"message": "Invalid.", "errors": errors}, status=422)

    ended = twoleg("webhooks", "create", "url=http://x.example/")

    assert ended.exit_code == REFUSED
    assert "The url must begin with https://." in ended.err
