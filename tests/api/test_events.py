"""The event stream as its clients have it: over HTTP, with a token, resumed by id."""

import asyncio
import json
import socket
from contextlib import aclosing, asynccontextmanager, nullcontext

import httpx
import pytest
import uvicorn

from twoleg.api import create_app
from twoleg.api.events import reply
from twoleg.settings import Settings

EVENTS = "/api/v1/events"


class Server(uvicorn.Server):
    def capture_signals(self):
        return nullcontext()


@asynccontextmanager
async def serving(app):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            app.state.event_stream.close()
            server.should_exit = True
            await task


@asynccontextmanager
async def browser(url, token):
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
async def url(app):
    async with serving(app) as url:
        yield url


@pytest.fixture
async def client(url, account):
    async with browser(url, account.token) as client:
        yield client


class Events:
    """Reads what an EventSource would; `id` is what it would resume from."""

    def __init__(self, lines):
        self._lines = lines
        self.id = None
        self.over = False

    async def next(self):
        """Return the next event; None after a heartbeat, nothing in it at the end."""
        fields = {}
        async for line in self._lines:
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif fields.keys() != {"retry"}:
                self.id = fields.get("id", self.id)
                if "data" not in fields:
                    return None
                event = json.loads(fields["data"])
                assert (fields["id"], fields["event"]) == (str(event["id"]), event["type"])
                return event
            else:
                fields = {}
        self.over = True
        return {}


@asynccontextmanager
async def stream(client, headers=None, **params):
    async with (
        client.stream("GET", EVENTS, params=params, headers=headers) as response,
        aclosing(response.aiter_lines()) as lines,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        yield Events(lines)


async def place(client):
    body = {"user_id": 1, "contact_id": 1234, "line_id": 1}
    reply = await client.post("/api/v1/calls", json=body)
    assert reply.status_code == 202
    return reply.json()["id"]


async def test_a_call_is_followed_as_it_goes(client):
    async with stream(client) as events:
        assert await events.next() is None
        call_id = await place(client)
        queued = await events.next()
        assert (await client.delete(f"/api/v1/calls/{call_id}")).status_code == 202
        ended = await events.next()
    record = (await client.get(f"/api/v1/calls/{call_id}")).json()
    for event, of_record in zip((queued, ended), record["events"], strict=True):
        assert event["call_id"] == call_id
        assert {name: event[name] for name in ("type", "at", "sequence")} == {
            name: of_record[name] for name in ("type", "at", "sequence")
        }
    assert (queued["sequence"], ended["sequence"]) == (1, 2)
    assert ended["data"] == {"outcome": "canceled", "ended_by": "api"}


@pytest.mark.parametrize("by_header", [True, False])
async def test_a_stream_is_resumed_behind_its_last_id_also_at_another_process(
    client, account, database, by_header
):
    async with stream(client) as events:
        await events.next()
        calls = [await place(client) for _ in range(3)]
        seen = [await events.next()]
    restarted = create_app(Settings(), database)
    async with (
        restarted.router.lifespan_context(restarted),
        serving(restarted) as url,
        browser(url, account.token) as client,
    ):
        given = {"headers": {"Last-Event-ID": events.id}}
        async with stream(client, **given if by_header else {"last_event_id": events.id}) as events:
            assert await events.next() is None
            calls.append(await place(client))
            seen += [await events.next() for _ in range(3)]
    assert [event["call_id"] for event in seen] == calls


async def test_calls_and_types_narrow_the_stream(client):
    first, second = await place(client), await place(client)
    await client.delete(f"/api/v1/calls/{first}")
    await client.delete(f"/api/v1/calls/{second}")
    async with stream(client, last_event_id=0, call_id=second) as events:
        await events.next()
        found = [await events.next(), await events.next()]
    assert [event["type"] for event in found] == ["call.queued", "call.ended"]
    assert {event["call_id"] for event in found} == {second}
    async with stream(client, last_event_id=0, types="call.ended,call.bridged") as events:
        await events.next()
        found = [await events.next(), await events.next()]
    assert [event["call_id"] for event in found] == [first, second]


async def test_no_account_hears_of_anothers_calls(client, url, add_account, monkeypatch):
    monkeypatch.setattr(reply, "HEARTBEAT_SECONDS", 0.01)
    other = await add_account("token-of-the-other-account")
    async with browser(url, other.token) as stranger, stream(stranger, last_event_id=0) as theirs:
        async with stream(client) as ours:
            await ours.next()
            await place(client)
            while (event := await ours.next()) is None:
                pass
        while theirs.id is None or int(theirs.id) < event["id"]:
            assert await theirs.next() is None


async def make_appointment(client):
    body = {"contact_id": 1234, "starts_at": "2030-01-10T09:00"}
    reply = await client.post("/api/v1/appointments", json=body)
    assert reply.status_code == 201
    return reply.json()


async def test_appointments_are_followed_in_the_same_stream(client):
    async with stream(client) as events:
        await events.next()
        call_id, made = await place(client), await make_appointment(client)
        other = await make_appointment(client)
        path = f"/api/v1/appointments/{made['id']}"
        assert (await client.patch(path, json={"status": "confirmed"})).status_code == 200
        queued, created, _, confirmed = [await events.next() for _ in range(4)]
    assert (queued["call_id"], "appointment_id" in queued) == (call_id, False)
    assert (created["appointment_id"], "call_id" in created) == (made["id"], False)
    assert confirmed["type"] == "appointment.confirmed"
    shown = (await client.get(path)).json()
    # What is planned, and who was called, is no part of it.
    apart = ("reminders", "attempts", "status_call_id")
    assert confirmed["data"] == {
        "appointment": {name: value for name, value in shown.items() if name not in apart},
        "before": {"status": "scheduled", "starts_at_utc": made["starts_at_utc"]},
        "call_id": None,
    }
    async with stream(client, last_event_id=0, appointment_id=other["id"]) as events:
        await events.next()
        assert (await events.next())["appointment_id"] == other["id"]
    async with stream(client, last_event_id=0, types="appointment.confirmed") as events:
        await events.next()
        assert (await events.next())["id"] == confirmed["id"]


@pytest.mark.parametrize(
    ("scope", "seen", "unseen"),
    [
        ("calls:read", "call.queued", "appointment_id"),
        ("appointments:read", "appointment.created", "call_id"),
    ],
)
async def test_a_token_hears_of_what_it_may_read(client, execute, scope, seen, unseen):
    for _ in range(2):
        await place(client)
        await make_appointment(client)
    await execute("UPDATE tokens SET scopes = ARRAY[%s]", scope)
    async with stream(client, last_event_id=0) as events:
        await events.next()
        assert [(await events.next())["type"] for _ in range(2)] == [seen, seen]
    assert (await client.get(EVENTS, params={unseen: 1})).status_code == 403


async def test_a_stream_needs_a_token_that_may_read_calls(client, execute, anonymous):
    assert (await anonymous.get(EVENTS)).status_code == 401
    await execute("UPDATE tokens SET scopes = '{directory:read}'")
    assert (await client.get(EVENTS)).status_code == 403


async def test_a_stream_ends_soon_after_its_token_was_revoked(client, execute, monkeypatch):
    monkeypatch.setattr(reply, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(reply, "CHECK_SECONDS", 0.0)
    async with stream(client) as events:
        await events.next()
        await execute("UPDATE tokens SET deleted_at = now()")
        while await events.next() is None:
            pass
        assert events.over


async def test_a_silent_stream_has_heartbeats_that_move_its_id(client, monkeypatch, add_account):
    monkeypatch.setattr(reply, "HEARTBEAT_SECONDS", 0.01)
    async with stream(client, types="call.bridged") as events:
        await events.next()
        began_at = int(events.id)
        await place(client)
        while int(events.id) == began_at:
            assert await events.next() is None


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 30, "١"])
async def test_an_id_that_is_none_is_refused(client, given):
    response = await client.get(EVENTS, params={"last_event_id": given})
    assert response.status_code == 422
    assert response.json()["errors"] == {
        "last_event_id": ["The last_event_id must be the id of an event."]
    }


