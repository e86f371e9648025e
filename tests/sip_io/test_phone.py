"""Two phones on loopback, over every transport."""

import asyncio

import pytest

from twoleg.sip import Destination, NameAddr, RefusalCause, SipUri, Transport
from twoleg.sip_io import (
    KnownAddresses,
    LegRefused,
    Listen,
    Phone,
    PhoneConfig,
    RingRequest,
)

LOOPBACK = "127.0.0.1"
OFFER, ANSWER = b"v=0 offer", b"v=0 answer"


def phone(*transports, **config):
    listen = tuple(Listen(transport, LOOPBACK) for transport in transports or (Transport.UDP,))
    return Phone.open(
        PhoneConfig(listen=listen, accept_calls=True, **config), KnownAddresses({LOOPBACK})
    )


def call_to(other, transport=Transport.UDP, **changes):
    address = dict(other.addresses)[transport]
    target = SipUri.parse(f"sip:bob@{address}")
    fields = {
        "target": target,
        "from_": NameAddr(SipUri.parse("sip:alice@127.0.0.1")),
        "to": NameAddr(target),
        "offer": OFFER,
        "answer_offer": lambda offer: ANSWER,
        "make_offer": lambda: OFFER,
        "destinations": (Destination(transport, address.host, address.port),),
        **changes,
    }
    return RingRequest(**fields)


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_a_call_is_rung_answered_and_hung_up_by_the_caller(transport):
    async with phone(transport) as alice, phone(transport) as bob:
        async with alice.ring(call_to(bob, transport)) as leg:
            call = await anext(bob.incoming())
            assert call.offer == OFFER
            call.ring()
            assert (await leg.progress()).status == 180
            call.accept(ANSWER)
            answer = await leg.answered()
            assert (answer.status, answer.body) == (200, ANSWER)
            assert await leg.progress() is None
            leg.acknowledge()
            assert await call.leg.established()
        end = await call.ended()
        assert end.by_remote


async def test_the_callee_hangs_up():
    async with phone() as alice, phone() as bob, alice.ring(call_to(bob)) as leg:
        call = await anext(bob.incoming())
        call.accept(ANSWER)
        await leg.answered()
        leg.acknowledge()
        assert await call.leg.established()
        call.hang_up()
        assert (await leg.ended()).by_remote


async def test_leaving_a_leg_that_rings_cancels_it():
    async with phone() as alice, phone() as bob:
        async with alice.ring(call_to(bob)) as leg:
            call = await anext(bob.incoming())
            call.ring()
            await leg.progress()
        assert (await call.ended()).by_remote


async def test_a_refusal_says_why():
    async with phone() as alice, phone() as bob, alice.ring(call_to(bob)) as leg:
        (await anext(bob.incoming())).reject(486)
        with pytest.raises(LegRefused) as refused:
            await leg.answered()
        assert (refused.value.status, refused.value.cause) == (486, RefusalCause.RESPONSE)


async def test_closing_the_phone_hangs_up_what_is_left():
    async with phone() as bob:
        async with phone() as alice:
            leg = await alice.place(call_to(bob))
            call = await anext(bob.incoming())
            call.accept(ANSWER)
            await leg.answered()
            leg.acknowledge()
            assert await call.leg.established()
        assert (await call.ended()).by_remote


async def test_a_later_offer_is_answered_by_the_session():
    answers = asyncio.Queue()
    async with phone() as alice, phone() as bob, alice.ring(call_to(bob)) as leg:
        call = await anext(bob.incoming())
        call.accept(ANSWER, accept_answer=answers.put_nowait)
        await leg.answered()
        leg.acknowledge()
        assert await call.leg.established()
        call.leg.offer(b"v=0 hold")
        assert await answers.get() == ANSWER


async def test_a_port_in_use_is_named():
    async with phone() as alice:
        port = alice.addresses[0][1].port
        with pytest.raises(OSError, match=f"sip: 127.0.0.1:{port} cannot be listened on over UDP"):
            async with Phone.open(PhoneConfig(listen=(Listen(Transport.UDP, LOOPBACK, port),))):
                pass


async def test_a_stranger_is_forbidden_and_shut_out_if_it_goes_on():
    async with (
        Phone.open(PhoneConfig(listen=(Listen(Transport.UDP, LOOPBACK),))) as guarded,
        phone() as stranger,
    ):
        address = guarded.addresses[0][1]
        there = (Destination(Transport.UDP, address.host, address.port),)
        response = await stranger.options(SipUri.parse(f"sip:{address}"), there)
        assert response.status == 403
        assert guarded.counters.forbidden == 1
