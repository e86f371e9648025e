"""Phones that speak over IPv6, on real sockets."""

import pytest
from sip_io.phones import ANSWER, established, request_to

from twoleg.sip import Destination, SipUri, Transport
from twoleg.sip_io import KnownAddresses, Listen, Phone, PhoneConfig

LOOPBACK = "::1"


@pytest.fixture(scope="session")
def tls(issue):
    return issue(LOOPBACK)


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP, Transport.TLS])
async def test_a_call_is_set_up_and_ended_over_ipv6(transport, tls):
    config = PhoneConfig(listen=(Listen(transport, LOOPBACK),), accept_calls=True, tls=tls)
    peers = KnownAddresses({LOOPBACK})
    async with Phone.open(config, peers) as alice, Phone.open(config, peers) as bob:
        [(_, there)] = bob.addresses
        target = SipUri.parse(f"sip:bob@[::1]:{there.port};transport={transport.value.lower()}")
        request = request_to(target, destinations=(Destination(transport, LOOPBACK, there.port),))
        async with established(alice, bob, request) as (leg, call):
            assert leg.identity.remote_target.startswith("sip:")
            assert f"@[::1]:{there.port}" in leg.identity.remote_target
            assert call.flow.remote.host == LOOPBACK
            assert (await leg.answered()).body == ANSWER
            call.hang_up()
            assert (await leg.ended()).by_remote


async def test_an_address_that_was_not_asked_for_is_told_with_brackets():
    async with Phone.open(PhoneConfig(listen=(Listen(Transport.UDP, LOOPBACK),))) as phone:
        [(_, address)] = phone.addresses
        assert str(address) == f"[::1]:{address.port}"
        assert phone.advertised[Transport.UDP] == address
