"""`twoleg demo`: real calls between real processes, and nothing left of them."""

from __future__ import annotations

import re
import signal

import pytest
from processes.watching import LOOPBACK, STOP_SECONDS, wait_until

from twoleg.cli.demo.reminders.cast import CAST, expected_tries
from twoleg.cli.exit_codes import ExitCode

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


def test_each_side_hears_the_other_and_nothing_is_left(marked, taken_port) -> None:
    # Settings of the environment are the service's, not the demo's.
    ended = marked.run("demo", TWOLEG_HTTP=f"{LOOPBACK}:{taken_port}", TWOLEG_MAX_CALLS="1")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"agent heard +1000 Hz at -\d+\.\d dBFS for \d\.\d s", ended.stdout)
    assert re.search(r"contact heard +700 Hz at -\d+\.\d dBFS for \d\.\d s", ended.stdout)
    assert re.search(r"record +connected, ended by contact", ended.stdout)
    # Each tells its own story in order; who of them is printed first is the system's choice.
    happened = re.findall(r"^ *[\d.]+ s  (\w+) +(\w+,? \w*)", ended.stdout, re.MULTILINE)
    told = {who: [what for by, what in happened if by == who] for who in ("agent", "contact")}
    assert told == {
        "agent": [
            "phone listens", "phone is", "rings, called", "answers, plays", "hears 1000", "call is",
        ],
        "contact": [
            "phone listens", "rings, called", "answers, plays", "hears 700", "hangs up", "call is",
        ],
    }  # fmt: skip
    assert re.findall(r"s  twoleg  (.+)", ended.stdout) == [
        "queued",
        "agent ringing",
        "agent connected",
        "contact ringing",
        "bridged",
        "ended",
    ]
    assert "rings, called by sip:+18552562001@" in ended.stdout
    assert marked.none_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_all_that_it_started_whenever_it_is_told_to(marked, tmp_path, number) -> None:
    # One that is killed cannot remove its directory.
    with marked.start("demo", TMPDIR=str(tmp_path)) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "agent   rings" in line:
                break

        demo.send_signal(number)

        demo.wait(STOP_SECONDS)
        assert demo.returncode != 0
    wait_until(marked.none_left, "the end of all processes")


def test_one_that_is_stopped_while_its_database_is_being_made_leaves_no_trace(
    marked, tmp_path
) -> None:
    with marked.start("demo", "reminders", TMPDIR=str(tmp_path)) as demo:
        wait_until(lambda: list(tmp_path.glob("*/data/postgres.new/base/4")), "initdb")

        demo.send_signal(signal.SIGINT)

        shown, errors = demo.communicate(timeout=STOP_SECONDS)
        assert demo.returncode == ExitCode.FAILED
        assert "Traceback" not in shown + errors
    assert list(tmp_path.iterdir()) == []
    assert marked.none_left()


def test_a_morning_of_reminders_that_is_stopped_in_its_middle_leaves_nothing(
    marked, tmp_path
) -> None:
    with marked.start("demo", "reminders", TMPDIR=str(tmp_path)) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "is on the line" in line:
                break

        demo.send_signal(signal.SIGINT)
        demo.send_signal(signal.SIGINT)  # somebody is impatient

        shown, errors = demo.communicate(timeout=STOP_SECONDS)
        assert demo.returncode == ExitCode.FAILED
        assert "Traceback" not in shown + errors
    assert list(tmp_path.iterdir()) == []
    assert marked.none_left()


def test_a_morning_of_reminders_ends_as_it_must_and_nothing_is_left(marked) -> None:
    ended = marked.run("demo", "reminders", TWOLEG_MAX_CALLS="1")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    for visitor in CAST:
        status = visitor.status.replace("_", " ")
        assert re.search(rf"^{visitor.name} +{status}: \w+", ended.stdout, re.MULTILINE)
    assert f"{len(CAST)} called, {expected_tries().total()} calls" in ended.stdout
    # What happened was told as it happened, by the stream of events.
    busy, confirmed = ended.stdout.index("Hugo Stein  is busy"), "Hugo Stein  is confirmed"
    assert busy < ended.stdout.index(confirmed)
    assert "David Roy   talks to staff" in ended.stdout
    assert marked.none_left()
