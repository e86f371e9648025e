"""Calls that SIPp does not take, or not as they come."""

import pytest
from peers.sipp import Caller
from sessions import next_progress

from twoleg.sip import Credentials, RefusalCause, Transport
from twoleg.sip_io import LegRefused

pytestmark = pytest.mark.peer


async def refusal(leg):
    with pytest.raises(LegRefused) as refused:
        await leg.answered()
    return refused.value


async def test_a_busy_callee_says_so_in_both_vocabularies(sipp):
    async with (
        Caller.open() as alice,
        sipp("busy") as bob,
        alice.ring(bob.uri, bob.destination) as leg,
    ):
        refused = await refusal(leg)
        assert (refused.status, refused.q850) == (486, 17)


async def test_a_callee_declines_after_ringing(sipp):
    async with (
        Caller.open() as alice,
        sipp("decline") as bob,
        alice.ring(bob.uri, bob.destination) as leg,
    ):
        assert (await next_progress(leg)).status == 180
        assert (await refusal(leg)).status == 603


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_a_callee_that_does_not_answer_is_cancelled(transport, sipp):
    async with (
        Caller.open(transport) as alice,
        sipp("no_answer", transport=transport) as bob,
        alice.ring(bob.uri, bob.destination) as leg,
    ):
        assert (await next_progress(leg)).status == 180


async def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended(sipp):
    async with (
        Caller.open() as alice,
        sipp("answer_crossing_cancel") as bob,
        alice.ring(bob.uri, bob.destination) as leg,
    ):
        assert (await next_progress(leg)).status == 180


@pytest.mark.parametrize("scenario", ["auth_401", "auth_407"])
async def test_a_challenge_is_met(scenario, sipp):
    async with Caller.open() as alice, sipp(scenario) as bob:
        credentials = Credentials("twoleg", "secret")
        async with alice.ring(bob.uri, bob.destination, credentials=credentials) as leg:
            assert (await leg.answered()).status == 200
            leg.acknowledge()


async def test_a_wrong_password_is_refused(sipp):
    async with Caller.open() as alice, sipp("auth_401") as bob:
        credentials = Credentials("twoleg", "wrong")
        async with alice.ring(bob.uri, bob.destination, credentials=credentials) as leg:
            assert (await refusal(leg)).status == 403


async def test_a_redirect_is_followed(sipp):
    async with (
        Caller.open() as alice,
        sipp("answer") as home,
        sipp("redirect_302", keys={"moved_to": f"bob@127.0.0.1:{home.port}"}) as office,
        alice.ring(office.uri, office.destination, follow_redirects=1) as leg,
    ):
        redirected = leg.invite
        await next_progress(leg)
        assert leg.invite.branch != redirected.branch
        answer = await leg.answered()
        assert f":{home.port}" in answer.identity.remote_target
        leg.acknowledge()


async def test_a_redirect_is_not_followed_unless_allowed(sipp):
    async with (
        Caller.open() as alice,
        sipp("redirect_302", keys={"moved_to": "bob@127.0.0.1:9"}) as office,
        alice.ring(office.uri, office.destination) as leg,
    ):
        refused = await refusal(leg)
        assert (refused.status, refused.cause) == (302, RefusalCause.RESPONSE)


async def test_a_503_leads_to_the_second_destination(sipp):
    async with (
        Caller.open() as alice,
        sipp("unavailable_503") as first,
        sipp("answer") as second,
        alice.ring(first.uri, first.destination, second.destination) as leg,
    ):
        assert (await leg.answered()).status == 200
        leg.acknowledge()


async def test_a_503_of_the_last_destination_says_when_to_come_back(sipp):
    async with (
        Caller.open() as alice,
        sipp("unavailable_503") as bob,
        alice.ring(bob.uri, bob.destination) as leg,
    ):
        refused = await refusal(leg)
        assert (refused.status, refused.retry_after) == (503, 30)
