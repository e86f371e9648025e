"""Tokens: shown once, and good for what their scopes say."""

import base64

from api.directory.bodies import TOKEN, USER, errors_of


async def test_a_token_works_at_once_is_shown_once_and_ends_when_it_is_revoked(
    anonymous, client, make
):
    made = await make("tokens", **TOKEN)
    own = {"Authorization": f"Bearer {made['token']}"}
    assert (await anonymous.get("/api/v1/users", headers=own)).status_code == 200
    assert made["token"] not in (await client.get("/api/v1/tokens")).text
    await client.delete(f"/api/v1/tokens/{made['id']}")
    assert (await anonymous.get("/api/v1/users", headers=own)).status_code == 401


async def test_a_token_does_only_what_its_scopes_say(anonymous, account, make):
    made = await make("tokens", **TOKEN, scopes=["directory:read"])
    basic = base64.b64encode(f"x:{made['token']}".encode()).decode()
    own = {"Authorization": f"Basic {basic}"}
    assert (await anonymous.get("/api/v1/users", headers=own)).status_code == 200
    for method, path in (
        ("POST", "users"),
        ("DELETE", "users/1"),
        ("GET", "calls"),
        ("GET", "tokens"),
        ("PATCH", "account"),
    ):
        body = USER if method == "POST" else {} if method == "PATCH" else None
        reply = await anonymous.request(method, f"/api/v1/{path}", json=body, headers=own)
        assert reply.status_code == 403
        assert "does not have the scope" in reply.json()["message"]


async def test_a_token_of_an_admin_does_everything(anonymous, account, make):
    made = await make("tokens", **TOKEN, scopes=["admin"])
    own = {"Authorization": f"Bearer {made['token']}"}
    assert (await anonymous.get("/api/v1/tokens", headers=own)).status_code == 200
    call = {"user_id": 1, "contact_id": 1234, "line_id": 1}
    path = "/api/v1/webhook/two-legged-call"
    assert (await anonymous.post(path, json=call, headers=own)).status_code == 202


async def test_values_that_cannot_be_are_refused_by_name(account, client):
    for fields, field in (
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
        ({"token": "mine"}, "token"),
    ):
        reply = await client.post("/api/v1/tokens", json=TOKEN | fields)
        assert list(errors_of(reply)) == [field], fields


async def test_a_time_of_expiry_comes_back_in_utc(account, make):
    made = await make("tokens", **TOKEN, expires_at="2999-01-01T02:00:00+02:00")
    assert made["expires_at"] == "2999-01-01T00:00:00.000Z"
