"""What a client gets for bodies that are no good: a clear 4xx, and nothing half-written."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twoleg.api import create_app
from twoleg.api.documentation.schemas import describe
from twoleg.settings import Settings

MEGABYTE = 1024 * 1024
CONTRACT = "/api/v1/webhook/two-legged-call"
CONTRACT_ROUTE = ("POST", "webhook/two-legged-call")
JSON = {"Content-Type": "application/json"}
WRITES = [
    ("POST", "users"),
    ("POST", "ring-groups"),
    ("POST", "contacts"),
    ("POST", "lines"),
    ("POST", "trunks"),
    ("POST", "tokens"),
    ("POST", "prompts"),
    ("POST", "calls"),
    ("POST", "webhooks"),
    ("POST", "reminder-plans"),
    ("POST", "appointments"),
    ("PATCH", "calls/1"),
    ("PATCH", "account"),
    ("PATCH", "users/1"),
    ("PATCH", "ring-groups/1"),
    ("PATCH", "contacts/1234"),
    ("PATCH", "lines/1"),
    ("PATCH", "trunks/1"),
    ("PATCH", "tokens/1"),
    ("PATCH", "prompts/1"),
    ("PATCH", "webhooks/1"),
    ("PATCH", "reminder-plans/1"),
    ("PATCH", "appointments/1"),
    ("POST", "appointment-feeds"),
    ("PATCH", "appointment-feeds/1"),
]


def test_every_route_that_takes_a_body_is_tried():
    app = create_app(Settings(), None)
    paths = {
        f"{method.upper()} {path.removeprefix('/api/v1/').partition('/{')[0]}"
        for path, methods in describe(app)["paths"].items()
        for method, operation in methods.items()
        if "application/json" in operation.get("requestBody", {}).get("content", ())
        and path != CONTRACT
    }
    assert paths == {f"{method} {path.partition('/')[0]}" for method, path in WRITES}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"name": ', "The body must be valid JSON."),
        (b"", None),
        (b"[1]", None),
        (b'"text"', None),
        (b"null", None),
        (b"5", None),
        (b"\xff\xfe\x00", None),
        (b"[" * 100_000, None),
        (b'{"name": NaN}', None),
        (b'{"name": "\\ud800"}', None),
        (b'{"' + b"x" * 10_000 + b'": 1}', None),
        (b'{"name": ' + b"9" * 5_000 + b"}", None),
    ],
    ids=range(12),
)
async def test_a_body_that_is_no_json_object_is_422(body, text, account, client, execute):
    before = await execute("SELECT count(*) FROM users, ring_groups, contacts, lines, trunks")
    for method, path in WRITES:
        reply = await client.request(method, f"/api/v1/{path}", content=body, headers=JSON)
        assert reply.status_code == 422, (path, reply.text)
        assert reply.json()["errors"]
        if text is not None:
            assert reply.json()["errors"] == {"body": [text]}
    after = await execute("SELECT count(*) FROM users, ring_groups, contacts, lines, trunks")
    assert after == before


async def test_json_that_does_not_say_so_is_422_and_not_taken_for_something_else(account, client):
    reply = await client.post("/api/v1/users", content=b'{"name": "x"}')
    assert reply.status_code == 422


async def test_a_body_of_ten_megabytes_is_413_that_names_the_limit(account, client, execute):
    body = json.dumps({"name": "x" * 10 * MEGABYTE}).encode()
    for method, path in [*WRITES, CONTRACT_ROUTE]:
        reply = await client.request(method, f"/api/v1/{path}", content=body, headers=JSON)
        assert reply.status_code == 413, path
        assert reply.json() == {"message": "The body is larger than 1048576 bytes."}
    assert await execute("SELECT count(*) FROM calls") == [(0,)]


@pytest.mark.parametrize("id_", ["0", "-1", "abc", "1.0", "%00", str(2**63), "1e3", "9" * 400])
async def test_an_id_that_can_be_nobodys_is_404(id_, account, app, client):
    for path, methods in describe(app)["paths"].items():
        for method in methods:
            # That link is checked before anything else of it is read.
            if "{" not in path or path.endswith("/recording.wav"):
                continue
            body = {} if method in ("post", "patch") else None
            where = re.sub(r"\{\w+\}", id_, path)
            reply = await client.request(method, where, json=body)
            assert reply.status_code == 404, (method, path)
            assert reply.json() == {"message": "Not Found."}


@pytest.mark.parametrize(
    "value",
    [
        "%00",
        "%FF",
        "%ED%A0%80",
        "",
        "-1",
        "9" * 400,
        "1e400",
        "2026-13-45",
        "%27",
        "%5B%5D",
        "a" * 5000,
    ],
)
async def test_whatever_a_query_holds_it_is_answered_or_refused_by_name(
    value, named, app, client, snapshot
):
    before = await snapshot()
    for path, methods in describe(app)["paths"].items():
        # The stream of events never ends: what is wrong with its query is shown with it.
        if "get" not in methods or path == "/api/v1/events":
            continue
        where = re.sub(r"\{\w+\}", "1", path)
        for parameter in methods["get"].get("parameters", ()):
            if parameter["in"] == "query":
                reply = await client.get(f"{where}?{parameter['name']}={value}")
                assert reply.status_code in (200, 403, 404, 409, 422, 503), reply.url
                if reply.status_code == 422:
                    assert list(reply.json()["errors"]) == [parameter["name"]], reply.url
    assert await snapshot() == before


async def test_an_unknown_path_and_a_wrong_method_are_json_too(account, client):
    for path in ("/", "/api/v1/nothing", "/api/v1/users/1/nothing", "/api/v1/users/"):
        reply = await client.get(path, headers={"Accept": "text/html"})
        assert (reply.status_code, reply.json()) == (404, {"message": "Not Found."})
    reply = await client.put("/api/v1/users")
    assert reply.status_code == 405
    assert reply.headers["Allow"] == "GET, POST"
    reply = await client.post("/api/v1/users/1")
    assert reply.status_code == 405
    assert reply.headers["Allow"] == "GET, PATCH, DELETE"


NAMES = [
    "name",
    "email",
    "phone_number",
    "phone_numbers",
    "host",
    "port",
    "register",
    "username",
    "password",
    "user_ids",
    "trunk_ids",
    "fallback",
    "strategy",
    "attributes",
    "scopes",
    "expires_at",
    "country",
    "quiet_hours",
    "allowed_countries",
    "max_calls",
    "user_id",
    "contact_id",
    "line_id",
    "ring_group_id",
    "contact_phone_number",
    "line_phone_number",
    "user_phone_number",
    "metadata",
    "ring_seconds",
    "api_token",
    "sip_username",
    "sip_password",
    "time_zone",
    "language",
    "text",
    "whisper_prompt_id",
]
GOOD = ["x", "a@b", "+18181234567", "192.0.2.1", "1", "US", "in_order", "2999-01-01T00:00:00Z"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from([1, 2**63, -1, "\0", "\ud800", *GOOD]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=5,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)


@pytest.fixture
async def named(account, client):
    """The call and the feed that routes name."""
    call = {"user_id": 1, "contact_id": 1234, "line_id": 1}
    assert (await client.post("/api/v1/calls", json=call)).status_code == 202
    feed = {"name": "Calendar", "url": "https://calendar.example.com/"}
    assert (await client.post("/api/v1/appointment-feeds", json=feed)).status_code == 201


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=BODIES, base=st.booleans(), route=st.sampled_from([*WRITES, CONTRACT_ROUTE]))
async def test_whatever_a_body_holds_it_is_taken_whole_or_refused_whole(
    body, base, route, account, named, client, snapshot
):
    if base:
        body = {"name": "x", "email": "x@example.com", "host": "a", "phone_number": "+1"} | body
    method, path = route
    before = await snapshot()
    reply = await client.request(method, f"/api/v1/{path}", **encoded(body))
    assert reply.status_code in (200, 201, 202, 401, 422, 429), reply.text
    if reply.status_code >= 400:
        assert reply.json()["message"]
        assert await snapshot() == before


def encoded(body):
    return {"content": json.dumps(body).encode(), "headers": JSON}
