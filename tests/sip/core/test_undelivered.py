"""What ICMP says of a datagram: how it began, and that nobody had it (RFC 3261 18.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip import (
    Address,
    Destination,
    DestinationFailed,
    RefusalCause,
    Refused,
    Transport,
    UserAgent,
    UserAgentConfig,
)

NOWHERE = Address("10.0.0.66", 5060)
QUOTED = 128
"""Bytes, of which routers quote few, and more than this."""


def udp(address):
    return Destination(Transport.UDP, address.host, address.port)


@pytest.fixture
def lost(network):
    """What was sent to where nobody is."""
    carry, lost = network.carry, []

    def all_but_lost(data, source, target, transport=Transport.UDP):
        if target == NOWHERE:
            lost.append(data)
        else:
            carry(data, source, target, transport)

    network.carry = all_but_lost
    return lost


def told(network, caller, beginning):
    caller.agent.undelivered(beginning, network.now)
    network.flush(caller)
    network.run_for(0.1)


def test_an_invite_that_reached_nobody_goes_to_the_next_destination(network, caller, far, lost):
    caller.invite(far, destinations=(udp(NOWHERE), udp(far.address)))
    network.run_for(0.1)
    told(network, caller, lost[0][:QUOTED])
    assert caller.told == [DestinationFailed(udp(NOWHERE), RefusalCause.TRANSPORT)]
    assert len(far.requests("INVITE")) == 1
    assert caller.agent.counters.undelivered == 1


def test_where_there_is_no_other_the_leg_is_refused_and_told_once(network, caller, far, lost):
    caller.invite(far, destinations=(udp(NOWHERE),))
    network.run_for(0.1)
    for _ in range(2):
        told(network, caller, lost[0][:QUOTED])
    (refused,) = caller.told_of(Refused)
    assert (refused.status, refused.cause) == (503, RefusalCause.TRANSPORT)
    assert caller.agent.counters.undelivered == 1


@pytest.mark.parametrize(
    "altered",
    [
        lambda invite: b"",
        lambda invite: invite[:40],
        lambda invite: invite.replace(b";branch=z9hG4bK", b";branch=z9hG4bKx"),
        lambda invite: b"SIP/2.0 200 OK\r\n" + invite.partition(b"\r\n")[2],
        lambda invite: b"BYE" + invite.removeprefix(b"INVITE"),
    ],
)
def test_what_is_no_request_of_ours_changes_nothing(network, caller, far, lost, altered):
    caller.invite(far, destinations=(udp(NOWHERE), udp(far.address)))
    network.run_for(0.1)
    told(network, caller, altered(lost[0])[:QUOTED])
    assert caller.told == []
    assert caller.agent.counters.undelivered == 0


@given(st.binary(max_size=300))
def test_whatever_is_quoted_raises_nothing(beginning):
    agent = UserAgent(UserAgentConfig(addresses={Transport.UDP: NOWHERE}), "x".__mul__)
    agent.undelivered(beginning, 1.0)
    assert agent.take() == ([], [], None)
