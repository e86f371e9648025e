"""Nothing of one account is there for another: every route of the description is walked."""

import json
import re

import httpx
import pytest

from twoleg.api import create_app
from twoleg.api.documentation.schemas import describe
from twoleg.settings import Settings

UNKNOWN_ID = 10**12
# By a link that only we can make.
SIGNED = "/api/v1/calls/{call_id}/recording.wav"
OPEN = ("/api/v1/health", "/api/v1/health/ready", "/api/v1/metrics", SIGNED)
# Nobody else has these: what is not in a reply was not told.
MARKS = (
    "Alice",
    "alice@example.com",
    "+18181276544",
    "+18552562001",
    "192.0.2.1",
    "victim-token",
    "Victim's",
)


@pytest.fixture
async def stranger(app, add_account):
    """A client of another account, which has nothing but its token."""
    other = await add_account("token-of-the-other-account")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://twoleg.test",
        headers={"Authorization": f"Bearer {other.token}"},
    ) as client:
        yield client


@pytest.fixture
async def victim(account, client):
    """The account whose things must stay its own: it has one of each, a call too."""
    call = {"user_id": 1, "contact_id": 1234, "line_id": 1}
    assert (await client.post("/api/v1/calls", json=call)).status_code == 202
    token = await client.post("/api/v1/tokens", json={"name": "victim-token"})
    assert token.status_code == 201
    hook = await client.post("/api/v1/webhooks", json={"url": "https://victim.example.com/"})
    assert hook.status_code == 201
    file = {"content": "phone,start\n", "headers": {"Content-Type": "text/csv"}}
    for kind in ("appointments", "contacts"):
        assert (await client.post(f"/api/v1/{kind}/import", **file)).status_code == 202
    feed = {"name": "Victim's", "url": "https://victim.example.com/"}
    assert (await client.post("/api/v1/appointment-feeds", json=feed)).status_code == 201
    return account


@pytest.fixture
async def stranger_things(stranger):
    """The id of one thing of the other account, of each kind that names others."""

    async def make(path, **fields):
        reply = await stranger.post(f"/api/v1/{path}", json=fields)
        assert reply.status_code == 201, reply.text
        return reply.json()["id"]

    line = await make("lines", phone_number="+18552562009")
    contact = await make("contacts", phone_number="+18181270009")
    starts_at = {"starts_at": "2090-01-01T10:00:00Z"}
    return {
        "ring-groups": await make("ring-groups", name="Own"),
        "lines": line,
        "reminder-plans": await make(
            "reminder-plans", name="Own", line_id=line, moments=[{"days_before": 1}], text="Hello"
        ),
        "appointments": await make("appointments", contact_id=contact, **starts_at),
        "appointment-feeds": await make(
            "appointment-feeds", name="Own", url="https://own.example.com/"
        ),
    }


@pytest.fixture(scope="module")
def description():
    return describe(create_app(Settings(), None))


def operations(description, parameter):
    """Return (method, path) of every operation; those with a path parameter, or those without."""
    return [
        (method.upper(), path)
        for path, methods in description["paths"].items()
        for method in methods
        if ("{" in path) is parameter
    ]


async def first_id_in(client, path):
    """Return the id of the first thing in the list that `path` is about."""
    things = (await client.get(path.partition("/{")[0])).json()["data"]
    assert things, f"{path}: give the fixture `victim` one, so that this route is tried"
    return things[0]["id"]


def fill(path, id_):
    return re.sub(r"\{\w+\}", str(id_), path)


async def ask(client, method, path):
    body = {} if method in ("POST", "PATCH", "PUT") else None
    return await client.request(method, path, json=body)


async def test_no_route_knows_another_accounts_thing(
    description, client, stranger, snapshot, victim
):
    before = await snapshot()
    for method, path in operations(description, parameter=True):
        id_ = await first_id_in(client, path)
        theirs = await ask(stranger, method, fill(path, id_))
        nobodys = await ask(stranger, method, fill(path, UNKNOWN_ID))
        assert theirs.status_code == (403 if path == SIGNED else 404), (method, path)
        assert (theirs.status_code, theirs.text) == (nobodys.status_code, nobodys.text)
    assert await snapshot() == before


async def test_no_list_and_no_settings_tell_of_another_account(description, stranger, victim):
    for method, path in operations(description, parameter=False):
        # The stream of events never ends: it has a test of its own.
        if method == "GET" and path != "/api/v1/events":
            reply = await stranger.get(path)
            assert reply.status_code in (200, 503), path
            assert not [mark for mark in MARKS if mark in reply.text], path


async def test_no_body_can_name_another_accounts_thing(
    description, stranger, client, snapshot, victim
):
    before = await snapshot()
    tried = 0
    for method, path in operations(description, parameter=False):
        operation = description["paths"][path][method.lower()]
        if "application/json" not in operation.get("requestBody", {}).get("content", ()):
            continue
        body, schema = example_and_schema(operation, description)
        for field, ids in references(schema, description):
            id_ = await first_id_in(client, plural_of(ids))
            replies = [
                await stranger.request(method, path, json=body | {field: filled(ids, each)})
                for each in (id_, UNKNOWN_ID)
            ]
            told = [reply.text.replace(str(UNKNOWN_ID), str(id_)) for reply in replies]
            assert replies[0].status_code == 422, (path, field, replies[0].text)
            assert told[0] == told[1], (path, field)
            tried += 1
    assert tried > 10
    assert await snapshot() == before


