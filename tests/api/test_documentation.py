"""The description of the API, and the page that shows it."""

import re

import pytest

from twoleg.api import create_app
from twoleg.api.documentation.schemas import describe
from twoleg.settings import Settings


@pytest.fixture(scope="module")
def description():
    return describe(create_app(Settings(), None))


def every(value, key):
    if isinstance(value, dict):
        for name, each in value.items():
            if name == key:
                yield each
            else:
                yield from every(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from every(each, key)


async def test_the_description_is_openapi_3_1_and_served_without_a_token(anonymous):
    reply = await anonymous.get("/api/v1/openapi.json")
    assert reply.status_code == 200
    assert reply.json()["openapi"].startswith("3.1")


def test_every_reference_leads_somewhere(description):
    references = set(every(description, "$ref"))
    assert len(references) > 20
    for reference in references:
        place = description
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_body_has_an_example(description):
    bodies = [
        next(iter(operation["requestBody"]["content"].values()))
        for methods in description["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]
    assert len(bodies) > 14
    for body in bodies:
        name = body["schema"].get("$ref", "").rpartition("/")[2]
        assert body.get("examples") or description["components"]["schemas"][name]["examples"]


async def test_the_examples_of_changes_are_accepted(description, account, client):
    await client.post("/api/v1/users", json={"name": "Bob", "email": "bob@example.com"})
    await client.post("/api/v1/trunks", json={"name": "Other", "host": "192.0.2.2"})
    await client.post("/api/v1/calls", json={"user_id": 1, "contact_id": 1234, "line_id": 1})
    feed = {"name": "Calendar", "url": "https://calendar.example.com/"}
    await client.post("/api/v1/appointment-feeds", json=feed)
    # The token's own scopes last, or nothing else may be changed any more.
    for path, methods in sorted(description["paths"].items(), key=lambda each: "tokens" in each[0]):
        if "patch" in methods:
            schema = methods["patch"]["requestBody"]["content"]["application/json"]["schema"]
            name = schema["$ref"].rpartition("/")[2]
            [example] = description["components"]["schemas"][name]["examples"]
            id_ = account.contact_id if "contact" in path else 1
            reply = await client.patch(re.sub(r"\{\w+\}", str(id_), path), json=example)
            assert reply.status_code == 200, (path, reply.text)


def test_every_operation_is_named_once_and_says_what_it_does(description):
    operations = [
        operation for methods in description["paths"].values() for operation in methods.values()
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation.get("description") for operation in operations)


def test_no_reply_is_described_with_a_secret_in_it(description):
    schemas = description["components"]["schemas"]
    for name in ("User", "Trunk", "Token", "Account", "Call"):
        properties = set(schemas[name]["properties"])
        assert not properties & {"password", "sip_password", "token", "token_hash", "sip_ha1"}


async def test_the_page_needs_nothing_from_outside(anonymous):
    reply = await anonymous.get("/api/v1/docs")
    assert reply.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    outside = re.findall(r"(?:src|href|url|import)\s*[=(]?\s*[\"']?(?:https?:)?//", reply.text)
    assert outside == []
    assert "openapi.json" in reply.text
