"""Calls by the native API: placed, listed, read, hung up."""

import pytest
from call_contract import ENOUGH

from twoleg.api.pages import cursor_after

PATH = "/api/v1/calls"


@pytest.fixture
def end(execute):
    """End a call as an engine would, with a leg of each role."""

    async def run(call_id, outcome="connected"):
        await execute(
            "INSERT INTO legs (call_id, position, role, user_id, to_uri, started_at, answered_at,"
            " ended_at, sip_status, q850_cause, reason, codec, quality) VALUES"
            " (%s, 0, 'agent', 1, 'sip:alice@192.0.2.10', now(), now(), now(), 200, 16,"
            " 'Normal call clearing', 'PCMU', '{\"packets_lost\": 0}'),"
            " (%s, 1, 'contact', NULL, 'sip:+1818@192.0.2.1', now(), NULL, now(), 486, 17,"
            " 'Busy Here', NULL, NULL)",
            call_id,
            call_id,
        )
        await execute(
            "UPDATE calls SET status = 'ended', outcome = %s, ended_by = 'contact',"
            " ended_at = now(), talk_seconds = 61.022 WHERE id = %s",
            outcome,
            call_id,
        )

    return run


async def place(client, **fields):
    reply = await client.post(PATH, json=ENOUGH | fields)
    assert reply.status_code == 202, reply.text
    return reply.json()


async def test_a_call_comes_back_as_it_was_stored(account, client):
    reply = await client.post(
        PATH,
        json=ENOUGH | {"metadata": {"ticket": "4711"}, "ring_seconds": {"agent": 25}},
    )
    call = reply.json()
    assert reply.headers["Location"] == f"{PATH}/{call['id']}"
    assert call["status"] == "queued"
    assert call["metadata"] == {"ticket": "4711"}
    assert (call["legs"], call["recording"], call["outcome"]) == ([], None, None)
    [event] = call["events"]
    assert (event["type"], event["sequence"]) == ("call.queued", 1)
    assert event["at"] == call["created_at"]
    assert call["created_at"].endswith("Z")
    assert (await client.get(f"{PATH}/{call['id']}")).json() == call


async def test_options_are_kept_for_the_engine(account, client, execute):
    options = {"ring_seconds": {"agent": 25, "contact": 45}, "max_seconds": 600, "screen": True}
    options |= {"max_wait_seconds": 30, "first": "contact", "detect_machine": "hang_up"}
    await place(client, **options)
    assert await execute("SELECT source, options FROM calls") == [("api", options)]


async def test_a_call_that_may_wait_is_not_refused_because_its_user_is_away(
    account, client, execute
):
    await execute("UPDATE users SET availability = 'away'")
    for wait in ({}, {"max_wait_seconds": 0}):
        assert (await client.post(PATH, json=ENOUGH | wait)).json()["reason"] == "user_inactive"
    reply = await client.post(PATH, json=ENOUGH | {"max_wait_seconds": 30})
    assert reply.status_code == 202


async def test_a_call_that_may_wait_is_not_refused_because_everybody_is_away(
    account, client, execute
):
    await execute("UPDATE users SET availability = 'away'")
    group = {"ring_group_id": 1, "contact_id": 1234, "line_id": 1}
    assert (await client.post(PATH, json=group)).json()["reason"] == "no_agent_available"
    reply = await client.post(PATH, json=group | {"max_wait_seconds": 30})
    assert reply.status_code == 202


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ring_seconds": {"agent": 0}}, "ring_seconds.agent"),
        ({"ring_seconds": {"agnet": 5}}, "ring_seconds.agnet"),
        ({"ring_seconds": 5}, "ring_seconds"),
        ({"max_seconds": 10**6}, "max_seconds"),
        ({"metadata": {"a": "x" * 9000}}, "metadata"),
        ({"metadata": [1]}, "metadata"),
        ({"record": "loudly"}, "record"),
        ({"first": "nobody"}, "first"),
        ({"detect_machine": True}, "detect_machine"),
        ({"detect_machine": "beep"}, "detect_machine"),
        ({"colour": "red"}, "colour"),
        ({"user_id": 99}, "user_id"),
    ],
)
async def test_an_option_that_cannot_be_is_refused_by_name(fields, field, account, client, execute):
    reply = await client.post(PATH, json=ENOUGH | fields)
    assert reply.status_code == 422
    assert list(reply.json()["errors"]) == [field]
    assert await execute("SELECT count(*) FROM calls") == [(0,)]


