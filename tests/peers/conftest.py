"""SIPp as the far end of calls: one process for each test, playing a scenario."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme
from peers.sipp import Sipp

from twoleg.sip_io import TlsConfig


class MovedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test may put forward: what takes a minute is due at once."""

    ahead = 0.0

    def time(self):
        return super().time() + self.ahead


def pytest_asyncio_loop_factories(config, item):
    return {"moved": MovedLoop}


@pytest.fixture
def pass_time():
    """Put the clock of our side forward, and let what is due then happen."""

    async def pass_time(seconds):
        asyncio.get_running_loop().ahead += seconds
        for _ in range(3):
            await asyncio.sleep(0)

    return pass_time


@pytest.fixture
def sipp(tmp_path):
    """Run SIPp as a callee: `async with sipp("busy") as peer`; it must end well."""

    def run(scenario, **options):
        return Sipp.run(scenario, tmp_path, **options)

    return run


@pytest.fixture
def tls(tmp_path):
    """TLS for a far end on loopback, and for a caller that trusts it and is trusted."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(front)
    authority.cert_pem.write_to_path(tmp_path / "authorities.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    return front, TlsConfig(
        certificate=tmp_path / "certificate.pem",
        key=tmp_path / "key.pem",
        authorities=tmp_path / "authorities.pem",
    )
