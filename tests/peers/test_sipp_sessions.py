"""Session timers (RFC 4028) with SIPp: who refreshes, and what is noticed where nobody does.

The least interval is 90 s. SIPp lives in real time; the clock of our own phone is put forward.
"""

import asyncio
import socket

import pytest
from peers.sipp import Caller

from twoleg.sip_io import LegEnd

pytestmark = pytest.mark.peer

INTERVAL = 90
EXPIRES = INTERVAL - INTERVAL / 3
"""When the side that waits for a refresh gives up (RFC 4028 10)."""

GONE = LegEnd(True, 408, None, "Session Expired", vanished=True)
PATIENCE = 32


async def test_a_far_end_that_does_not_refresh_as_it_said_is_ended(sipp, pass_time):
    async with (
        Caller.open() as alice,
        sipp("session_theirs") as bob,
        alice.ring(bob.uri, bob.destination) as leg,
    ):
        answer = await leg.answered()
        assert answer.status == 200
        leg.acknowledge()
        sent = alice.phone.counters.sent
        await pass_time(EXPIRES - 1)
        assert alice.phone.counters.sent == sent
        await pass_time(2)
        assert await leg.ended() == GONE


async def test_a_far_end_that_is_gone_is_noticed_though_nobody_answers_our_bye(sipp, pass_time):
    async with Caller.open() as alice:
        async with sipp("session_vanishes") as bob:
            leg = await alice.place(bob.uri, bob.destination)
            await leg.answered()
            leg.acknowledge()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind((bob.destination.host, bob.destination.port))
            await pass_time(EXPIRES + 1)
            assert not leg.over
            await pass_time(PATIENCE + 1)
            assert await leg.ended() == GONE
            assert alice.phone.legs == 0


async def test_where_nobody_is_left_to_get_our_bye_the_end_is_not_waited_for(sipp, pass_time):
    async with Caller.open() as alice:
        async with sipp("session_vanishes") as bob:
            leg = await alice.place(bob.uri, bob.destination)
            await leg.answered()
            leg.acknowledge()
        await pass_time(EXPIRES + 1)
        assert await leg.ended() == GONE
        assert alice.phone.core_counters.undelivered == 1
        assert alice.phone.legs == 0


@pytest.mark.parametrize("scenario", ["session_ours", "session_ours_by_invite"])
async def test_where_we_are_to_refresh_we_do_and_the_call_goes_on(sipp, pass_time, scenario):
    refreshed = asyncio.Event()
    async with (
        Caller.open() as alice,
        sipp(scenario) as bob,
        alice.ring(bob.uri, bob.destination, does={"take_info": lambda _: refreshed.set()}) as leg,
    ):
        await leg.answered()
        leg.acknowledge()
        sent = alice.phone.counters.sent
        await pass_time(INTERVAL / 2 - 1)
        assert alice.phone.counters.sent == sent
        await pass_time(2)
        assert alice.phone.counters.sent > sent
        await refreshed.wait()
        sent = alice.phone.counters.sent
        await pass_time(EXPIRES - INTERVAL / 2 + 1)
        assert alice.phone.counters.sent == sent
    assert bob.received("UPDATE").headers.get("Session-Expires") == "90;refresher=uac"


async def test_a_far_end_that_wants_longer_sessions_gets_them(sipp, pass_time):
    async with (
        Caller.open() as alice,
        sipp("session_too_short") as bob,
        alice.ring(bob.uri, bob.destination) as leg,
    ):
        assert (await leg.answered()).status == 200
        leg.acknowledge()
        sent = alice.phone.counters.sent
        await pass_time(3500)
        assert alice.phone.counters.sent == sent
    assert bob.received("INVITE").headers.get("Session-Expires") == "1800"