async def test_no_change_can_name_another_accounts_thing(
    description, stranger, client, snapshot, victim, stranger_things
):
    before = await snapshot()
    tried = 0
    for method, path in operations(description, parameter=True):
        operation = description["paths"][path][method.lower()]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if method != "PATCH" or body is None:
            continue
        for field, ids in references(resolved(body["schema"], description), description):
            theirs = await first_id_in(client, plural_of(ids))
            own = fill(path, stranger_things[path.split("/")[3]])
            replies = [
                await stranger.patch(own, json={field: filled(ids, each)})
                for each in (theirs, UNKNOWN_ID)
            ]
            told = [reply.text.replace(str(UNKNOWN_ID), str(theirs)) for reply in replies]
            assert replies[0].status_code == 422, (path, field, replies[0].text)
            assert told[0] == told[1], (path, field)
            tried += 1
    assert tried > 10
    assert await snapshot() == before


async def test_no_filter_finds_another_accounts_thing(
    description, stranger, client, victim, stranger_things
):
    tried = 0
    for method, path in operations(description, parameter=False):
        for name in references_in_query(description["paths"][path][method.lower()]):
            # The stream of events never ends: it has a test of its own.
            if method != "GET" or path == "/api/v1/events":
                continue
            theirs = await first_id_in(client, plural_of(name))
            found, nobodys = [
                await stranger.get(path, params={name: each}) for each in (theirs, UNKNOWN_ID)
            ]
            assert (found.status_code, found.text) == (nobodys.status_code, nobodys.text), path
            tried += 1
    assert tried > 8


async def test_no_import_can_name_another_accounts_plan(stranger, client, snapshot, victim):
    before = await snapshot()
    replies = [
        await stranger.post(
            "/api/v1/appointments/import",
            params={"reminder_plan_id": each},
            content="phone,start\n",
            headers={"Content-Type": "text/csv"},
        )
        for each in (await first_id_in(client, "/api/v1/reminder-plans"), UNKNOWN_ID)
    ]
    assert {(reply.status_code, reply.text) for reply in replies} == {(422, replies[0].text)}
    assert list(replies[0].json()["errors"]) == ["reminder_plan_id"]
    assert await snapshot() == before


async def test_no_route_is_open_without_a_token(description, anonymous, snapshot, victim):
    before = await snapshot()
    for parameter in (False, True):
        for method, path in operations(description, parameter=parameter):
            operation = description["paths"][path][method.lower()]
            if "security" not in operation:
                assert path in OPEN
                continue
            for query in ({}, {"api_token": "wrong"}):
                reply = await anonymous.request(method, fill(path, 1), params=query)
                assert reply.status_code == 401, (method, path)
                assert reply.json() == {"message": "Unauthenticated."}
    assert await snapshot() == before


async def test_numbers_and_addresses_of_one_account_are_free_in_another(stranger, victim):
    line = await stranger.post("/api/v1/lines", json={"phone_number": "+18552562001"})
    assert line.status_code == 201
    user = {"name": "Alice", "email": "alice@example.com"}
    assert (await stranger.post("/api/v1/users", json=user)).status_code == 201


def resolved(schema, description):
    while "$ref" in schema:
        place = description
        for step in schema["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        schema = place
    return schema


def example_and_schema(operation, description):
    media = operation["requestBody"]["content"]["application/json"]
    schema = resolved(media["schema"], description)
    if "examples" in media:
        return next(iter(media["examples"].values()))["value"] | {"api_token": ""}, schema
    return schema["examples"][0], schema


def references(schema, description):
    """Yield (field, what it holds) for each field that names something by its id."""
    for field, of_field in schema["properties"].items():
        if field.endswith("_ids"):
            yield field, [field.removesuffix("s")]
        elif field.endswith("_id") and field != "external_id":
            yield field, field
        else:
            for kind in [of_field, *of_field.get("anyOf", [])]:
                for inner in resolved(kind, description).get("properties", {}):
                    if inner.endswith("_id"):
                        yield field, {inner: inner}


def references_in_query(operation):
    """Give the parameters of the query that name something by its id."""
    named = (each["name"] for each in operation.get("parameters", ()) if each["in"] == "query")
    return [name for name in named if name.endswith("_id") and name != "external_id"]


def plural_of(reference):
    name = json.dumps(reference).strip('[]{}"').partition('"')[0]
    name = "prompt_id" if name.endswith("prompt_id") else name
    return f"/api/v1/{name.removesuffix('_id').replace('_', '-')}s"


def filled(reference, id_):
    if isinstance(reference, list):
        return [id_]
    if isinstance(reference, dict):
        return dict.fromkeys(reference, id_)
    return id_
