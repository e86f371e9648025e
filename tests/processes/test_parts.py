"""The parts alone, and the version of the database that they insist on."""

from __future__ import annotations

import signal

import pytest
from processes.watching import LOOPBACK, STOP_SECONDS

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

CONFIG, UNAVAILABLE = 78, 69


@pytest.mark.parametrize("part", ["api", "engine", "worker"])
def test_a_part_without_a_database_says_what_to_do(marked, tmp_path, part) -> None:
    ended = marked.run(part, "--data-dir", str(tmp_path / "data"))

    assert ended.returncode == CONFIG
    assert "TWOLEG_DATABASE_URL" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("part", ["api", "engine", "worker"])
def test_a_part_refuses_tables_of_another_version(marked, empty_database_url, part) -> None:
    ended = marked.run(part, TWOLEG_DATABASE_URL=empty_database_url)

    assert ended.returncode == CONFIG
    assert "twoleg db upgrade" in ended.stderr


def test_tables_are_made_by_hand_for_the_parts_alone(marked, empty_database_url) -> None:
    database = {"TWOLEG_DATABASE_URL": empty_database_url}

    assert marked.run("db", "check", **database).returncode == CONFIG
    upgraded = marked.run("db", "upgrade", **database)
    assert upgraded.returncode == 0, upgraded.stderr
    checked = marked.run("db", "check", **database)
    assert checked.returncode == 0
    assert "which fits" in checked.stdout


@pytest.mark.parametrize(
    ("part", "options", "says"),
    [
        ("api", ["--http", f"{LOOPBACK}:0"], f"ready http://{LOOPBACK}:"),
        ("engine", ["--sip", f"{LOOPBACK}:0"], f"ready sip:{LOOPBACK}:"),
        ("worker", [], "ready worker"),
    ],
)
def test_a_part_alone_runs_until_it_is_told_to_stop(
    marked, database_url, part, options, says
) -> None:
    with marked.start(part, *options, TWOLEG_DATABASE_URL=database_url) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(says)

        process.send_signal(signal.SIGTERM)

        assert process.wait(STOP_SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert marked.none_left()


def test_two_parts_of_one_kind_share_a_database(marked, database_url) -> None:
    both = [marked.start("worker", TWOLEG_DATABASE_URL=database_url) for _ in range(2)]
    for process in both:
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready worker\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_SECONDS) == 0
