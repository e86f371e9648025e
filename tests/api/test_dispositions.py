"""What people say that a call came to: from the account's list, and told as every event is."""

import pytest

CALL = {"user_id": 1, "contact_id": 1234, "line_id": 1}
PATH = "/api/v1/calls"
LIST = ["Sale", "No interest"]


@pytest.fixture
async def place(account, client):
    await client.patch("/api/v1/account", json={"dispositions": LIST})

    async def place():
        reply = await client.post(PATH, json=CALL)
        assert reply.status_code == 202, reply.text
        return f"{PATH}/{reply.json()['id']}"

    return place


@pytest.fixture
def run(execute):
    """Have an engine with a call, as after its claim."""

    async def run():
        await execute(
            "WITH made AS (INSERT INTO engines (name) VALUES ('one') RETURNING id)"
            " UPDATE calls SET engine_id = made.id FROM made"
        )

    return run


END = (
    "UPDATE calls SET status = 'ended', outcome = 'connected', ended_by = 'agent',"
    " ended_at = now(), sequence = sequence + 1"
)


def told(call):
    return [
        {name: value for name, value in event.items() if name != "at"}
        for event in call["events"]
        if event["type"] == "call.disposition_set"
    ]


async def test_an_account_keeps_its_own_list(account, client):
    reply = await client.patch("/api/v1/account", json={"dispositions": [" Sale ", "No interest"]})
    assert reply.json()["dispositions"] == LIST
    assert (await client.get("/api/v1/account")).json()["dispositions"] == LIST


@pytest.mark.parametrize(
    "dispositions", [None, "Sale", ["Sale", "Sale"], [""], ["x" * 81], ["x"] * 101, ["\0"]]
)
async def test_a_list_that_cannot_be_is_refused(dispositions, account, client):
    reply = await client.patch("/api/v1/account", json={"dispositions": dispositions})
    assert reply.status_code == 422
    assert next(iter(reply.json()["errors"])).startswith("dispositions")


async def test_what_a_call_came_to_is_said_afterwards(client, place, execute):
    path = await place()
    await execute(END)
    before = (await client.get(path)).json()
    said = {"disposition": "Sale", "notes": "Wants an invoice."}
    reply = await client.patch(path, json=said)
    assert reply.status_code == 200
    call = reply.json()
    [event] = told(call)
    assert event == said | {"type": "call.disposition_set", "sequence": 3}
    assert call == before | said | {"events": call["events"]}


async def test_a_call_that_nobody_said_anything_of_has_no_disposition(client, place, execute):
    path = await place()
    await execute(END)
    call = (await client.get(path)).json()
    assert (call["disposition"], call["notes"]) == (None, None)


async def test_what_is_not_on_the_list_is_refused_with_the_list(client, place):
    path = await place()
    reply = await client.patch(path, json={"disposition": "sale"})
    assert reply.status_code == 422
    [text] = reply.json()["errors"]["disposition"]
    assert text == "The disposition must be one of the account's: Sale, No interest."
    await client.patch("/api/v1/account", json={"dispositions": []})
    reply = await client.patch(path, json={"disposition": "Sale"})
    assert "PATCH /account" in reply.json()["errors"]["disposition"][0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"notes": "x" * 2001}, "notes"),
        ({"notes": "\0"}, "notes"),
        ({"disposition": 5}, "disposition"),
        ({"outcome": "connected"}, "outcome"),
    ],
)
async def test_a_change_that_cannot_be_is_refused_by_name(body, field, client, place):
    reply = await client.patch(await place(), json=body)
    assert reply.status_code == 422
    assert list(reply.json()["errors"]) == [field]


async def test_it_is_taken_back_with_null_and_the_same_again_is_no_event(client, place):
    path = await place()
    for body in ({"disposition": "Sale"}, {"disposition": "Sale"}, {}, {"disposition": None}):
        call = (await client.patch(path, json=body)).json()
    assert [event["disposition"] for event in told(call)] == ["Sale", None]
    assert [event["sequence"] for event in call["events"]] == [1, 2, 3]


async def test_what_the_list_has_no_more_stays_said(client, place):
    path = await place()
    await client.patch(path, json={"disposition": "Sale"})
    await client.patch("/api/v1/account", json={"dispositions": ["Other"]})
    call = (await client.patch(path, json={"notes": "Paid."})).json()
    assert (call["disposition"], call["notes"]) == ("Sale", "Paid.")


async def test_calls_are_filtered_by_it(client, place):
    sold, other = await place(), await place()
    await client.patch(sold, json={"disposition": "Sale"})
    await client.patch(other, json={"disposition": "No interest"})
    found = (await client.get(PATH, params={"disposition": "Sale"})).json()["data"]
    assert [f"{PATH}/{call['id']}" for call in found] == [sold]


async def test_anothers_call_is_not_found(client, place, add_account):
    path = await place()
    await add_account("another-token")
    headers = {"Authorization": "Bearer another-token"}
    assert (await client.patch(path, json={"notes": "x"}, headers=headers)).status_code == 404
    assert (await client.patch(f"{PATH}/99", json={"notes": "x"})).status_code == 404


async def test_what_its_engine_did_not_tell_is_told_as_the_call_ends(client, place, run, execute):
    path = await place()
    await run()
    await client.patch(path, json={"disposition": "No interest"})
    call = (await client.patch(path, json={"disposition": "Sale"})).json()
    # Its engine counts the events, and was told.
    assert (call["disposition"], told(call)) == ("Sale", [])
    await execute(END)
    call = (await client.get(path)).json()
    [event] = told(call)
    assert (event["disposition"], event["sequence"]) == ("Sale", 3)
    await client.patch(path, json={"disposition": None})
    assert (await execute("SELECT sequence FROM calls")) == [(4,)]
