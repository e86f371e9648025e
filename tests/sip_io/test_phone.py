"""Two phones on loopback, over every transport."""

import asyncio

import pytest
from sessions import Scripted, next_progress
from sip_io.phones import (
    ANSWER,
    LOOPBACK,
    OFFER,
    address_of,
    call_to,
    destination_of,
    established,
    phone,
    request_to,
    uri_of,
)

from twoleg.sip import (
    Destination,
    Flow,
    RefusalCause,
    SessionRejected,
    SipUri,
    Transport,
)
from twoleg.sip_io import (
    AddressInUse,
    LegRefused,
    Listen,
    Phone,
    PhoneClosed,
    PhoneConfig,
    RequestFailed,
    ShutOutRules,
)

ALL = [Transport.UDP, Transport.TCP, Transport.TLS]


@pytest.mark.parametrize("transport", ALL)
async def test_a_call_is_rung_answered_and_hung_up_by_the_caller(transport, tls):
    async with phone(transport, tls=tls) as alice, phone(transport, tls=tls) as bob:
        async with alice.ring(call_to(bob, transport)) as leg:
            call = await anext(bob.incoming())
            assert call.offer == OFFER
            assert call.flow.transport is transport
            call.ring()
            assert (await next_progress(leg)).status == 180
            call.accept(ANSWER)
            answer = await leg.answered()
            assert (answer.status, answer.body) == (200, ANSWER)
            leg.acknowledge()
            assert await call.leg.established()
        end = await call.ended()
        assert end.by_remote


@pytest.mark.parametrize("transport", ALL)
async def test_the_callee_hangs_up(transport, tls):
    async with (
        phone(transport, tls=tls) as alice,
        phone(transport, tls=tls) as bob,
        established(alice, bob, call_to(bob, transport)) as (leg, call),
    ):
        call.hang_up()
        assert (await leg.ended()).by_remote


async def test_who_wants_to_be_told_of_a_legs_end_is_told_once():
    async with (
        phone() as alice,
        phone() as bob,
        established(alice, bob, call_to(bob)) as (leg, call),
    ):
        told, not_told = [], []
        leg.when_ended(not_told.append)
        leg.when_ended(told.append)
        call.hang_up()
        end = await leg.ended()
        leg.hang_up()
        assert (told, not_told) == ([end], [])
        late = asyncio.get_running_loop().create_future()
        leg.when_ended(late.set_result)
        assert not late.done()
        assert await late is end
        leg.when_ended(not_told.append)
        leg.when_ended(None)
        await asyncio.sleep(0)
        assert not_told == []


async def test_leaving_a_leg_that_rings_cancels_it():
    async with phone() as alice, phone() as bob:
        async with alice.ring(call_to(bob)) as leg:
            call = await anext(bob.incoming())
            call.ring()
            await next_progress(leg)
        assert (await call.ended()).by_remote


async def test_a_leg_that_was_hung_up_has_ended_for_its_own_side_at_once():
    async with phone() as alice, phone() as bob, alice.ring(call_to(bob)) as leg:
        call = await anext(bob.incoming())
        leg.hang_up()
        with pytest.raises(LegRefused) as refused:
            await leg.answered()
        assert refused.value.cause is RefusalCause.CANCELED
        await call.ended()
        call.accept(ANSWER)  # too late, and harmless


async def test_waits_that_were_given_up_are_not_kept_and_the_others_go_on():
    async with phone() as alice, phone() as bob, alice.ring(call_to(bob)) as leg:
        call = await anext(bob.incoming())
        staying = asyncio.create_task(leg.answered())
        for _ in range(20):
            leaving = asyncio.create_task(leg.answered())
            await asyncio.sleep(0)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
        assert len(leg._waiters) <= 2
        call.accept(ANSWER)
        assert (await staying).body == ANSWER
        leg.acknowledge()


async def test_a_leg_tells_of_its_ringing_until_it_is_answered():
    async with phone() as alice, phone() as bob, alice.ring(call_to(bob)) as leg:
        told = []
        leg.when_progress(lambda progress: told.append(progress.status))
        call = await anext(bob.incoming())
        call.ring()
        call.ring(183)
        call.accept(ANSWER)
        await leg.answered()
        leg.acknowledge()
        assert told == [180, 183]


async def test_an_invite_can_be_told_to_another_process_until_it_is_answered():
    async with phone() as alice, phone() as bob, alice.ring(call_to(bob)) as leg:
        sent = leg.invite
        call = await anext(bob.incoming())
        assert call.request.branch == sent.branch
        call.ring()
        await next_progress(leg)
        assert leg.invite == sent
        call.accept(ANSWER)
        await leg.answered()
        leg.acknowledge()
        assert leg.invite is None


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
        assert alice.legs == 0


