"""The contract: its vectors as they stand in the shared file."""

import json

import pytest
from call_contract import ACCEPTED, CONTRACT, ENOUGH, PATH, with_token


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[each["name"] for each in cases])


@named(CONTRACT["accepted"]["requests"])
async def test_a_request_of_the_contract_is_accepted(case, account, anonymous, execute):
    reply = await anonymous.request(
        CONTRACT["method"],
        PATH,
        json=with_token(case["body"], account.token),
        headers={"Accept": "application/json"},
    )
    assert reply.status_code == CONTRACT["accepted"]["status"]
    assert reply.json() == CONTRACT["accepted"]["body"]
    [(call_id, status)] = await execute("SELECT id, status FROM calls")
    assert status == "queued"
    assert reply.headers["Location"] == f"/api/v1/calls/{call_id}"


@named(CONTRACT["accepted"]["requests"])
@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
async def test_a_request_of_the_contract_is_accepted_as_a_form(case, form, account, anonymous):
    fields = {name: str(value) for name, value in with_token(case["body"], account.token).items()}
    body = {"data": fields}
    if form == "multipart":
        body = {"files": {name: (None, value) for name, value in fields.items()}}
    reply = await anonymous.post(PATH, **body)
    assert (reply.status_code, reply.json()) == ACCEPTED


@named(CONTRACT["rejected"]["cases"])
async def test_a_request_of_the_contract_is_rejected(case, account, anonymous):
    reply = await anonymous.post(PATH, json=with_token(case["request"], account.token))
    assert reply.status_code == CONTRACT["rejected"]["status"]
    # The order of the fields counts too.
    assert reply.text == json.dumps(case["body"], separators=(",", ":"))


async def test_what_was_accepted_is_stored_as_asked(account, client, execute):
    body = ENOUGH | {"ring_group_id": "1", "user_phone_number": "(818) 123-4567"}
    await client.post(PATH, json=body)
    assert await execute(
        "SELECT source, user_id, ring_group_id, contact_id, line_id, user_phone_number,"
        " contact_phone_number, line_phone_number, sequence FROM calls"
    ) == [
        ("webhook", 1, 1, 1234, 1, "+18181234567", "+18181276544", "+18552562001", 1),
    ]
    events = "SELECT sequence, type FROM call_events WHERE call_id > 0"
    assert await execute(events) == [(1, "call.queued")]
