"""Phones on loopback, and what they say to each other."""

from contextlib import asynccontextmanager

from twoleg.sip import Destination, Invitation, NameAddr, SipUri, Transport
from twoleg.sip_io import NO_CHANGES, KnownAddresses, Listen, Phone, PhoneConfig

LOOPBACK = "127.0.0.1"
OFFER, ANSWER = b"v=0 offer", b"v=0 answer"


def phone(*transports, gatekeeper=None, bindings=None, **config):
    """A phone that lets all of loopback in, on free ports."""
    listen = tuple(Listen(transport, LOOPBACK) for transport in transports or (Transport.UDP,))
    return Phone.open(
        PhoneConfig(listen=listen, **{"accept_calls": True, **config}),
        gatekeeper or KnownAddresses({LOOPBACK}),
        bindings,
    )


def address_of(phone, transport=Transport.UDP):
    return dict(phone.addresses)[transport]


def destination_of(phone, transport=Transport.UDP, **fields):
    address = address_of(phone, transport)
    return Destination(transport, address.host, address.port, **fields)


def uri_of(phone, transport=Transport.UDP):
    return SipUri.parse(f"sip:bob@{address_of(phone, transport)};transport={transport.value}")


def request_to(target, **changes):
    """Give an INVITE to a target."""
    fields = {
        "target": target,
        "from_": NameAddr(SipUri.parse("sip:alice@127.0.0.1")),
        "to": NameAddr(target),
        "body": OFFER,
        **changes,
    }
    return Invitation(**fields)


def call_to(other, transport=Transport.UDP, **changes):
    """What it takes to ring another phone."""
    changes.setdefault("destinations", (destination_of(other, transport),))
    return request_to(uri_of(other, transport), **changes)


@asynccontextmanager
async def established(caller, callee, invitation, ours=NO_CHANGES, theirs=NO_CHANGES):
    """Ring, answer and acknowledge: gives the caller's leg and the callee's call.

    `ours` is the caller's session, `theirs` the callee's.
    """
    async with caller.ring(invitation, ours) as leg:
        call = await anext(callee.incoming())
        call.accept(ANSWER, theirs)
        await leg.answered()
        leg.acknowledge()
        assert await call.leg.established()
        yield leg, call
