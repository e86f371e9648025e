"""What docs/reminders.md tells the person who runs a practice's phones to type, typed."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

DOCS = Path(__file__).parents[2] / "docs" / "reminders.md"
BLOCKS = re.compile(r"```sh\n(.*?)```", re.DOTALL)
FILE = """phone,start,name,id
+18181270001,2090-06-10 10:00,Eva,visit-1
nobody,2090-06-10 10:00,Bert,visit-2
"""


def commands() -> list[list[str]]:
    """The words of each command behind `twoleg`, without where its output goes."""
    text = "".join(BLOCKS.findall(DOCS.read_text())).replace("\\\n", "")
    lines = [shlex.split(line.partition(">")[0]) for line in text.splitlines()]
    assert all(words[0] == "twoleg" for words in lines)
    return [words[1:] for words in lines]


@pytest.fixture
def practice(serve, marked, tmp_path, monkeypatch):
    """A service with the line, ring group and contact 1 that the commands name; runs one."""
    with serve(tmp_path / "data") as serving:

        def run(*arguments: str) -> Any:
            ended = marked.run(*arguments, TWOLEG_URL=serving.url, TWOLEG_TOKEN=serving.token)
            assert ended.returncode == 0, (arguments, ended.stdout, ended.stderr)
            return ended.stdout

        run("trunks", "create", "name=Carrier", "host=127.0.0.1", "port:=5099")
        run("lines", "create", "phone_number=+18552562001", "trunk_ids:=[1]")
        run("ring-groups", "create", "name=Front desk")
        run("contacts", "create", "phone_number=+18181276543", "name=Carol", "time_zone=UTC")
        (tmp_path / "appointments.csv").write_text(FILE)
        monkeypatch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))
        monkeypatch.chdir(tmp_path)
        yield run


def test_the_commands_of_the_docs_do_what_they_say(practice) -> None:
    typed = commands()
    assert len(typed) >= 8
    said = {" ".join(words[:2]): practice(*words) for words in typed}

    assert "The phone_number must be valid" in said["appointments import"]
    assert said["appointments export"].startswith("external_id,name,")
    assert "Dr. Gray" in said["appointment-feeds list"]

    [plan] = json.loads(practice("reminder-plans", "list", "--json"))
    assert plan["moments"] == [{"days_before": 1, "at": "18:00"}, {"minutes_before": 120}]
    [visit] = json.loads(practice("appointments", "list", "--json"))
    assert (visit["starts_at"], visit["reminder_plan_id"]) == ("2026-06-10T10:00:00", plan["id"])

    moved = ("appointments", "update", "1", "starts_at=2090-06-10T10:00", "--json")
    assert [each["state"] for each in json.loads(practice(*moved))["reminders"]] == ["planned"] * 2
    practice("reminder-plans", "update", "1", "active:=false")
    practice("appointment-feeds", "poll", "1")
    practice("appointment-feeds", "update", "1", "poll_minutes:=60")
    practice("appointment-feeds", "delete", "1")
    assert json.loads(practice("appointment-feeds", "list", "--json")) == []
    practice("appointments", "delete", "1")
    practice("reminder-plans", "delete", "1")
    assert json.loads(practice("appointments", "list", "--json")) == []
