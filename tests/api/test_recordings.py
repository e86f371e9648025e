"""Recordings over HTTP: heard by token and by link, paused, and removed."""

import time

import httpx
import pytest
from call_contract import ENOUGH

PATH = "/api/v1/calls"
AUDIO = b"".join(number.to_bytes(2, "big") for number in range(514))


@pytest.fixture
def recorded(account, client, app, execute, tmp_path):
    """Place a call, and give it a recording of that state; returns the call's id."""

    async def run(state="ready", audio=AUDIO):
        call_id = (await client.post(PATH, json=ENOUGH)).json()["id"]
        [(account_id,)] = await execute("SELECT account_id FROM calls WHERE id = %s", call_id)
        key = None
        if state == "ready":
            key = f"{account_id}/{call_id}.wav"
            (tmp_path / "made").write_bytes(audio)
            await app.state.objects.adopt(tmp_path / "made", key)
        await execute(
            "INSERT INTO recordings (account_id, call_id, state, seconds, bytes, object_key)"
            " VALUES (%s, %s, %s, 12.5, %s, %s)",
            account_id,
            call_id,
            state,
            len(audio),
            key,
        )
        return call_id

    return run


@pytest.fixture
async def stranger(app, add_account):
    other = await add_account("token-of-the-other-account")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://twoleg.test",
        headers={"Authorization": f"Bearer {other.token}"},
    ) as client:
        yield client


