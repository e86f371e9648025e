"""Calls leave the queue once, oldest first, as there is room, and in turn for each account."""

from datetime import UTC, datetime, timedelta

import pytest
from calls.engine.conftest import Office
from calls.engine.dispatch.stage import FakeCall

from twoleg.calls import dispatch
from twoleg.calls.claims import claim


async def test_a_queued_call_is_begun_by_the_engine_that_claimed_it(office, engine):
    async with engine() as stage:
        call_id = await office.queue(options={"max_seconds": 90})
        call = await stage.next()
        assert call.claim.call_id == call_id
        assert call.claim.options == {"max_seconds": 90}
        assert await office.call(call_id, "engine_id, status") == (stage.engine_id, "queued")
        assert stage.dispatcher.running == 1


async def test_calls_queued_before_the_engine_came_are_begun_oldest_first(office, engine):
    ids = [await office.queue() for _ in range(5)]
    async with engine() as stage:
        assert [(await stage.next()).claim.call_id for _ in ids] == ids


async def test_no_call_is_begun_by_two_engines(office, engine):
    async with engine(100) as one, engine(100) as other:
        other.begun = one.begun
        ids = [await office.queue() for _ in range(40)]
        begun = [await one.next() for _ in ids]
        assert sorted(call.claim.call_id for call in begun) == ids
        assert one.dispatcher.running + other.dispatcher.running == len(ids)


async def test_an_engine_takes_no_more_than_it_can_carry(office, engine):
    async with engine(2) as stage:
        users = [await office.add_user(name) for name in ("one", "two", "three")]
        first, second, third = [await office.queue(user_id=user) for user in users]
        calls = [await stage.next(), await stage.next()]
        assert [call.claim.call_id for call in calls] == [first, second]
        assert stage.dispatcher.running == 2
        assert stage.begun.empty()
        calls[0].hang_up()
        assert (await stage.next()).claim.call_id == third
        assert stage.dispatcher.running == 2


async def test_what_one_engine_cannot_carry_another_takes(office, engine):
    async with engine(1) as one:
        await office.queue()
        await one.next()
        second = await office.queue()
        async with engine(1) as other:
            assert (await other.next()).claim.call_id == second


async def test_calls_are_under_way_before_the_next_of_their_claim_are_planned(
    office, engine, monkeypatch
):
    happened = []

    class TellingCall(FakeCall):
        async def run(self):
            happened.append(("under way", self.claim.call_id))
            await super().run()

    def begin(claimed, search):
        happened.append(("planned", claimed.call_id))
        return TellingCall(stage, claimed, search)

    monkeypatch.setattr(dispatch, "CALLS_IN_ONE_GO", 1)
    ids = [await office.queue() for _ in range(3)]
    async with engine() as stage:
        monkeypatch.setattr(stage.dispatcher, "_begin", begin)
        for _ in ids:
            await stage.next()
    assert happened == [(what, each) for each in ids for what in ("planned", "under way")]


class TestFairness:
    """Accounts take turns, however many calls one of them has queued."""

    @pytest.fixture
    async def offices(self, office, database):
        others = [Office(database) for _ in range(2)]
        for other in others:
            await other.furnish()
        return [office, *others]

    async def test_a_backlog_keeps_no_other_account_waiting(self, offices):
        big, small, _ = offices
        backlog = [await big.queue() for _ in range(30)]
        mine = [await small.queue() for _ in range(2)]
        engine_id = await big.join()
        claimed = [each.call_id for each in await big.claim(engine_id, 6)]
        assert claimed == [*backlog[:3], *mine]
        assert [each.call_id for each in await big.claim(engine_id, 6)] == backlog[3:9]

    async def test_with_room_for_one_call_each_account_has_its_turn(self, offices, engine):
        # Each has its agent as it is claimed: one that must look for it is begun whenever it has.
        waiting = [
            [
                await office.queue(user_id=await office.add_user(f"{turn}-{number}"))
                for turn in "123"
            ]
            for number, office in enumerate(offices)
        ]
        async with engine(1) as stage:
            begun = []
            for _ in range(9):
                call = await stage.next()
                begun.append(call.claim.call_id)
                call.hang_up()
        assert begun == [calls[turn] for turn in range(3) for calls in waiting]

    async def test_a_claim_reads_no_more_than_it_takes(self, offices, database):
        big, small, _ = offices
        await big.rows(
            "INSERT INTO calls (account_id, source, contact_phone_number, line_phone_number)"
            " SELECT %s, 'api', '+41445550123', '+41445550100' FROM generate_series(1, 5000)",
            big.account_id,
        )
        await small.queue()
        await big.rows("ANALYZE calls")
        read = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = %s"
        engine_id = await big.join()
        async with await database.connect() as connection:
            await connection.execute("SET stats_fetch_consistency = none")
            cursor = await connection.execute(read, ("ix_calls_unclaimed",))
            [before] = await cursor.fetchone()
            assert len(await claim(connection, engine_id, 10)) == 6
            await connection.execute("SELECT pg_stat_force_next_flush()")
            cursor = await connection.execute(read, ("ix_calls_unclaimed",))
            [after] = await cursor.fetchone()
        assert after - before < 50


class TestExpiry:
    """Nobody is rung for a call that was in the queue while no engine was there."""

    async def queued_before(self, office, minutes, **columns):
        created_at = datetime.now(UTC) - timedelta(minutes=minutes)
        return await office.queue(created_at=created_at, **columns)

    async def test_a_call_that_is_too_old_expires(self, office, engine):
        alice = await office.add_user("alice")
        async with engine() as stage:
            await self.queued_before(office, 6, user_id=alice)
            assert (await stage.next()).claim.expired
            await self.queued_before(office, 4)
            assert not (await stage.next()).claim.expired

    async def test_what_a_call_may_wait_comes_on_top(self, office, engine):
        group = await office.add_group(max_wait_seconds=600)
        async with engine() as stage:
            await self.queued_before(office, 14, ring_group_id=group)
            assert not (await stage.next()).claim.expired
            await self.queued_before(office, 16, ring_group_id=group)
            assert (await stage.next()).claim.expired
            await self.queued_before(office, 14, options={"max_wait_seconds": 600})
            assert not (await stage.next()).claim.expired
