"""The data commands against a running service, as README shows them."""

from __future__ import annotations

import json
import subprocess
import wave
from array import array
from typing import Any

import pytest
from audio_files import tone_file

from twoleg.media import dominant_tone

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

REFUSED = 65


@pytest.fixture
def twoleg(serving, marked):
    """Run a command of the client; its JSON, or how it ended where it was refused."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return marked.run(*arguments, TWOLEG_URL=serving.url, TWOLEG_TOKEN=serving.token)

    return run


@pytest.fixture
def made(twoleg):
    def run(*arguments: str) -> Any:
        ended = twoleg(*arguments, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return run


def test_a_directory_is_kept_by_commands_alone(made, twoleg) -> None:
    trunk = made("trunks", "create", "name=Carrier", "host=127.0.0.1", "port:=5099")
    line = made("lines", "create", "phone_number=+18552562001", f"trunk_ids:=[{trunk['id']}]")
    user = made("users", "create", "name=Alice", "email=alice@example.com", "sip_username=alice")
    group = made("ring-groups", "create", "name=Sales", f"user_ids:=[{user['id']}]")
    contact = made("contacts", "create", "name=Chris", "phone_number=+18181276543")
    token = made("tokens", "create", "name=CRM")

    assert user["sip_password"]
    assert token["token"]
    assert "sip_password" not in made("users", "show", str(user["id"]))
    assert line["trunk_ids"] == [trunk["id"]]
    assert group["user_ids"] == [user["id"]]
    assert made("contacts", "update", str(contact["id"]), "name=Chris Doe")["name"] == "Chris Doe"
    assert "Alice" in twoleg("users", "list").stdout
    assert twoleg("contacts", "delete", str(contact["id"])).returncode == 0
    assert made("contacts", "list") == []


def test_a_prompt_goes_in_as_a_file_and_comes_out_as_what_a_telephone_plays(
    made, twoleg, tmp_path
) -> None:
    file, output = tmp_path / "tone.mp3", tmp_path / "tone.wav"
    file.write_bytes(tone_file("mp3", "libmp3lame", hertz=700))
    prompt = made("prompts", "create", "--name", "Tone", "--file", str(file))

    assert twoleg("prompts", "save", str(prompt["id"]), "--output", str(output)).returncode == 0
    with wave.open(str(output)) as saved:
        samples = array("h", saved.readframes(saved.getnframes()))
    assert dominant_tone(samples[1600:3200], 8000, (350, 700, 1400)) == 700
    spoken = made("prompts", "update", str(prompt["id"]), "--text", "Hello.", "--language", "en")
    assert spoken["kind"] == "text"


def test_a_call_that_cannot_reach_anybody_ends_with_one_and_its_outcome(made, twoleg) -> None:
    trunk = made("trunks", "create", "name=Carrier", "host=127.0.0.1", "port:=5099")
    made("lines", "create", "phone_number=+18552562002", f"trunk_ids:=[{trunk['id']}]")
    user = made("users", "create", "name=Bob", "email=bob@example.com", "sip_username=bob")

    ended = twoleg(
        "call", "+18181276543", "--line", "+18552562002", "--user", str(user["id"]), "--json"
    )

    assert ended.returncode == 1, ended.stderr
    call = json.loads(ended.stdout)
    assert call["outcome"] == "agent_unreachable"
    assert made("calls", "show", str(call["id"])) == call
    assert [row["id"] for row in made("calls", "list", "outcome=agent_unreachable")] == [call["id"]]
    assert twoleg("calls", "hang-up", str(call["id"])).returncode == 0


def test_the_doctor_finds_a_running_service_well(made, serving, marked) -> None:
    trunk = made("trunks", "create", "name=Watched", "host=127.0.0.1", "port:=5099")
    examined = marked.run(
        "doctor", "--json", "--data-dir", str(serving.data_dir),
        TWOLEG_HTTP=serving.url.removeprefix("http://"),
        TWOLEG_SIP=serving.sip,
        TWOLEG_TOKEN=serving.token,
    )  # fmt: skip

    findings = {finding["subject"]: finding for finding in json.loads(examined.stdout)}
    for subject in ("data directory", "database", "tables", "clock", "http", "sip", "service"):
        assert findings[subject]["level"] == "ok", findings[subject]
    assert f"trunk {trunk['name']}" in findings


def test_a_refusal_names_the_field(made, twoleg) -> None:
    ended = twoleg("call", "12", "--line", "+18552562001", "--user", "999")

    assert ended.returncode == REFUSED
    assert "user_id: The selected user_id is invalid." in ended.stderr
    assert "Traceback" not in ended.stderr
