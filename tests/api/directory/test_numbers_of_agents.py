"""Agents are rung at numbers that the account may call, and at no other."""

import pytest
from api.directory.bodies import USER, errors_of


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("+493012345678", "destination_not_allowed"),
        ("+19005550100", "destination_not_allowed"),
        ("+18552562001", "own_number"),
    ],
)
async def test_one_that_may_not_be_dialled_is_refused(number, reason, account, client):
    await client.patch("/api/v1/account", json={"allowed_countries": ["US"]})
    user = USER | {"phone_number": number}
    fallback = {"fallback": {"phone_number": number}}
    for method, path, body, field in (
        ("POST", "users", user, "phone_number"),
        ("PATCH", "users/1", {"phone_number": number}, "phone_number"),
        ("POST", "ring-groups", {"name": "G"} | fallback, "fallback.phone_number"),
        ("PATCH", "ring-groups/1", fallback, "fallback.phone_number"),
    ):
        reply = await client.request(method, f"/api/v1/{path}", json=body)
        assert (reply.status_code, list(errors_of(reply))) == (422, [field]), path
        assert reply.json()["reason"] == reason


async def test_one_of_an_allowed_country_is_kept_and_can_be_taken_away(account, client):
    await client.patch("/api/v1/account", json={"allowed_countries": ["DE"]})
    for number in ("+493012345678", None):
        reply = await client.patch("/api/v1/users/1", json={"phone_number": number})
        assert (reply.status_code, reply.json()["phone_number"]) == (200, number)