async def test_closing_the_phone_does_not_wait_for_a_far_end_that_is_silent():
    loop = asyncio.get_running_loop()
    silent, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=(LOOPBACK, 0)
    )
    host, port = silent.get_extra_info("sockname")
    async with phone(drain_seconds=0.01) as alice:
        there = Destination(Transport.UDP, host, port)
        leg = await alice.place(request_to(uri_of(alice), destinations=(there,)))
        asking = asyncio.create_task(alice.options(uri_of(alice), (there,)))
        await asyncio.sleep(0)
    with pytest.raises(LegRefused):
        await leg.answered()
    with pytest.raises(PhoneClosed):
        await asking
    with pytest.raises(PhoneClosed):
        await alice.options(uri_of(alice), (there,))
    with pytest.raises(LegRefused):
        await (await alice.place(request_to(uri_of(alice), destinations=(there,)))).answered()
    silent.close()


async def test_the_callee_puts_the_caller_on_hold():
    """The session of either side answers later offers; `accept_answer` is told the answer."""
    offers, answers = [], asyncio.Queue()

    def answer_offer(offer):
        offers.append(offer)
        return b"v=0 held"

    async with (
        phone() as alice,
        phone() as bob,
        established(
            alice,
            bob,
            call_to(bob),
            ours=Scripted(answer_offer=answer_offer),
            theirs=Scripted(accept_answer=answers.put_nowait),
        ) as (_, call),
    ):
        call.leg.offer(b"v=0 hold")
        assert await answers.get() == b"v=0 held"
        assert offers == [b"v=0 hold"]


async def test_an_offer_that_the_session_rejects_leaves_the_call_as_it_was():
    rejected, failed = asyncio.Event(), asyncio.Event()

    def reject(offer):
        rejected.set()
        raise SessionRejected("no codec in common")

    def fail(offer):
        failed.set()
        raise RuntimeError

    async with (
        phone() as alice,
        phone() as bob,
        established(
            alice,
            bob,
            call_to(bob),
            ours=Scripted(answer_offer=fail),
            theirs=Scripted(answer_offer=reject),
        ) as (leg, call),
    ):
        leg.offer(b"v=0 hold")
        await rejected.wait()
        call.leg.offer(b"v=0 hold")
        await failed.wait()
        call.hang_up()
        assert (await leg.ended()).by_remote
        assert (alice.counters.callback_errors, bob.counters.callback_errors) == (1, 0)


async def test_an_answer_of_no_use_to_our_offer_ends_the_call():
    def reject(answer):
        raise SessionRejected("no codec in common")

    async with (
        phone() as alice,
        phone() as bob,
        established(
            alice,
            bob,
            call_to(bob),
            ours=Scripted(accept_answer=reject),
            theirs=Scripted(answer_offer=lambda offer: ANSWER),
        ) as (leg, call),
    ):
        leg.offer(b"v=0 hold")
        end = await call.ended()
        assert (end.by_remote, end.status) == (True, 488)


async def test_a_dialog_is_hung_up_by_a_phone_that_did_not_make_it():
    async with (
        phone() as heir,
        phone() as alice,
        phone() as bob,
        established(alice, bob, call_to(bob)) as (leg, call),
    ):
        await heir.hang_up_dialog(leg.identity)
        assert (await call.ended()).by_remote
    with pytest.raises(PhoneClosed):
        await heir.hang_up_dialog(leg.identity)


async def test_too_many_incoming_calls_that_nobody_takes_are_turned_away():
    async with (
        phone() as alice,
        phone(max_incoming=1) as bob,
        alice.ring(call_to(bob)),
        alice.ring(call_to(bob)) as second,
    ):
        with pytest.raises(LegRefused) as refused:
            await second.answered()
        assert refused.value.status == 486
        assert bob.counters.calls_overflowed == 1


async def test_a_call_by_a_flow_goes_to_where_the_flow_came_from():
    """What a phone behind NAT says of its address leads nowhere (RFC 3581, RFC 5626 5.3)."""
    async with phone() as alice, phone() as bob:
        flow = Flow(Transport.UDP, address_of(alice), address_of(bob))
        target = SipUri.parse("sip:bob@192.0.2.1:5070")
        async with established(alice, bob, request_to(target, flow=flow)) as (_, call):
            pass
        assert (await call.ended()).by_remote


async def test_an_offer_too_large_for_a_datagram_goes_by_tcp_or_as_it_can():
    """RFC 3261 18.1.1."""
    large = b"v=0" + b" " * 1400
    both = (Transport.UDP, Transport.TCP)
    async with phone(*both) as alice, phone() as bob:
        async with alice.ring(call_to(bob, body=large)):
            call = await anext(bob.incoming())
            assert (call.flow.transport, call.offer) == (Transport.UDP, large)
        await call.ended()


