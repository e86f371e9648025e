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


def test_whatever_can_be_made_has_an_example(description):
    made = [methods["post"] for methods in description["paths"].values() if "post" in methods]
    assert len(made) > 7
    for operation in made:
        media = operation["requestBody"]["content"]["application/json"]
        name = media["schema"].get("$ref", "").rpartition("/")[2]
        assert media.get("examples") or description["components"]["schemas"][name]["examples"]


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
