"""A network in virtual time, with two user agents and a far end played by hand."""

from __future__ import annotations

import pytest
from sip_network import FarEnd, Network, Peer


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def caller(network: Network) -> Peer:
    return network.peer("10.0.0.1")


@pytest.fixture
def callee(network: Network) -> Peer:
    return network.peer("10.0.0.2")


@pytest.fixture
def far(network: Network) -> FarEnd:
    return network.far_end("10.0.0.9")