async def test_more_streams_than_an_account_may_have_are_refused(client, monkeypatch):
    monkeypatch.setattr("twoleg.events.stream.MAX_OF_ACCOUNT", 1)
    async with stream(client) as events:
        await events.next()
        refused = await client.get(EVENTS)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


async def test_a_reader_that_takes_nothing_is_cut_off_and_holds_up_nobody(
    client, url, app, account, execute, monkeypatch
):
    monkeypatch.setattr(reply, "SEND_SECONDS", 1.0)
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1)
    request = f"GET {EVENTS}?api_token={account.token} HTTP/1.1\r\nHost: x\r\n\r\n"
    writer.write(request.encode())
    assert (await reader.readexactly(12)) == b"HTTP/1.1 200"
    call_id = await place(client)
    async with stream(client) as events:
        await events.next()
        assert len(app.state.event_stream._subscriptions) == 2
        for batch in range(20):
            await execute(
                "INSERT INTO call_events (account_id, call_id, sequence, type, data) SELECT %s, %s,"
                " n, 'call.note', jsonb_build_object('text', repeat('x', 5000))"
                " FROM generate_series(%s::int, %s) AS n",
                *(account.id, call_id, 100 * batch + 2, 100 * batch + 101),
            )
            await execute("SELECT pg_notify('twoleg_events', '')")
            for _ in range(100):
                event = await events.next()
        assert event["sequence"] == 2001
        while len(app.state.event_stream._subscriptions) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    writer.close()
