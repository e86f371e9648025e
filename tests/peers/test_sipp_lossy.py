"""Calls over a network that loses and doubles packets: every one of them must come through."""

import asyncio

import pytest
from peers.relays import lossy_network
from peers.sipp import Caller

from twoleg.sip_io import LegRefused

pytestmark = pytest.mark.peer

CALLS = 6
T1, T2 = 0.1, 0.8
"""A fifth of the usual: what takes a call half a minute at the worst takes it a few seconds."""


async def hold_a_call(alice, uri, network):
    async with alice.ring(uri, network.destination) as leg:
        assert (await leg.answered()).status == 200
        leg.acknowledge()


async def be_hung_up_on(alice, uri, network):
    async with alice.ring(uri, network.destination) as leg:
        await leg.answered()
        leg.acknowledge()
        assert (await leg.ended()).by_remote


async def be_refused(alice, uri, network):
    async with alice.ring(uri, network.destination) as leg:
        with pytest.raises(LegRefused) as refused:
            await leg.answered()
        assert refused.value.status == 486


@pytest.mark.parametrize("loss", [0.1, 0.3])
@pytest.mark.parametrize(
    ("scenario", "call"),
    [("answer_lossy", hold_a_call), ("bye_from_callee_lossy", be_hung_up_on), ("busy", be_refused)],
)
async def test_calls_come_through(scenario, call, loss, sipp):
    async with lossy_network(seed=7, loss=loss, doubled=0.1) as network:
        contact = f"127.0.0.1:{network.port};transport=udp"
        async with (
            Caller.open(t1=T1, t2=T2) as alice,
            sipp(scenario, contact=contact, calls=CALLS, t1=T1) as bob,
        ):
            network.behind = bob.port
            async with asyncio.TaskGroup() as group:
                for _ in range(CALLS):
                    group.create_task(call(alice, bob.uri, network))
        assert network.lost > 0
