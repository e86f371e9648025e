"""What is asked of a call reaches it, whatever it is doing: a hang-up, and what is said of it."""

import asyncio

import pytest

from twoleg.calls import dispatch
from twoleg.calls.dispositions import dispose
from twoleg.calls.hang_up import request_hang_up


async def test_a_hang_up_reaches_the_running_call(office, database, engine):
    async with engine() as stage:
        call_id = await office.queue()
        call = await stage.next()
        async with database.connection() as connection:
            assert await request_hang_up(connection, office.account_id, call_id)
        async with asyncio.timeout(10):
            await call.over.wait()


async def test_what_is_said_of_a_running_call_reaches_it(office, database, engine):
    await office.rows("UPDATE accounts SET dispositions = '{Sale}'")
    async with engine() as stage:
        call_id = await office.queue()
        call = await stage.next()
        async with database.connection() as connection:
            said = {"disposition": "Sale", "notes": "Soon."}
            assert await dispose(connection, office.account_id, call_id, said)
        async with asyncio.timeout(10):
            assert await call.said.get() == ("Sale", "Soon.")


async def test_a_hang_up_asked_for_while_nobody_listened_reaches_the_call(
    office, database, engine, outage
):
    async with engine() as stage, asyncio.timeout(20):
        earlier_id = await office.queue()
        earlier = await stage.next()
        async with database.connection() as connection:
            await request_hang_up(connection, office.account_id, earlier_id)
        await earlier.over.wait()
        # It listens by now, and has looked for what was asked for before that.
        call_id = await office.queue()
        call = await stage.next()
        await office.rows("UPDATE calls SET hangup_requested_at = now() WHERE id = %s", call_id)
        assert not call.over.is_set()
        await outage.cut()
        await call.over.wait()


async def test_a_hang_up_asked_for_before_the_claim_comes_with_it(office, engine):
    call_id = await office.queue()
    await office.rows("UPDATE calls SET hangup_requested_at = now() WHERE id = %s", call_id)
    async with engine() as stage:
        assert (await stage.next()).claim.hangup_requested


@pytest.fixture
def while_being_claimed(database, monkeypatch):
    """Have something done to each call in the moment of its claim, and told of by then."""
    claim = dispatch.claim

    def arrange(do):
        async def claim_and_be_slow(connection, engine_id, room, after):
            claims = await claim(connection, engine_id, room, after)
            for claimed in claims:
                async with database.connection() as other:
                    await do(other, claimed.call_id)
                # The notification is in the listening connection by the next round trip.
                for _ in range(20):
                    await connection.execute("SELECT pg_sleep(0.005)")
            return claims

        monkeypatch.setattr(dispatch, "claim", claim_and_be_slow)

    return arrange


async def test_a_hang_up_told_while_the_call_is_being_claimed_is_not_lost(
    office, engine, while_being_claimed
):
    while_being_claimed(
        lambda connection, call_id: request_hang_up(connection, office.account_id, call_id)
    )
    async with engine() as stage:
        await office.queue()
        call = await stage.next()
        assert not call.claim.hangup_requested
        async with asyncio.timeout(10):
            await call.over.wait()


async def test_what_is_said_of_a_call_while_it_is_being_claimed_is_not_lost(
    office, engine, while_being_claimed
):
    await office.rows("UPDATE accounts SET dispositions = '{Sale}'")
    said = {"disposition": "Sale", "notes": "Soon."}
    while_being_claimed(
        lambda connection, call_id: dispose(connection, office.account_id, call_id, said)
    )
    async with engine() as stage:
        await office.queue()
        call = await stage.next()
        async with asyncio.timeout(10):
            assert await call.said.get() == ("Sale", "Soon.")


async def test_a_hang_up_told_while_others_of_its_claim_are_begun_is_not_lost(
    office, engine, monkeypatch
):
    claim = dispatch.claim
    first, second = [await office.queue() for _ in range(2)]

    async def claim_before_it_is_asked_for(connection, engine_id, room, after):
        claims = await claim(connection, engine_id, room, after)
        await office.rows("UPDATE calls SET hangup_requested_at = now() WHERE id = %s", second)
        return claims

    monkeypatch.setattr(dispatch, "CALLS_IN_ONE_GO", 1)
    monkeypatch.setattr(dispatch, "claim", claim_before_it_is_asked_for)
    async with engine() as stage:

        def begin(claimed, search):
            if claimed.call_id == first:
                stage.dispatcher.hang_up(second)
            return stage.begin(claimed, search)

        monkeypatch.setattr(stage.dispatcher, "_begin", begin)
        calls = [await stage.next() for _ in range(2)]
        assert [call.claim.call_id for call in calls] == [first, second]
        assert not calls[1].claim.hangup_requested
        async with asyncio.timeout(10):
            await calls[1].over.wait()
