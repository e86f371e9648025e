"""A user who is on a call is not rung by another; that waits for as long as its group says."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from calls.engine.conftest import change

from twoleg.calls import agent_desk
from twoleg.calls.hang_up import request_hang_up
from twoleg.calls.writer import Writer


class TestBusyUsers:
    """A user who is on a call, or reserved by one, is not rung by another."""

    async def test_the_second_call_for_a_user_gets_nobody(self, office, engine):
        alice = await office.add_user("alice")
        async with engine() as stage:
            await office.queue(user_id=alice)
            first = await stage.next()
            await office.queue(user_id=alice)
            second = await stage.next()
        assert [agent["user_id"] for agent in first.claim.found.agents] == [alice]
        assert (second.claim.found.agents, second.claim.found.others) == ([], True)

    async def test_of_two_calls_in_one_claim_the_older_gets_the_user(self, office):
        alice = await office.add_user("alice")
        older, younger = await office.queue(user_id=alice), await office.queue(user_id=alice)
        claims = await office.claim(await office.join())
        assert [(each.call_id, len(each.found.agents)) for each in claims] == [
            (older, 1),
            (younger, 0),
        ]

    async def test_two_engines_that_claim_at_once_do_not_share_a_user(self, office):
        users = [await office.add_user(f"user-{number}") for number in range(8)]
        group = await office.add_group(*users)
        engines = [await office.join(), await office.join()]
        for _ in range(5):
            await office.queue(ring_group_id=group)
            await office.queue(ring_group_id=group)
            batches = await asyncio.gather(*[office.claim(each, 1) for each in engines])
            agents = [agent["user_id"] for [each] in batches for agent in each.found.agents]
            assert sorted(agents) == users
            await office.rows("DELETE FROM reservations")

    async def test_the_others_of_a_group_are_rung(self, office):
        alice, bob = await office.add_user("alice"), await office.add_user("bob")
        group = await office.add_group(alice, bob)
        await office.queue(user_id=alice)
        await office.queue(ring_group_id=group)
        _, second = await office.claim(await office.join())
        assert [agent["user_id"] for agent in second.found.agents] == [bob]


class TestWaiting:
    """A call whose group has nobody free waits for as long as the group says."""

    @pytest.fixture(autouse=True)
    def look_often(self, monkeypatch):
        monkeypatch.setattr(agent_desk, "WAITING_POLL_SECONDS", 0.02)

    @pytest.fixture
    async def alice(self, office):
        return await office.add_user("alice")

    @pytest.fixture
    async def patient(self, office, alice):
        return await office.add_group(alice, max_wait_seconds=600)

    async def test_it_is_begun_once_somebody_is_free(
        self, office, database, engine, alice, patient
    ):
        async with engine() as stage, Writer.open(database, stage.engine_id) as writer:
            first = await office.queue(user_id=alice)
            await stage.next()
            queued = datetime.now(UTC) - timedelta(minutes=5)
            second = await office.queue(ring_group_id=patient, created_at=queued)
            third = await office.queue(ring_group_id=patient)
            await stage.calls_wait(2)
            assert await office.call(second) == "queued"
            writer.write(change(first, office.account_id, 2, "ended"))
            call = await stage.next()
            assert call.claim.call_id == second
            age = "extract(epoch FROM clock_timestamp() - created_at)::float8"
            assert 300 <= call.claim.queued_seconds <= await office.call(second, age)
            assert [agent["user_id"] for agent in call.claim.found.agents] == [alice]
            assert stage.desk.waiting == 1
            writer.write(change(second, office.account_id, 2, "ended"))
            assert (await stage.next()).claim.call_id == third

    async def test_it_gets_nobody_once_it_has_waited_long_enough(self, office, engine, alice):
        impatient = await office.add_group(alice, max_wait_seconds=1)
        async with engine() as stage:
            await office.queue(user_id=alice)
            await stage.next()
            call_id = await office.queue(ring_group_id=impatient)
            call = await stage.next()
            assert (call.claim.call_id, call.claim.found.agents) == (call_id, [])
            assert stage.desk.waiting == 0

    async def test_a_user_who_is_away_is_waited_for_like_a_busy_one(self, office, engine, alice):
        await office.rows("UPDATE users SET availability = 'away'")
        async with engine() as stage:
            first = await office.queue(user_id=alice, options={"max_wait_seconds": 600})
            await stage.calls_wait(1)
            assert await office.call(first) == "queued"
            await office.rows("UPDATE users SET availability = 'available'")
            call = await stage.next()
            assert [agent["user_id"] for agent in call.claim.found.agents] == [alice]
            await office.rows("UPDATE users SET availability = 'away'")
            second = await office.queue(user_id=alice, options={"max_wait_seconds": 1})
            call = await stage.next()
            assert (call.claim.call_id, call.claim.found.agents) == (second, [])
            assert call.claim.found.others

    async def test_it_does_not_keep_others_waiting(self, office, engine, alice, patient):
        bob = await office.add_user("bob")
        async with engine() as stage:
            await office.queue(user_id=alice)
            await stage.next()
            await office.queue(ring_group_id=patient)
            other = await office.queue(user_id=bob)
            assert (await stage.next()).claim.call_id == other

    async def test_it_can_be_hung_up(self, office, database, engine, alice, patient):
        async with engine() as stage:
            await office.queue(user_id=alice)
            await stage.next()
            waiting = await office.queue(ring_group_id=patient)
            await stage.calls_wait(1)
            async with database.connection() as connection:
                await request_hang_up(connection, office.account_id, waiting)
            call = await stage.next()
            assert (call.claim.call_id, call.claim.hangup_requested) == (waiting, True)

    async def test_a_draining_engine_gives_it_to_another(self, office, engine, alice, patient):
        async with engine() as stage:
            await office.queue(user_id=alice)
            await stage.next()
            waiting = await office.queue(ring_group_id=patient)
            await stage.calls_wait(1)
            await stage.dispatcher.drain(0)
            async with engine() as other:
                await other.calls_wait(1)
                assert await office.call(waiting, "engine_id") == other.engine_id

    async def test_more_than_a_bound_do_not_wait(self, office, engine, alice, patient, monkeypatch):
        monkeypatch.setattr(agent_desk, "MAX_WAITING", 1)
        async with engine() as stage:
            await office.queue(user_id=alice)
            await stage.next()
            await office.queue(ring_group_id=patient)
            await stage.calls_wait(1)
            one_too_many = await office.queue(ring_group_id=patient)
            assert (await stage.next()).claim.call_id == one_too_many