async def test_a_port_in_use_is_named():
    async with phone(Transport.TCP) as alice:
        port = address_of(alice, Transport.TCP).port
        with pytest.raises(AddressInUse) as caught:
            async with Phone.open(PhoneConfig(listen=(Listen(Transport.TCP, LOOPBACK, port),))):
                pass
        assert caught.value.address == f"127.0.0.1:{port}"
        assert str(caught.value).startswith(
            f"sip: 127.0.0.1:{port} cannot be listened on over TCP: "
        )


async def test_tls_needs_a_certificate_to_listen_with():
    with pytest.raises(ValueError, match="certificate"):
        async with phone(Transport.TLS):
            pass


async def test_a_transport_that_the_phone_has_not_is_a_failure_not_an_error():
    async with phone() as alice:
        there = (Destination(Transport.TLS, LOOPBACK, 5061),)
        with pytest.raises(RequestFailed) as failed:
            await alice.options(uri_of(alice), there)
        assert failed.value.cause is RefusalCause.TRANSPORT
        async with alice.ring(request_to(uri_of(alice), destinations=there)) as leg:
            with pytest.raises(LegRefused) as refused:
                await leg.answered()
            assert refused.value.cause is RefusalCause.TRANSPORT


@pytest.mark.parametrize("host", ["255.255.255.255", "2001:db8::1"])
async def test_a_datagram_that_the_system_refuses_is_a_failure_at_once(host):
    async with phone() as alice:
        there = (Destination(Transport.UDP, host, 5060),)
        async with alice.ring(request_to(uri_of(alice), destinations=there)) as leg:
            with pytest.raises(LegRefused) as refused:
                await leg.answered()
            assert refused.value.cause is RefusalCause.TRANSPORT
        assert alice.counters.send_failures == 1


async def test_a_stranger_is_forbidden_and_shut_out_if_it_goes_on():
    rules = ShutOutRules(strikes=2, shut_seconds=600)
    listen = (Listen(Transport.UDP, LOOPBACK), Listen(Transport.TCP, LOOPBACK))
    async with (
        Phone.open(PhoneConfig(listen=listen, shut_out=rules)) as guarded,
        phone(Transport.UDP, Transport.TCP) as stranger,
    ):
        for transport in (Transport.TCP, Transport.UDP):
            response = await stranger.options(
                uri_of(guarded), (destination_of(guarded, transport),)
            )
            assert response.status == 403
        assert guarded.counters.forbidden == 2
        assert guarded.counters.sources_shut_out == 1
        # The connection that is open already is of no use any more, nor is a new one.
        with pytest.raises(RequestFailed):
            await stranger.options(uri_of(guarded), (destination_of(guarded, Transport.TCP),))
        assert guarded.counters.forbidden == 2


async def test_options_says_what_the_phone_can():
    async with phone() as alice, phone() as bob:
        response = await alice.options(uri_of(bob), (destination_of(bob),))
        assert response.status == 200
        assert "INVITE" in response.headers.get("Allow")


MISFIT = b"""\
OPTIONS sip:a SIP/2.0\r
Via: SIP/2.0/UDP x;branch=z9hG4bK1;rport\r
From: <sip:a@b>;tag=1\r
To: <sip:a@b>\r
Call-ID: 1\r
CSeq: 1 INVITE\r
Contact: <<>>\r
\r
"""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\r\n\r\n",
        b"\0\1\0\0!\x12\xa4B",
        b"INVITE",
        b"INVITE sip:bob@127.0.0.1 SIP/2.0\r\n\r\n",
        MISFIT,
        b"SIP/2.0 200 OK\r\n\r\n",
        b"\xff" * 60_000,
    ],
)
async def test_what_is_no_message_changes_nothing(data):
    loop = asyncio.get_running_loop()
    async with phone() as alice, phone() as bob:
        address = address_of(bob)
        rogue, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(address.host, address.port)
        )
        rogue.sendto(data)
        rogue.close()
        response = await alice.options(uri_of(bob), (destination_of(bob),))
        assert response.status == 200
        assert bob.counters.internal_errors == 0


async def test_a_bug_that_a_message_brings_out_ends_neither_socket_nor_timer(monkeypatch):
    async with phone() as alice, phone() as bob:
        receive = bob._core.receive_message

        def fail_once(*message):
            monkeypatch.undo()
            raise ZeroDivisionError

        monkeypatch.setattr(bob._core, "receive_message", fail_once)
        # The second copy is answered.
        response = await alice.options(uri_of(bob), (destination_of(bob),))
        assert (response.status, bob.counters.internal_errors) == (200, 1)
        assert bob._core.receive_message == receive
