"""SIPp as the far end of calls: one process for each test, playing a scenario."""

from __future__ import annotations

import ssl

import pytest
import trustme
from peers.sipp import Sipp

from twoleg.sip_io import TlsConfig


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
