"""`twoleg serve` as its users meet it: start, stop, refusals, crashes."""

from __future__ import annotations

import os
import signal

import httpx
import pytest
from processes.watching import LOOPBACK, Serving, alive, wait_until

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

CONFIG = 78
PARTS = {"api", "engine", "worker"}


def test_it_says_when_it_is_ready_and_prints_the_account_once(serve, tmp_path) -> None:
    with serve(tmp_path / "data") as first:
        assert [line.split()[0] for line in first.said] == ["account", "ready"]
        assert set(first.parts()) == PARTS
        assert first.get("/health").status_code == 200
        assert first.get("/calls").json()["data"] == []
        assert first.get("/calls", token="another").status_code == 401
    with serve(tmp_path / "data") as second:
        assert [line.split()[0] for line in second.said] == ["ready"]
        assert second.get("/calls", token=first.token).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_in_order(serve, marked, tmp_path, number) -> None:
    with serve(tmp_path / "data") as serving:
        pids = [serving.postgres(), *serving.parts().values()]
        assert all(alive(pid) for pid in pids)

        assert serving.stop(number) == 0

        assert not any(alive(pid) for pid in pids)
        assert marked.none_left()


def test_a_signal_while_it_starts_leaves_nothing(serve, marked, tmp_path) -> None:
    process = serve.start(tmp_path / "data")
    wait_until((tmp_path / "data").exists, "the data directory")

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    wait_until(marked.none_left, "the end of all processes")


def test_a_second_one_on_the_same_directory_is_refused(serving, serve) -> None:
    second = serve.refused(serving.data_dir)

    assert second.returncode == CONFIG
    assert f"in use by process {serving.process.pid}" in second.stderr
    assert "--data-dir" in second.stderr
    assert "Traceback" not in second.stderr
    assert serving.get("/health").status_code == 200


@pytest.mark.parametrize("setting", ["http", "sip"])
def test_a_port_in_use_is_named_with_its_setting(
    serve, marked, tmp_path, taken_port, setting
) -> None:
    ended = serve.refused(tmp_path / "data", f"--{setting}", f"{LOOPBACK}:{taken_port}")

    assert ended.returncode == CONFIG
    assert f"{LOOPBACK}:{taken_port} cannot be listened on" in ended.stderr
    assert f"TWOLEG_{setting.upper()}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "ready" not in ended.stdout
    wait_until(marked.none_left, "the end of all processes")


def test_a_directory_that_is_not_ours_is_refused_and_left_alone(serve, marked, tmp_path) -> None:
    (tmp_path / "cat.jpg").write_text("meow")

    ended = serve.refused(tmp_path)

    assert ended.returncode == CONFIG
    assert "not a data directory of twoleg" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["cat.jpg"]
    assert marked.none_left()


def test_parts_end_when_their_supervisor_is_killed_and_the_database_is_found_again(
    serve, marked, tmp_path
) -> None:
    with serve(tmp_path / "data") as first:
        parts, postgres = first.parts(), first.postgres()

        first.process.kill()
        first.process.wait()

        for name, pid in parts.items():
            wait_until(lambda pid=pid: not alive(pid), f"the end of {name}")
        assert alive(postgres)
    with serve(tmp_path / "data") as second:
        assert second.postgres() == postgres
        assert second.get("/calls", token=first.token).status_code == 200
        assert second.stop() == 0
    assert not alive(postgres)
    assert marked.none_left()


def test_a_part_that_falls_over_is_started_again_at_its_address(serving) -> None:
    before = serving.parts()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        now = serving.parts()
        return set(now) == PARTS and not set(now.values()) & set(before.values())

    wait_until(back, "the parts")
    wait_until(lambda: answers(serving), "the api")


def test_a_database_that_falls_over_is_started_again(serving) -> None:
    before = serving.postgres()
    os.kill(before, signal.SIGKILL)

    wait_until(lambda: not alive(before), "the end of the database")
    wait_until(lambda: answers(serving), "the api and its database")
    assert serving.postgres() != before


def answers(serving: Serving) -> bool:
    try:
        return serving.get("/calls").status_code == 200
    except httpx.TransportError:
        return False


def test_with_a_database_of_ones_own_none_is_embedded_and_its_password_is_on_no_command_line(
    serve, marked, tmp_path, empty_database_url
) -> None:
    url = f"{empty_database_url}&password=hush"
    with serve(tmp_path / "data", TWOLEG_DATABASE_URL=url) as serving:
        assert serving.get("/calls").status_code == 200
        assert not (tmp_path / "data" / "postgres").exists()
        assert not any("hush" in word for _, command in marked.left() for word in command)


def test_a_database_that_does_not_answer_is_named(serve, tmp_path) -> None:
    url = f"postgresql://nobody@/nothing?host={tmp_path}"

    ended = serve.refused(tmp_path / "data", TWOLEG_DATABASE_URL=url)

    assert ended.returncode == 69
    assert "The database cannot be reached" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_account_is_made_before_and_while_it_runs(serve, marked, tmp_path) -> None:
    options = ("setup", "--data-dir", str(tmp_path / "data"), "--json")
    before = marked.run(*options)
    assert before.returncode == 0, before.stderr
    with serve(tmp_path / "data") as serving:
        during = marked.run(*options, "--name", "Second")
        assert during.returncode == 0, during.stderr
        accounts = [httpx.Response(200, text=made.stdout).json() for made in (before, during)]
        for account in accounts:
            assert serving.get("/calls", token=account["token"]).status_code == 200
        assert accounts[0]["account_id"] != accounts[1]["account_id"]
        assert [line.split()[0] for line in serving.said] == ["ready"]
