"""The whole of twoleg as its users run it, with real phones at both ends."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import trustme
from foreign_peers.ports import LOOPBACK, free_port
from foreign_peers.rtpengine import Rtpengine

READY_SECONDS: Final = 60
STOP_SECONDS: Final = 30
CALL_SECONDS: Final = 60
POLL_SECONDS: Final = 0.05
FIRST_RTP_PORT: Final = 42_000
RTP_PORTS: Final = 400
OWN_MEDIA: Final = "own media"
AT_RTPENGINE: Final = "at rtpengine"


@dataclass(frozen=True)
class Service:
    """A running `twoleg serve` with one account."""

    url: str
    sip_port: int
    tls_port: int
    ws_port: int
    wss_port: int
    token: str
    process: subprocess.Popen[str]

    def request(self, method: str, path: str, **fields: object) -> Any:
        """Ask the native API; give the reply's JSON."""
        response = httpx.request(
            method,
            f"{self.url}/api/v1{path}",
            json=fields or None,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        assert response.is_success, response.text
        return response.json() if response.content else None

    def create(self, path: str, **fields: object) -> Any:
        return self.request("POST", path, **fields)

    def place(self, **fields: object) -> int:
        """Place a call; give its id."""
        return int(self.create("/calls", **fields)["id"])

    def call_when(self, call: int, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Give the call's record once it is as wanted."""
        return wait_for(lambda: self.request("GET", f"/calls/{call}"), reached)

    def ended(self, call: int) -> dict[str, Any]:
        """Give the call's record once it has ended."""
        return self.call_when(call, lambda record: record["status"] == "ended")


@dataclass(frozen=True)
class Certificates:
    """PEM files of an authority that both ends trust, and of a certificate for loopback."""

    authorities: Path
    chain: Path
    key: Path


@dataclass(frozen=True)
class Directory:
    """What a call needs: a line over a trunk, and an agent with a phone to register."""

    line: str
    line_id: int
    trunk_id: int
    user_id: int
    sip_username: str
    sip_password: str


def wait_for(ask: Callable[[], Any], reached: Callable[[Any], bool]) -> Any:
    """Ask another process until its answer is as wanted: there is no event of it to await."""
    give_up = time.monotonic() + CALL_SECONDS
    while not reached(answer := ask()):
        assert time.monotonic() < give_up, answer
        time.sleep(POLL_SECONDS)
    return answer


@pytest.fixture(scope="session")
def worker_number(request: pytest.FixtureRequest) -> int:
    """The number of this pytest process among those of the run."""
    worker = getattr(request.config, "workerinput", {"workerid": "gw0"})["workerid"]
    return int(worker.removeprefix("gw"))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    made = Certificates(folder / "authorities.pem", folder / "chain.pem", folder / "key.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(made.authorities)
    certificate = authority.issue_cert(LOOPBACK)
    certificate.private_key_pem.write_to_path(made.key)
    for part in certificate.cert_chain_pems:
        part.write_to_path(made.chain, append=True)
    return made


@pytest.fixture(scope="session")
def service(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    worker_number: int,
    certificates: Certificates,
) -> Iterator[Service]:
    """Its media are its own, or at a node of rtpengine's for tests that ask for that."""
    low = FIRST_RTP_PORT + RTP_PORTS * worker_number
    options = ["--rtp-ports", f"{low}-{low + RTP_PORTS - 1}"]
    with contextlib.ExitStack() as stack:
        if getattr(request, "param", OWN_MEDIA) == AT_RTPENGINE:
            host, port = stack.enter_context(Rtpengine()).place
            options += ["--rtpengine", f"{host}:{port}"]
        data = tmp_path_factory.mktemp("service") / "data"
        yield stack.enter_context(running(data, certificates, *options))


@pytest.fixture(scope="session")
def line_numbers() -> Iterator[str]:
    return (f"+1855256{number}" for number in itertools.count(2001))


@pytest.fixture
def directory(service: Service, line_numbers: Iterator[str]) -> Callable[..., Directory]:
    """Make a line over a trunk to a SIP peer on loopback, and a user; both encrypt alike."""

    def make(trunk_port: int, media_encryption: str = "none", **trunk: object) -> Directory:
        number = next(line_numbers)
        trunk["media_encryption"] = media_encryption
        made = service.create(
            "/trunks", name=f"Peer of {number}", host=LOOPBACK, port=trunk_port, **trunk
        )
        line = service.create("/lines", phone_number=number, trunk_ids=[made["id"]])
        user = service.create(
            "/users",
            name=f"Agent of {number}",
            email=f"agent{number[1:]}@example.com",
            sip_username=f"agent{number[1:]}",
            media_encryption=media_encryption,
        )
        return Directory(
            line=number,
            line_id=line["id"],
            trunk_id=made["id"],
            user_id=user["id"],
            sip_username=user["sip_username"],
            sip_password=user["sip_password"],
        )

    return make


@contextlib.contextmanager
def running(
    data_dir: Path, certificates: Certificates, *options: str, ws_host: str = LOOPBACK
) -> Iterator[Service]:
    """Run `twoleg serve` on loopback until the block is left."""
    twoleg = [sys.executable, "-m", "twoleg"]
    tls, ws, wss = free_port(), free_port(), free_port()
    listen = [
        "--http", f"{LOOPBACK}:0", "--sip", f"{LOOPBACK}:0", "--sip-tls", f"{LOOPBACK}:{tls}",
        "--tls-certificate", str(certificates.chain), "--tls-key", str(certificates.key),
        "--tls-authorities", str(certificates.authorities), "--sip-ws", f"{ws_host}:{ws}",
        "--sip-wss", f"{LOOPBACK}:{wss}",
    ]  # fmt: skip
    with subprocess.Popen(
        [*twoleg, "serve", "--data-dir", str(data_dir), *listen, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TWOLEG_LOG_LEVEL": "warning"},
    ) as process:
        try:
            http, sip = _ready(process)
            made = subprocess.run(
                [*twoleg, "setup", "--data-dir", str(data_dir), "--json"],
                check=True,
                capture_output=True,
                text=True,
                timeout=READY_SECONDS,
            )
            port = int(sip.rpartition(":")[2])
            yield Service(http, port, tls, ws, wss, json.loads(made.stdout)["token"], process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def _ready(process: subprocess.Popen[str]) -> tuple[str, str]:
    assert process.stdout is not None
    for line in process.stdout:
        words = line.split()
        if words[:1] == ["ready"]:
            return words[1], words[2]
    raise AssertionError(f"serve ended with {process.wait()}")
