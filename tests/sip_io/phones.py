"""Phones on loopback, and what they say to each other."""

from contextlib import asynccontextmanager

from twoleg.sip import Destination, NameAddr, SipUri, Transport
from twoleg.sip_io import KnownAddresses, Listen, Phone, PhoneConfig, RingRequest

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
    fields = {
        "target": target,
        "from_": NameAddr(SipUri.parse("sip:alice@127.0.0.1")),
        "to": NameAddr(target),
        "offer": OFFER,
        "answer_offer": lambda offer: ANSWER,
        "make_offer": lambda: OFFER,
        **changes,
    }
    return RingRequest(**fields)


def call_to(other, transport=Transport.UDP, **changes):
    """What it takes to ring another phone."""
    changes.setdefault("destinations", (destination_of(other, transport),))
    return request_to(uri_of(other, transport), **changes)


@asynccontextmanager
async def established(caller, callee, request, **session):
    """Ring, answer and acknowledge: gives the caller's leg and the callee's call."""
    async with caller.ring(request) as leg:
        call = await anext(callee.incoming())
        call.accept(ANSWER, **session)
        await leg.answered()
        leg.acknowledge()
        assert await call.leg.established()
        yield leg, call
