"""Calls that SIPp makes to a phone of ours."""

import pytest
from peers.relays import lossy_network
from peers.sipp import Caller, audio_session

from twoleg.sip import PCMU

pytestmark = pytest.mark.peer

T1 = 0.1


def port_of(callee):
    [(_, address)] = callee.phone.addresses
    return address.port


async def be_called(callee):
    """Answer a call, with a description in the provisional response, and wait for its end."""
    call = await anext(callee.phone.incoming())
    answer, agreed = audio_session().answer_offer(call.offer)
    assert agreed.format == PCMU
    call.ring(183, answer)
    call.accept(answer)
    assert (await call.ended()).by_remote


async def test_a_caller_that_requires_reliable_responses_acknowledges_ours(sipp):
    async with (
        Caller.open(accept_calls=True) as callee,
        sipp("reliable_caller", calls_port=port_of(callee)),
    ):
        await be_called(callee)


async def test_a_reliable_response_and_its_prack_come_again_when_they_are_lost(sipp):
    lost = (b"SIP/2.0 183", b"SIP/2.0 183", b"PRACK")
    async with (
        lossy_network(lose_first=lost) as network,
        Caller.open(accept_calls=True, t1=T1, t2=8 * T1) as callee,
    ):
        network.behind = port_of(callee)
        async with sipp("reliable_caller", calls_port=network.port, t1=T1):
            await be_called(callee)
        assert network.lost == len(lost)


async def test_a_caller_that_acknowledges_none_is_refused_in_the_end(sipp, pass_time):
    async with (
        Caller.open(accept_calls=True) as callee,
        sipp("never_pracks", calls_port=port_of(callee)),
    ):
        call = await anext(callee.phone.incoming())
        answer, _ = audio_session().answer_offer(call.offer)
        call.ring(183, answer)
        call.accept(answer)
        await pass_time(33)
        end = await call.ended()
        assert (end.by_remote, end.status) == (True, 504)
