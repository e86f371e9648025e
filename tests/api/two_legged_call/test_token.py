"""Where a token may stand, and what one that is wrong gets."""

import base64
import json

import pytest
from call_contract import ENOUGH, PATH


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer {token}",
        "bearer {token}",
        "Basic " + base64.b64encode(b"anyone:token-of-the-first-account").decode(),
    ],
)
async def test_it_may_stand_in_the_authorization_header(authorization, account, anonymous):
    headers = {"Authorization": authorization.format(token=account.token)}
    reply = await anonymous.post(PATH, json=ENOUGH, headers=headers)
    assert reply.status_code == 202


async def test_the_query_string_is_looked_at_first_and_then_the_body(account, client):
    body = ENOUGH | {"api_token": account.token}
    good, wrong = {"api_token": account.token}, {"api_token": "wrong"}
    assert (await client.post(PATH, params=good, json=body)).status_code == 202
    assert (await client.post(PATH, params=wrong, json=body)).status_code == 401
    assert (await client.post(PATH, json=ENOUGH | wrong)).status_code == 401


async def test_an_empty_one_is_passed_over(account, client):
    reply = await client.post(f"{PATH}?api_token=", json=ENOUGH | {"api_token": " "})
    assert reply.status_code == 202


@pytest.mark.parametrize(
    "token", [None, "", "unknown", 5, ["x"], {"a": 1}, "\ud800", "\0", "x" * 10_000]
)
async def test_a_missing_or_unknown_one_is_401(token, account, anonymous):
    body = json.dumps(ENOUGH | {"api_token": token})
    headers = {"Content-Type": "application/json"}
    reply = await anonymous.post(PATH, content=body, headers=headers)
    assert (reply.status_code, reply.json()) == (401, {"message": "Unauthenticated."})


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"x").decode(), "Digest x"]
)
async def test_an_authorization_header_that_holds_none_is_401(header, account, anonymous):
    reply = await anonymous.post(PATH, json=ENOUGH, headers={"Authorization": header})
    assert reply.status_code == 401


async def test_it_stops_working_the_moment_it_is_revoked_or_expires(account, client, execute):
    assert (await client.post(PATH, json=ENOUGH)).status_code == 202
    await execute("UPDATE tokens SET expires_at = now()")
    assert (await client.post(PATH, json=ENOUGH)).status_code == 401
    await execute("UPDATE tokens SET expires_at = NULL, deleted_at = now()")
    assert (await client.post(PATH, json=ENOUGH)).status_code == 401


async def test_one_that_may_not_place_calls_is_403(account, client, execute):
    await execute("UPDATE tokens SET scopes = '{calls:read}'")
    reply = await client.post(PATH, json=ENOUGH)
    assert reply.status_code == 403
    assert reply.json() == {"message": "This token does not have the scope calls:write."}