async def test_the_record_has_both_legs_and_every_event(account, client, execute, end):
    call = await place(client)
    await end(call["id"])
    ended = (await client.get(f"{PATH}/{call['id']}")).json()
    assert (ended["status"], ended["outcome"], ended["ended_by"]) == (
        "ended",
        "connected",
        "contact",
    )
    assert ended["talk_seconds"] == 61.022
    agent, contact = ended["legs"]
    assert (agent["role"], agent["answered"], agent["sip_status"]) == ("agent", True, 200)
    assert agent["quality"] == {"packets_lost": 0}
    assert (contact["role"], contact["answered"], contact["q850_cause"]) == ("contact", False, 17)


async def test_calls_are_listed_newest_first_in_pages(account, client):
    ids = [(await place(client))["id"] for _ in range(5)]
    seen, cursor = [], None
    for _ in range(3):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(PATH, params=query)).json()
        seen += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert seen == ids[::-1]


async def test_a_list_is_filtered(account, client, end):
    busy, waiting = await place(client), await place(client, ring_group_id=1)
    await end(busy["id"], "contact_busy")
    number = "+18181276544"
    for query, ids in (
        ({"status": "queued"}, [waiting["id"]]),
        ({"outcome": "contact_busy"}, [busy["id"]]),
        ({"answered_by": "machine"}, []),
        ({"ring_group_id": "1"}, [waiting["id"]]),
        ({"user_id": 1}, [waiting["id"], busy["id"]]),
        ({"user_id": 2}, []),
        ({"contact_id": 1234, "line_id": 1}, [waiting["id"], busy["id"]]),
        ({"phone_number": number}, [waiting["id"], busy["id"]]),
        ({"phone_number": "+18181276545"}, []),
        ({"created_from": waiting["created_at"]}, [waiting["id"]]),
        ({"created_to": busy["created_at"]}, []),
    ):
        listed = (await client.get(PATH, params=query)).json()["data"]
        assert [each["id"] for each in listed] == ids, query


@pytest.mark.parametrize(
    "query",
    [
        {"user_id": "x"},
        {"status": "over"},
        {"outcome": "conected"},
        {"created_from": "yesterday"},
        {"created_from": "2026-01-01T00:00:00"},
        {"phone_number": "abc"},
        {"limit": "-1"},
        {"cursor": "?"},
        {"cursor": ""},
        {"cursor": cursor_after(7)},
        {"cursor": cursor_after(2**63 - 1, 7)},
        {"cursor": cursor_after(0, 2**64 - 1)},
        {"cursor": "A" * 4000},
    ],
)
async def test_a_filter_that_cannot_be_is_refused_by_name(query, account, client):
    reply = await client.get(PATH, params=query)
    assert reply.status_code == 422
    assert list(reply.json()["errors"]) == list(query)


async def test_a_call_that_nobody_has_is_ended_at_once_by_delete(account, client):
    call = await place(client)
    for _ in range(2):
        reply = await client.delete(f"{PATH}/{call['id']}")
        assert reply.status_code == 202
        ended = reply.json()
        assert (ended["status"], ended["outcome"], ended["ended_by"]) == (
            "ended",
            "canceled",
            "api",
        )
    assert [each["type"] for each in ended["events"]] == ["call.queued", "call.ended"]
    assert [each["sequence"] for each in ended["events"]] == [1, 2]


async def test_the_engine_that_has_a_call_is_asked_to_hang_up_by_delete(account, client, execute):
    call = await place(client)
    await execute(
        "WITH made AS (INSERT INTO engines (name) VALUES ('one') RETURNING id)"
        " UPDATE calls SET engine_id = made.id, status = 'agent_ringing' FROM made"
    )
    reply = await client.delete(f"{PATH}/{call['id']}")
    assert (reply.status_code, reply.json()["status"]) == (202, "agent_ringing")
    assert await execute("SELECT hangup_requested_at IS NOT NULL FROM calls") == [(True,)]


async def test_a_call_that_has_ended_stays_as_it_was_under_delete(account, client, end):
    call = await place(client)
    await end(call["id"])
    before = (await client.get(f"{PATH}/{call['id']}")).json()
    reply = await client.delete(f"{PATH}/{call['id']}")
    assert (reply.status_code, reply.json()) == (202, before)
