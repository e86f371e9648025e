"""`twoleg doctor`: each thing that can be wrong is found and its mend named."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from foreign_peers.rtpengine import Rtpengine

FAILED = 1


@pytest.fixture
def taken() -> Iterator[int]:
    """A TCP port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def doctor(twoleg, free_port, monkeypatch):
    monkeypatch.setenv("TWOLEG_HTTP", f"127.0.0.1:{free_port}")
    monkeypatch.setenv("TWOLEG_SIP", "127.0.0.1:0")

    def examine(*arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        ended = twoleg("doctor", "--json", *arguments)
        return ended.exit_code, {finding["subject"]: finding for finding in ended.json}

    return examine


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_new_installation_has_nothing_that_fails(doctor) -> None:
    exit_code, findings = doctor()

    assert exit_code == 0
    assert findings["settings"]["level"] == "ok"
    assert findings["http"]["level"] == "ok"
    assert findings["service"]["level"] == "warn"
    assert "twoleg serve" in findings["service"]["mend"]


def test_a_port_in_use_fails_and_names_the_setting(doctor, taken) -> None:
    exit_code, findings = doctor("--http", f"127.0.0.1:{taken}")

    assert exit_code == FAILED
    assert findings["http"]["level"] == "fail"
    assert "TWOLEG_HTTP" in findings["http"]["mend"]


def test_an_address_of_another_machine_fails(doctor) -> None:
    _, findings = doctor("--sip", "192.0.2.1:5060")

    assert findings["sip"]["level"] == "fail"
    assert "no address of this machine" in findings["sip"]["mend"]


def test_a_directory_that_is_not_ours_fails(doctor, tmp_path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()

    exit_code, findings = doctor("--data-dir", "photos")

    assert exit_code == FAILED
    assert "other files" in findings["data directory"]["detail"]


def test_too_few_rtp_ports_for_the_calls_are_a_warning(doctor) -> None:
    exit_code, findings = doctor("--rtp-ports", "20000-20039")

    assert exit_code == 0
    assert "room for 10 calls" in findings["rtp ports"]["detail"]


def test_the_sip_port_must_not_lie_among_the_rtp_ports(doctor) -> None:
    _, findings = doctor("--rtp-ports", "5000-29999", "--sip", "127.0.0.1:5060")

    assert findings["rtp ports"]["level"] == "fail"


def test_an_rtpengine_node_that_does_not_answer_fails(doctor, free_port) -> None:
    exit_code, findings = doctor("--rtpengine", f"127.0.0.1:{free_port}")

    assert exit_code == FAILED
    assert findings["rtpengine"]["detail"] == f"127.0.0.1:{free_port} does not answer"


@pytest.mark.peer
def test_an_rtpengine_node_that_answers_is_ok(doctor) -> None:
    with Rtpengine() as node:
        host, port = node.place
        _, findings = doctor("--rtpengine", f"{host}:{port}")

    assert findings["rtpengine"]["level"] == "ok"


def test_a_loopback_address_is_a_warning(doctor) -> None:
    _, findings = doctor("--public-address", "127.0.0.1")

    assert findings["public address"]["level"] == "warn"


def test_a_database_that_is_away_fails(doctor, tmp_path) -> None:
    exit_code, findings = doctor("--database-url", f"postgresql://nobody@/nothing?host={tmp_path}")

    assert exit_code == FAILED
    assert "TWOLEG_DATABASE_URL" in findings["database"]["mend"]


def test_a_database_without_tables_names_the_command(doctor, empty_database_url) -> None:
    _, findings = doctor("--database-url", empty_database_url)

    assert findings["database"]["level"] == "ok"
    assert findings["clock"]["level"] == "ok"
    assert findings["tables"]["level"] == "fail"
    assert "twoleg db upgrade" in findings["tables"]["mend"]


def test_a_database_that_fits_is_ok(doctor, database_url) -> None:
    _, findings = doctor("--database-url", database_url)

    assert findings["tables"]["level"] == "ok"


def certificate(directory: Path, *, days: int) -> list[str]:
    """Write a chain and its key; return the options that name them."""
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    issued = trustme.CA().issue_cert(
        "sip.example.com", not_before=ends - dt.timedelta(days=365), not_after=ends
    )
    chain, key = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return ["--tls-certificate", str(chain), "--tls-key", str(key)]


@pytest.mark.parametrize(("days", "level"), [(100, "ok"), (5, "warn"), (-1, "fail")])
def test_the_end_of_a_certificate_is_told_in_time(doctor, tmp_path, days, level) -> None:
    _, findings = doctor(*certificate(tmp_path, days=days))

    assert findings["tls certificate"]["level"] == level


def test_a_key_of_another_certificate_fails(doctor, tmp_path) -> None:
    options = certificate(tmp_path, days=100)
    other = trustme.CA().issue_cert("sip.example.com").private_key_pem
    Path(options[-1]).write_bytes(other.bytes())

    _, findings = doctor(*options)

    assert findings["tls certificate"]["level"] == "fail"
    assert "key that belongs to it" in findings["tls certificate"]["mend"]


def test_the_trunks_of_the_running_service_are_looked_at(doctor, api) -> None:
    api.on("GET /health", {"status": "ok"})
    api.on("GET /health/ready", {"status": "ok", "database": "ok", "engines": 1})
    api.on(
        "GET /trunks?limit=200",
        {
            "data": [
                {"id": 1, "name": "Good", "host": "sip.good.example", "state": "reachable"},
                {
                    "id": 2, "name": "Bad", "host": "sip.bad.example", "state": "unreachable",
                    "state_detail": "no answer to OPTIONS",
                },
                {"id": 3, "name": "New", "host": "sip.new.example", "state": "unknown"},
            ],
            "next_cursor": None,
        },
    )  # fmt: skip

    exit_code, findings = doctor("--http", api.url.removeprefix("http://"))

    assert exit_code == FAILED
    assert findings["http"]["level"] == "ok"
    levels = [findings[f"trunk {name}"]["level"] for name in ("Good", "Bad", "New")]
    assert levels == ["ok", "fail", "warn"]
    assert "no answer to OPTIONS" in findings["trunk Bad"]["detail"]


def test_a_service_without_an_engine_fails(doctor, api) -> None:
    api.on("GET /health", {"status": "ok"})
    unready = {"status": "unavailable", "database": "ok", "engines": 0}
    api.on("GET /health/ready", unready, status=503)

    exit_code, findings = doctor("--http", api.url.removeprefix("http://"))

    assert exit_code == FAILED
    assert "no engine runs" in findings["service"]["detail"]


def test_people_get_a_line_for_each_finding(twoleg, free_port) -> None:
    ended = twoleg("doctor", "--http", f"127.0.0.1:{free_port}", "--sip", "127.0.0.1:0")

    assert ended.exit_code == 0
    assert "twoleg serve" in ended.out


def test_a_host_by_name_is_looked_up(doctor) -> None:
    exit_code, findings = doctor("--sip", "localhost:0")

    assert exit_code == 0
    assert findings["sip"]["level"] == "ok"
    assert findings["public address"]["level"] == "warn"
