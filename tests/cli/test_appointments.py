"""`twoleg appointments import`, `contacts import`: a file goes in, progress and refusals out."""

from __future__ import annotations

import pytest

USAGE, REFUSED = 2, 65
BEGUN = {"id": 7, "state": "waiting", "ended_at": None, "progress": 0, "rows_read": 0}
DONE = BEGUN | {"state": "done", "ended_at": "2026-01-01T00:00:00Z", "rows_read": 3}
BAD_ROW = {"id": 1, "row": 2, "column": "phone_number", "message": "The phone_number is missing."}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "book.csv"
    path.write_text("phone,start\n")
    return path


def test_a_file_is_sent_and_followed_to_its_end(twoleg, api, file) -> None:
    api.on("POST /appointments/import?dry_run=false&time_zone=UTC", BEGUN, status=202)
    api.on("GET /imports/7", DONE)
    api.on("GET /imports/7/refused?limit=20", {"data": [BAD_ROW], "next_cursor": None})
    ended = twoleg("appointments", "import", str(file), "--time-zone", "UTC")
    assert ended.exit_code == 0, ended.err
    assert "The phone_number is missing." in ended.out


def test_a_file_that_is_no_use_ends_with_an_error(twoleg, api, file) -> None:
    failed = DONE | {"state": "failed", "failure": "No column holds the phone_number."}
    api.on("POST /appointments/import?dry_run=true", failed, status=202)
    api.on("GET /imports/7/refused?limit=20", {"data": [], "next_cursor": None})
    ended = twoleg("appointments", "import", str(file), "--dry-run", "--json")
    assert ended.exit_code == REFUSED
    assert ended.json["failure"] == "No column holds the phone_number."


def test_contacts_are_sent_and_followed_in_the_same_way(twoleg, api, file) -> None:
    api.on("POST /contacts/import?dry_run=true&country=DE", BEGUN, status=202)
    api.on("GET /imports/7", DONE)
    api.on("GET /imports/7/refused?limit=20", {"data": [BAD_ROW], "next_cursor": None})
    ended = twoleg("contacts", "import", str(file), "--dry-run", "--country", "DE")
    assert ended.exit_code == 0, ended.err
    assert "The phone_number is missing." in ended.out


@pytest.mark.parametrize("name", ["book.pdf", "missing.csv"])
def test_a_file_that_cannot_be_sent_is_named(twoleg, api, file, name) -> None:
    ended = twoleg("appointments", "import", str(file.with_name(name)))
    assert ended.exit_code == USAGE
    assert name in ended.err
    assert not api.asked
