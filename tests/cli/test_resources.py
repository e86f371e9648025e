"""The commands that keep the directory, over HTTP."""

from __future__ import annotations

import pytest

USAGE, REFUSED, UNAVAILABLE, NO_PERMISSION = 2, 65, 69, 77

ALICE = {"id": 1, "name": "Alice", "email": "alice@example.com", "registered": True}


def test_fields_are_sent_as_they_are_given(twoleg, api) -> None:
    api.on("POST /users", ALICE, status=201)

    ended = twoleg("users", "create", "name=Alice", "email=alice@example.com")

    assert ended.exit_code == 0
    assert "alice@example.com" in ended.out
    [asked] = api.asked
    assert asked.body == {"name": "Alice", "email": "alice@example.com"}
    assert asked.token == "Bearer secret-token"


def test_a_field_with_a_colon_is_json(twoleg, api) -> None:
    api.on("POST /lines", {"id": 1}, status=201)

    twoleg("lines", "create", "phone_number=+18552562001", "trunk_ids:=[1,2]")

    assert api.asked[0].body == {"phone_number": "+18552562001", "trunk_ids": [1, 2]}


def test_a_value_may_hold_an_equals_sign(twoleg, api) -> None:
    api.on("POST /trunks", {"id": 1}, status=201)

    twoleg("trunks", "create", "name=T", "host=h", "password=a=b:=c")

    assert api.asked[0].body["password"] == "a=b:=c"


def test_a_word_that_is_no_field_is_named(twoleg, api) -> None:
    ended = twoleg("users", "create", "Alice")

    assert ended.exit_code == USAGE
    assert "'Alice': give FIELD=VALUE or FIELD:=JSON" in ended.err
    assert not api.asked


def test_json_that_is_none_is_named(twoleg, api) -> None:
    ended = twoleg("lines", "create", "trunk_ids:=[1,")

    assert ended.exit_code == USAGE
    assert "after := comes JSON" in ended.err


def test_a_list_goes_on_over_pages_up_to_the_limit(twoleg, api) -> None:
    api.on("GET /users?limit=3", {"data": [{"id": 1}, {"id": 2}], "next_cursor": "x"})
    api.on("GET /users?limit=1&cursor=x", {"data": [{"id": 3}], "next_cursor": "y"})

    ended = twoleg("users", "list", "--limit", "3", "--json")

    assert [user["id"] for user in ended.json] == [1, 2, 3]


def test_a_list_is_filtered(twoleg, api) -> None:
    api.on("GET /users?name=Alice&limit=100", {"data": [ALICE], "next_cursor": None})

    ended = twoleg("users", "list", "name=Alice")

    assert "alice@example.com" in ended.out
    assert "yes" in ended.out


def test_one_is_shown_changed_and_deleted(twoleg, api) -> None:
    api.on("GET /ring-groups/7", {"id": 7, "name": "Sales"})
    api.on("PATCH /ring-groups/7", {"id": 7, "name": "Support"})
    api.on("DELETE /ring-groups/7", None, status=204)

    shown = twoleg("ring-groups", "show", "7", "--json")
    changed = twoleg("ring-groups", "update", "7", "name=Support", "--json")
    deleted = twoleg("ring-groups", "delete", "7")

    assert shown.json["name"] == "Sales"
    assert changed.json["name"] == "Support"
    assert (deleted.exit_code, deleted.out) == (0, "")
    assert [asked.method for asked in api.asked] == ["GET", "PATCH", "DELETE"]


def test_a_refusal_names_the_field(twoleg, api) -> None:
    refusal = {
        "message": "The given data was invalid.",
        "errors": {"email": ["The email has already been taken."]},
    }
    api.on("POST /users", refusal, status=422)

    ended = twoleg("users", "create", "name=Alice", "email=alice@example.com")

    assert ended.exit_code == REFUSED
    assert ended.err.splitlines() == [
        "The given data was invalid.",
        "email: The email has already been taken.",
    ]


def test_a_token_that_is_not_known_has_an_exit_code_of_its_own(twoleg, api) -> None:
    api.on("GET /contacts?limit=100", {"message": "Unauthenticated."}, status=401)

    ended = twoleg("contacts", "list")

    assert ended.exit_code == NO_PERMISSION
    assert "Unauthenticated." in ended.err
    assert "TWOLEG_TOKEN" in ended.err


def test_a_service_that_does_not_answer_is_named(twoleg, api, monkeypatch) -> None:
    monkeypatch.setenv("TWOLEG_URL", "http://127.0.0.1:1")

    ended = twoleg("tokens", "list")

    assert ended.exit_code == UNAVAILABLE
    assert "no answer from http://127.0.0.1:1" in ended.err


def test_an_url_that_is_none_is_named(twoleg, api, monkeypatch) -> None:
    monkeypatch.setenv("TWOLEG_URL", "localhost:8080")

    ended = twoleg("tokens", "list")

    assert ended.exit_code == UNAVAILABLE
    assert "localhost:8080" in ended.err


def test_an_answer_that_is_no_json_is_not_a_traceback(twoleg, api) -> None:
    api.on("GET /users/1", ["not", "an", "object"], status=502)

    ended = twoleg("users", "show", "1")

    assert ended.exit_code == UNAVAILABLE
    assert "Bad Gateway" in ended.err


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [
        (401, NO_PERMISSION), (403, NO_PERMISSION), (404, REFUSED), (409, REFUSED), (413, REFUSED),
        (422, REFUSED), (429, UNAVAILABLE), (500, UNAVAILABLE), (503, UNAVAILABLE),
    ],
)  # fmt: skip
def test_whether_to_mend_the_input_or_to_try_again_is_told_by_the_exit_code(
    twoleg, api, status, exit_code
) -> None:
    api.on("GET /users/1", {"message": "No."}, status=status)

    ended = twoleg("users", "show", "1")

    assert ended.exit_code == exit_code
    assert "No." in ended.err
