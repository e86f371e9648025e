"""`twoleg prompts`, over HTTP."""

from __future__ import annotations

import pytest

USAGE, FAILED, REFUSED = 2, 1, 65
PROMPT = {"id": 4, "name": "Web shop", "kind": "upload", "seconds": 2.5, "text": None}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "shop.mp3"
    path.write_bytes(b"sound")
    return path


def test_a_file_is_sent_as_a_form(twoleg, api, file) -> None:
    api.on("POST /prompts", PROMPT, status=201)
    ended = twoleg("prompts", "create", "--name", "Web shop", "--file", str(file), "--json")
    assert ended.exit_code == 0, ended.err
    assert ended.json == PROMPT
    form = api.asked[0].body
    for part in (b'name="name"', b"Web shop", b'filename="shop.mp3"', b"sound"):
        assert part in form


def test_a_text_is_sent_with_its_language(twoleg, api) -> None:
    api.on("POST /prompts", PROMPT, status=201)
    arguments = ("--name", "Web shop", "--text", "From the web shop.", "--language", "en")
    assert twoleg("prompts", "create", *arguments).exit_code == 0
    expected = {"name": "Web shop", "text": "From the web shop.", "language": "en"}
    assert api.asked[0].body == expected


def test_a_prompt_is_changed_by_what_is_given(twoleg, api, file) -> None:
    api.on("PATCH /prompts/4", PROMPT)
    assert twoleg("prompts", "update", "4", "--name", "Shop").exit_code == 0
    assert twoleg("prompts", "update", "4", "--file", str(file)).exit_code == 0
    assert api.asked[0].body == {"name": "Shop"}
    assert b"sound" in api.asked[1].body


def test_prompts_are_listed_shown_and_deleted(twoleg, api) -> None:
    api.on("GET /prompts?limit=100", {"data": [PROMPT], "next_cursor": None})
    api.on("GET /prompts/4", PROMPT)
    api.on("DELETE /prompts/4", None, status=204)
    assert "Web shop" in twoleg("prompts", "list").out
    assert "2.5" in twoleg("prompts", "show", "4").out
    assert twoleg("prompts", "delete", "4").exit_code == 0


def test_the_audio_is_saved_to_a_new_file(twoleg, api, tmp_path) -> None:
    api.on("GET /prompts/4/audio", b"RIFF and so on")
    output = tmp_path / "shop.wav"
    assert twoleg("prompts", "save", "4", "--output", str(output)).exit_code == 0
    assert output.read_bytes() == b"RIFF and so on"
    assert twoleg("prompts", "save", "4", "--output", str(output)).exit_code == FAILED


def test_a_file_that_is_not_there_is_named(twoleg, api, file) -> None:
    ended = twoleg("prompts", "create", "--name", "x", "--file", str(file.with_name("no.mp3")))
    assert ended.exit_code == FAILED
    assert "no.mp3" in ended.err
    assert not api.asked


def test_what_the_service_refuses_is_told(twoleg, api, file) -> None:
    errors = {"file": ["There is no sound in the file."]}
    api.on("POST /prompts", {"message": "Invalid.", "errors": errors}, status=422)
    ended = twoleg("prompts", "create", "--name", "x", "--file", str(file))
    assert ended.exit_code == REFUSED
    assert "There is no sound in the file." in ended.err