@pytest.fixture
async def anybody(app):
    """A client without a token."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://twoleg.test"
    ) as client:
        yield client


async def recording_of(client, call_id):
    return (await client.get(f"{PATH}/{call_id}")).json()["recording"]


async def test_the_call_shows_its_recording_and_a_link_that_needs_no_token(
    recorded, client, anybody
):
    call_id = await recorded()
    shown = await recording_of(client, call_id)
    assert (shown["state"], shown["seconds"], shown["failure"]) == ("ready", 12.5, None)
    assert shown["url"].startswith(f"http://twoleg.test{PATH}/{call_id}/recording.wav?")
    reply = await anybody.get(shown["url"])
    assert reply.status_code == 200
    assert reply.content == AUDIO
    assert reply.headers["Content-Type"] == "audio/wav"
    assert reply.headers["Content-Length"] == str(len(AUDIO))
    assert reply.headers["Cache-Control"] == "private, no-store"
    listed = (await client.get(PATH)).json()["data"][0]["recording"]
    assert listed["state"] == "ready"


async def test_with_a_token_it_is_heard_without_a_link(recorded, client):
    call_id = await recorded()
    reply = await client.get(f"{PATH}/{call_id}/recording")
    assert reply.content == AUDIO


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        ("bytes=0-3", 206, AUDIO[:4]),
        ("bytes=4-", 206, AUDIO[4:]),
        ("bytes=-10", 206, AUDIO[-10:]),
        ("bytes=1000-999999", 206, AUDIO[1000:]),
        ("bytes=-999999", 206, AUDIO),
        ("bytes=5-4", 200, AUDIO),
        ("bytes=0-1,4-5", 200, AUDIO),
        ("bytes=" + "9" * 400 + "-", 200, AUDIO),
        ("bytes=-", 200, AUDIO),
        ("seconds=1-2", 200, AUDIO),
        ("bytes=٣-4", 200, AUDIO),
    ],
)
async def test_a_part_is_given_where_a_range_asks_for_it(recorded, client, wanted, status, part):
    call_id = await recorded()
    headers = {"Range": wanted.encode()}
    reply = await client.get(f"{PATH}/{call_id}/recording", headers=headers)
    assert reply.status_code == status
    assert reply.content == part
    assert reply.headers["Accept-Ranges"] == "bytes"
    if status == 206:
        first = AUDIO.index(part) if part != AUDIO else 0
        last = first + len(part) - 1
        assert reply.headers["Content-Range"] == f"bytes {first}-{last}/{len(AUDIO)}"


@pytest.mark.parametrize("wanted", [f"bytes={len(AUDIO)}-", "bytes=-0"])
async def test_a_part_behind_the_end_is_not_to_be_had(recorded, client, wanted):
    call_id = await recorded()
    reply = await client.get(f"{PATH}/{call_id}/recording", headers={"Range": wanted})
    assert reply.status_code == 416
    assert reply.headers["Content-Range"] == f"bytes */{len(AUDIO)}"
    assert "message" in reply.json()


async def test_a_link_that_was_changed_is_forged(recorded, client, anybody):
    call_id, other_id = await recorded(), await recorded()
    url = (await recording_of(client, call_id))["url"]
    assert (await anybody.get(url)).status_code == 200
    expires = httpx.URL(url).params["expires"]
    for forged in (
        url.replace(f"/{call_id}/", f"/{other_id}/"),
        url.replace(expires, str(int(expires) + 1)),
        url[:-1] + ("A" if url[-1] != "A" else "Q") * 2,
        url.partition("?")[0],
        f"{url.partition('&')[0]}&signature=%C3%A9",
        f"{PATH}/{10**12}/recording.wav?expires={expires}&signature=x",
    ):
        reply = await anybody.get(forged)
        assert reply.status_code == 403
        assert reply.json() == {"message": "This link is not valid."}


async def test_a_link_expires(recorded, client, anybody, monkeypatch):
    call_id = await recorded()
    url = (await recording_of(client, call_id))["url"]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3602)
    reply = await anybody.get(url)
    assert reply.status_code == 403
    assert reply.json() == {"message": "This link has expired."}


async def test_nothing_of_it_is_there_for_another_account(recorded, stranger):
    call_id = await recorded()
    going_on = await recorded("recording")
    assert (await stranger.get(f"{PATH}/{call_id}/recording")).status_code == 404
    assert (await stranger.delete(f"{PATH}/{call_id}/recording")).status_code == 404
    for action in ("pause", "resume"):
        reply = await stranger.post(f"{PATH}/{going_on}/recording/{action}")
        assert reply.status_code == 404


@pytest.mark.parametrize("state", ["recording", "finalising", "failed", "deleted"])
async def test_what_cannot_be_heard_has_no_link(recorded, client, state):
    call_id = await recorded(state)
    shown = await recording_of(client, call_id)
    assert (shown["state"], shown["url"], shown["expires_at"]) == (state, None, None)
    assert (await client.get(f"{PATH}/{call_id}/recording")).status_code == 404


async def test_a_removed_recording_is_no_longer_heard_by_its_link(
    recorded, client, anybody, execute
):
    call_id = await recorded()
    url = (await recording_of(client, call_id))["url"]
    assert (await client.delete(f"{PATH}/{call_id}/recording")).status_code == 204
    assert (await anybody.get(url)).status_code == 404
    assert (await client.delete(f"{PATH}/{call_id}/recording")).status_code == 404
    assert await execute("SELECT state, deleted_at IS NULL FROM recordings") == [("deleted", False)]


async def test_a_pause_is_asked_of_the_engine(recorded, client, execute):
    call_id = await recorded("recording")
    for action, wanted in (("pause", True), ("resume", False)):
        reply = await client.post(f"{PATH}/{call_id}/recording/{action}")
        assert reply.status_code == 202
        assert reply.json()["state"] == "recording"
        assert await execute("SELECT pause_wanted FROM recordings") == [(wanted,)]


async def test_what_is_over_is_not_paused(recorded, client):
    call_id = await recorded("finalising")
    reply = await client.post(f"{PATH}/{call_id}/recording/pause")
    assert reply.status_code == 409
    assert reply.json() == {"message": "The call is not being recorded."}
    assert (await client.post(f"{PATH}/{call_id}/recording/burn")).status_code in (404, 422)


async def test_an_object_that_is_gone_is_not_found(recorded, client, app, execute):
    call_id = await recorded()
    [(key,)] = await execute("SELECT object_key FROM recordings")
    await app.state.objects.delete(key)
    assert (await client.get(f"{PATH}/{call_id}/recording")).status_code == 404


async def test_a_call_may_ask_to_be_recorded(account, client, execute):
    for record in (True, False):
        assert (await client.post(PATH, json=ENOUGH | {"record": record})).status_code == 202
    assert await execute("SELECT options FROM calls ORDER BY id") == [
        ({"record": True},),
        ({"record": False},),
    ]


async def test_the_account_says_who_is_recorded_and_who_hears_of_it(account, client):
    change = {"recording": "always", "recording_announcement": "contact"}
    reply = await client.patch("/api/v1/account", json=change)
    assert change.items() <= reply.json().items()
    reply = await client.patch("/api/v1/account", json={"recording_announcement": "whisper"})
    assert reply.status_code == 422
