"""Calls that SIPp takes."""

import asyncio

import pytest
from peers.relays import tls_front
from peers.sipp import Caller, audio_session
from sessions import next_progress

from twoleg.sip import PCMA, PCMU, SIPFRAG, Direction, SipUri, Transport, refer_news, refer_of

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_a_call_is_answered_and_hung_up_by_us(transport, sipp):
    async with Caller.open(transport) as alice, sipp("answer", transport=transport) as bob:
        audio = audio_session()
        async with alice.ring(bob.uri, bob.destination, audio=audio) as leg:
            assert (await next_progress(leg)).status == 180
            answer = await leg.answered()
            assert audio.accept_answer(answer.body).format == PCMU
            leg.acknowledge()


async def test_a_transport_parameter_in_upper_case_is_understood(sipp):
    """SIPp's Contact says ;transport=UDP, and so do ACK's and BYE's Request-URI."""
    async with Caller.open() as alice, sipp("answer") as bob:
        target = SipUri.parse(f"{bob.uri};transport=UDP")
        async with alice.ring(target) as leg:
            answer = await leg.answered()
            assert "transport=UDP" in answer.identity.remote_target
            leg.acknowledge()


async def test_a_call_over_tls(sipp, tls):
    """SIPp of this build speaks no TLS: a front in its place does."""
    front_tls, caller_tls = tls
    async with tls_front(front_tls) as front:
        contact = f"127.0.0.1:{front.port};transport=tls"
        async with (
            sipp("answer", transport=Transport.TCP, contact=contact) as bob,
            Caller.open(Transport.TLS, tls=caller_tls) as alice,
        ):
            front.behind = bob.port
            async with alice.ring(bob.uri, front.destination) as leg:
                await leg.answered()
                leg.acknowledge()
        assert front.connections == 1


async def test_early_media_comes_before_the_answer(sipp):
    async with Caller.open() as alice, sipp("early_media_183") as bob:
        audio = audio_session()
        async with alice.ring(bob.uri, bob.destination, audio=audio) as leg:
            progress = await next_progress(leg)
            assert progress.status == 183
            assert audio.accept_answer(progress.body).format == PCMU
            audio.accept_answer((await leg.answered()).body)
            leg.acknowledge()


async def test_a_reliable_183_gets_its_prack_and_an_update_before_the_answer_its_own(sipp):
    audio = audio_session()
    agreed = []

    def answer_offer(offer):
        answer, media = audio.answer_offer(offer)
        agreed.append(media.format)
        return answer

    async with (
        Caller.open() as alice,
        sipp("reliable_183") as bob,
        alice.ring(
            bob.uri, bob.destination, audio=audio, does={"answer_offer": answer_offer}
        ) as leg,
    ):
        progress = await next_progress(leg)
        assert (progress.status, progress.reliable) == (183, True)
        assert audio.accept_answer(progress.body).format == PCMU
        assert (await leg.answered()).body == b""
        leg.acknowledge()
    assert agreed == [PCMA]


async def test_the_callee_hangs_up(sipp):
    async with Caller.open() as alice, sipp("bye_from_callee") as bob:
        async with alice.ring(bob.uri, bob.destination) as leg:
            await leg.answered()
            leg.acknowledge()
            end = await leg.ended()
        assert (end.by_remote, end.q850) == (True, 16)


async def test_a_hold_by_re_invite_is_answered(sipp):
    held = asyncio.Event()
    audio = audio_session()

    def answer_offer(offer):
        answer, agreed = audio.answer_offer(offer)
        assert agreed.direction is Direction.RECVONLY
        held.set()
        return answer

    async with (
        Caller.open() as alice,
        sipp("reinvite") as bob,
        alice.ring(
            bob.uri, bob.destination, audio=audio, does={"answer_offer": answer_offer}
        ) as leg,
    ):
        audio.accept_answer((await leg.answered()).body)
        leg.acknowledge()
        await held.wait()


async def test_a_phone_that_hands_its_call_over_hears_how_that_goes(sipp):
    wanted = asyncio.Queue()

    def take(request):
        wanted.put_nowait(refer_of(request))
        return 202

    async with (
        Caller.open(dialog_methods=frozenset({"REFER"})) as alice,
        sipp("refer") as bob,
        alice.ring(bob.uri, bob.destination, does={"take_request": take}) as leg,
    ):
        await leg.answered()
        leg.acknowledge()
        refer = await wanted.get()
        assert refer.wanted == "boss"
        for status in (100, 180, 200):
            headers, body = refer_news(refer, status)
            leg.send_request("NOTIFY", headers, body, SIPFRAG)
        assert (await leg.ended()).by_remote
