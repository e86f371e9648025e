import asyncio
from pathlib import Path

import pytest
import trustme
import uvloop
from name_server import name_server_of

from twoleg.sip_io import TlsConfig


class WatchedLoop(uvloop.Loop):
    """The event loop of production, remembering its timers."""

    def __init__(self):
        super().__init__()
        self.timers = []

    def call_at(self, when, callback, *args, context=None):
        return self.watched(super().call_at(when, callback, *args, context=context))

    def call_later(self, delay, callback, *args, context=None):
        return self.watched(super().call_later(delay, callback, *args, context=context))

    def watched(self, handle):
        # What is due at once is no timer.
        if hasattr(handle, "when"):
            self.timers.append(handle)
        return handle


def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": WatchedLoop}


@pytest.fixture(scope="session")
def authority():
    """Who signs the certificates that phones of a test trust."""
    return trustme.CA()


@pytest.fixture(scope="session")
def issue(authority, tmp_path_factory):
    """Give the TLS settings of a phone whose certificate names these hosts or addresses."""

    def issue(*identities, authority=authority):
        folder = tmp_path_factory.mktemp("tls")
        certificate = authority.issue_cert(*identities)
        authority.cert_pem.write_to_path(folder / "authorities.pem")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(folder / "certificate.pem", append=True)
        return TlsConfig(
            certificate=folder / "certificate.pem",
            key=folder / "key.pem",
            authorities=folder / "authorities.pem",
        )

    return issue


@pytest.fixture(scope="session")
def tls(issue):
    """TLS settings of a phone on loopback."""
    return issue("127.0.0.1")


def open_sockets():
    """The inodes of this process's IP sockets (the event loop has others of its own)."""
    ours = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            ours.add(str(entry.readlink()))
        except FileNotFoundError:
            continue
    found = set()
    for table in ("udp", "udp6", "tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            found.add(f"socket:[{line.split()[9]}]")
    return ours & found


@pytest.fixture(autouse=True)
async def nothing_is_left():
    """After every test: no task, no socket and no timer that was not there before."""
    before = open_sockets()
    yield
    for _ in range(5):
        await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert open_sockets() <= before
    waiting = [
        timer
        for timer in getattr(loop, "timers", ())
        if not timer.cancelled() and timer.when() > loop.time()
    ]
    assert not waiting


@pytest.fixture
def name_server():
    """Serve records (name, ttl, kind, *data) on loopback: `async with name_server(...)`."""
    return name_server_of
