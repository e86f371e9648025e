"""`Idempotency-Key`: a retried request dials nobody twice."""

import asyncio

import httpx
import psycopg
import pytest

from twoleg.api import create_app
from twoleg.calls import admission_queries
from twoleg.settings import Settings

PATH = "/api/v1/webhook/two-legged-call"
CALL = {"user_id": 1, "contact_id": 1234, "line_id": 1}
COUNT = "SELECT count(*) FROM calls"


def with_key(key="key-1"):
    return {"Idempotency-Key": key}


@pytest.mark.parametrize("path", [PATH, "/api/v1/calls"])
async def test_the_same_request_again_gets_the_first_reply_and_places_no_second_call(
    path, account, client, execute
):
    first = await client.post(path, json=CALL, headers=with_key())
    again = await client.post(path, json=CALL, headers=with_key())
    assert first.status_code == again.status_code == 202
    assert first.content == again.content
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert await execute(COUNT) == [(1,)]


async def test_whatever_is_made_is_made_once(account, client):
    contact = {"phone_number": "+18181270001"}
    replies = [
        await client.post("/api/v1/contacts", json=contact, headers=with_key()) for _ in range(2)
    ]
    assert replies[0].json() == replies[1].json()
    listed = (await client.get("/api/v1/contacts", params=contact)).json()["data"]
    assert len(listed) == 1


async def test_another_request_with_the_key_is_409_that_says_so(account, client, execute):
    await client.post(PATH, json=CALL, headers=with_key())
    other = await client.post(PATH, json=CALL | {"contact_id": None}, headers=with_key())
    assert other.status_code == 409
    assert "another request" in other.json()["message"]
    elsewhere = await client.post("/api/v1/calls", json=CALL, headers=with_key())
    assert elsewhere.status_code == 409
    assert await execute(COUNT) == [(1,)]


async def test_fifty_at_once_place_one_call(account, client, execute):
    replies = await asyncio.gather(
        *(client.post(PATH, json=CALL, headers=with_key()) for _ in range(50))
    )
    codes = {reply.status_code for reply in replies}
    assert codes <= {202, 409}
    assert 202 in codes
    for reply in replies:
        assert reply.status_code == 202 or "under way" in reply.json()["message"]
    assert await execute(COUNT) == [(1,)]


async def test_two_processes_that_are_asked_at_once_place_one_call(
    account, client, database, execute
):
    app = create_app(Settings(), database)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://other", headers=client.headers
        ) as other,
    ):
        replies = await asyncio.gather(
            *(each.post(PATH, json=CALL, headers=with_key()) for each in (client, other) * 10)
        )
        codes = {reply.status_code for reply in replies}
        assert {202} <= codes <= {202, 409}
        again = await other.post(PATH, json=CALL, headers=with_key())
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert await execute(COUNT) == [(1,)]


@pytest.fixture
def breaks_at_commit(monkeypatch):
    """Have admission lose its connection at the commit of the next call: stored, or not stored."""
    place = admission_queries.place

    def set_up(*, stored):
        async def place_and_break(connection, calls, accounts):
            counted = await place(connection, calls, accounts) if stored else []
            if counted and counted[0].id is None:
                # The account's first call: it is counted, and asked again.
                return counted
            monkeypatch.setattr(admission_queries, "place", place)
            await connection.close()
            raise psycopg.OperationalError("the connection is lost")

        monkeypatch.setattr(admission_queries, "place", place_and_break)

    return set_up


@pytest.mark.parametrize("path", [PATH, "/api/v1/calls"])
async def test_a_call_whose_commit_was_not_heard_of_is_not_placed_again(
    path, account, client, execute, breaks_at_commit
):
    breaks_at_commit(stored=True)
    first = await client.post(path, json=CALL, headers=with_key())
    again = await client.post(path, json=CALL, headers=with_key())
    [(call_id,)] = await execute("SELECT id FROM calls")
    assert [first.status_code, again.status_code] == [202, 202]
    assert first.headers["Location"] == again.headers["Location"] == f"/api/v1/calls/{call_id}"
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_call_that_may_still_be_committed_is_looked_for_before_it_is_placed(
    account, client, execute, breaks_at_commit
):
    breaks_at_commit(stored=False)
    assert (await client.post(PATH, json=CALL, headers=with_key())).status_code == 503
    early = await client.post(PATH, json=CALL, headers=with_key())
    assert (early.status_code, "under way" in early.json()["message"]) == (409, True)
    await execute("UPDATE idempotency_keys SET created_at = created_at - interval '21 s'")
    assert (await client.post(PATH, json=CALL, headers=with_key())).status_code == 202
    assert await execute(COUNT) == [(1,)]


