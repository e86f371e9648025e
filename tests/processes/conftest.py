"""twoleg as processes: started, watched and ended as its users do."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator

import pytest
from processes.watching import LOOPBACK, RTP_PORTS, Marked, Serve, Serving

PHONES_PORTS = 4000
"""How far above those of the service the ports of a test's phones lie."""


@pytest.fixture
def marked() -> Iterator[Marked]:
    """Starts processes, none of which outlives the test."""
    marked = Marked(uuid.uuid4().hex)
    yield marked
    marked.kill()


@pytest.fixture(scope="session")
def rtp_ports(worker_id: str) -> str:
    """A range of its own for each worker of pytest, below what outgoing connections use."""
    number = int(worker_id.removeprefix("gw") or 0) if worker_id != "master" else 0
    low = 12_000 + RTP_PORTS * number
    return f"{low}-{low + RTP_PORTS - 1}"


@pytest.fixture(scope="session")
def media_ports(rtp_ports: str) -> range:
    """As many ports for the phones of tests, beside those of the service."""
    low = int(rtp_ports.partition("-")[0]) + PHONES_PORTS
    return range(low, low + RTP_PORTS)


@pytest.fixture
def serve(marked: Marked, rtp_ports: str) -> Serve:
    return Serve(marked, rtp_ports)


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody else has, for TCP and UDP."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        stream.bind((LOOPBACK, 0))
        stream.listen()
        port: int = stream.getsockname()[1]
        datagrams.bind((LOOPBACK, port))
        yield port


@pytest.fixture(scope="module")
def new_serve(rtp_ports: str) -> Iterator[Serve]:
    """Starts services for all tests of a module."""
    marked = Marked(uuid.uuid4().hex)
    yield Serve(marked, rtp_ports)
    marked.kill()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, rtp_ports: str) -> Iterator[Serving]:
    """A service for the tests of a module that leave it as it was."""
    marked = Marked(uuid.uuid4().hex)
    try:
        with Serve(marked, rtp_ports)(tmp_path_factory.mktemp("serving") / "data") as serving:
            yield serving
    finally:
        marked.kill()