async def test_a_call_that_was_stored_before_its_reply_failed_is_found(
    account, client, execute, monkeypatch
):
    async def fail(*_):
        raise psycopg.OperationalError("the connection is lost")

    with monkeypatch.context() as broken:
        broken.setattr("twoleg.api.calls.routes.find_call", fail)
        first = await client.post("/api/v1/calls", json=CALL, headers=with_key())
    again = await client.post("/api/v1/calls", json=CALL, headers=with_key())
    assert [first.status_code, again.status_code] == [202, 202]
    assert await execute(COUNT) == [(1,)]


@pytest.mark.parametrize("path", [PATH, "/api/v1/calls"])
async def test_what_was_certainly_not_stored_may_be_asked_again_at_once(
    path, account, client, execute, monkeypatch
):
    with monkeypatch.context() as full:
        full.setattr("twoleg.calls.admission.MAX_WAITING", 0)
        assert (await client.post(path, json=CALL, headers=with_key())).status_code == 503
    assert (await client.post(path, json=CALL, headers=with_key())).status_code == 202
    assert await execute(COUNT) == [(1,)]


async def test_a_key_is_the_accounts_own(account, add_account, client, execute):
    await client.post(PATH, json=CALL, headers=with_key())
    await add_account("token-of-another")
    headers = with_key() | {"Authorization": "Bearer token-of-another"}
    theirs = await client.post(PATH, json=CALL, headers=headers)
    assert theirs.status_code == 422


async def test_what_was_refused_may_be_asked_again(account, client, execute):
    await execute("UPDATE contacts SET opted_out = true")
    assert (await client.post(PATH, json=CALL, headers=with_key())).status_code == 422
    await execute("UPDATE contacts SET opted_out = false")
    assert (await client.post(PATH, json=CALL, headers=with_key())).status_code == 202


async def test_who_is_not_known_is_told_so(anonymous):
    reply = await anonymous.post(PATH, json=CALL, headers=with_key())
    assert (reply.status_code, reply.json()) == (401, {"message": "Unauthenticated."})


@pytest.mark.parametrize("key", ["", "x" * 256, "a b"])
async def test_a_key_that_cannot_be_kept_is_refused_by_name(key, account, client):
    reply = await client.post(PATH, json=CALL, headers=with_key(key))
    assert reply.status_code == 422
    assert "Idempotency-Key" in reply.json()["errors"]


@pytest.mark.parametrize("path", [PATH, "/api/v1/calls"])
async def test_a_first_request_that_a_crash_cut_short_is_found_again(
    path, account, client, execute
):
    first = await client.post(path, json=CALL, headers=with_key())
    await execute(
        """UPDATE idempotency_keys SET status = NULL, body = NULL,
           created_at = now() - interval '2 minutes'"""
    )
    again = await client.post(path, json=CALL, headers=with_key())
    assert again.status_code == 202
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await execute(COUNT) == [(1,)]


async def test_one_that_came_to_nothing_before_a_crash_is_done(account, client, execute):
    await client.post(PATH, json=CALL, headers=with_key())
    await execute("DELETE FROM calls")
    await execute(
        "UPDATE idempotency_keys SET status = NULL, created_at = now() - interval '2 minutes'"
    )
    again = await client.post(PATH, json=CALL, headers=with_key())
    assert again.status_code == 202
    assert await execute(COUNT) == [(1,)]


async def test_after_a_day_a_key_is_free_again(account, client, execute):
    await client.post(PATH, json=CALL, headers=with_key())
    await execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    await execute("UPDATE calls SET created_at = now() - interval '25 hours'")
    again = await client.post(PATH, json=CALL, headers=with_key())
    assert again.status_code == 202
    assert "Idempotent-Replayed" not in again.headers
    assert await execute(COUNT) == [(2,)]
