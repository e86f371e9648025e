"""Calls leave the queue once, as there is room, and can be hung up whatever they are doing."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from calls.engine.conftest import Office, change

from twoleg.calls import agent_desk, dispatch
from twoleg.calls.agent_desk import AgentDesk
from twoleg.calls.claims import claim
from twoleg.calls.dispatch import Dispatcher
from twoleg.calls.dispositions import dispose
from twoleg.calls.hang_up import request_hang_up
from twoleg.calls.writer import Writer


class FakeCall:
    """Runs until it is hung up."""

    def __init__(self, stage, claim, search):
        self.stage = stage
        self.claim = claim
        self.search = search
        self.over = asyncio.Event()
        self.said = asyncio.Queue()
        self.canceled = False

    async def run(self):
        self.stage.begun.put_nowait(self)
        try:
            if not self.claim.hangup_requested:
                await self.over.wait()
        except asyncio.CancelledError:
            self.canceled = True
            raise

    def hang_up(self):
        self.over.set()

    def disposed(self, disposition, notes):
        self.said.put_nowait((disposition, notes))


class Stage:
    """One engine's dispatcher and the calls that it has begun."""

    def __init__(self):
        self.begun = asyncio.Queue()
        self.desk = None
        self.dispatcher = None
        self.engine_id = None

    def begin(self, claim, search):
        return FakeCall(self, claim, search)

    async def calls_wait(self, number):
        async with asyncio.timeout(10):
            while self.desk.waiting < number:  # noqa: ASYNC110  nobody tells of it
                await asyncio.sleep(0.01)

    async def next(self):
        async with asyncio.timeout(10):
            return await self.begun.get()


@pytest.fixture
def engine(office, database):
    @asynccontextmanager
    async def run(capacity=10, **options):
        stage = Stage()
        stage.engine_id = await office.join()
        async with (
            AgentDesk.open(database, stage.engine_id) as stage.desk,
            Dispatcher.open(
                database, stage.engine_id, capacity, stage.desk, stage.begin, **options
            ) as stage.dispatcher,
        ):
            yield stage

    return run


async def test_a_queued_call_is_begun_by_the_engine_that_claimed_it(office, engine):
    async with engine() as stage:
        call_id = await office.queue(options={"max_seconds": 90})
        call = await stage.next()
        assert call.claim.call_id == call_id
        assert call.claim.options == {"max_seconds": 90}
        assert await office.call(call_id, "engine_id, status") == (stage.engine_id, "queued")
        assert stage.dispatcher.running == 1


async def test_a_call_whose_claim_the_database_has_forgotten_goes_on_and_is_not_begun_again(
    office, engine
):
    async with engine() as stage:
        alice = await office.add_user("alice")
        call_id = await office.queue(user_id=alice)
        running = await stage.next()
        await office.rows("DELETE FROM reservations")
        await office.rows("UPDATE calls SET engine_id = NULL, claimed_at = NULL")
        following = await office.queue()
        assert (await stage.next()).claim.call_id == following
        assert await office.call(call_id, "engine_id") == stage.engine_id
        assert await office.rows("SELECT user_id FROM reservations") == [(alice,)]
        assert stage.dispatcher.running == 2
        assert not running.canceled


async def test_a_call_whose_claim_was_answered_to_a_lost_connection_is_begun_all_the_same(
    office, engine, outage
):
    async with engine() as stage:
        await office.queue()
        await stage.next()
        unheard = await office.queue(engine_id=stage.engine_id, claimed_at=datetime.now(UTC))
        await outage.cut()
        assert (await stage.next()).claim.call_id == unheard
        assert stage.dispatcher.running == 2


async def test_a_call_that_is_over_and_not_written_yet_is_not_begun_again(office, engine, outage):
    async with engine(has_unwritten=lambda call_id: True) as stage:
        over = await office.queue(engine_id=stage.engine_id, claimed_at=datetime.now(UTC))
        await outage.cut()
        following = await office.queue()
        assert (await stage.next()).claim.call_id == following
        assert await office.call(over, "engine_id") == stage.engine_id


async def test_calls_queued_before_the_engine_came_are_begun_oldest_first(office, engine):
    ids = [await office.queue() for _ in range(5)]
    async with engine() as stage:
        assert [(await stage.next()).claim.call_id for _ in ids] == ids


async def test_no_call_is_begun_by_two_engines(office, engine):
    async with engine(100) as one, engine(100) as other:
        ids = [await office.queue() for _ in range(40)]
        begun = []
        while len(begun) < len(ids):
            begun += [stage.begun.get_nowait() for stage in (one, other) if stage.begun.qsize()]
            await asyncio.sleep(0)
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


async def test_calls_are_claimed_again_after_the_database_was_away(office, engine, outage):
    async with engine() as stage:
        await office.queue()
        running = await stage.next()
        await outage.begin()
        await outage.end()
        call_id = await office.queue()
        assert (await stage.next()).claim.call_id == call_id
        assert not running.over.is_set()
        assert not running.canceled


async def test_leaving_ends_the_running_calls(office, engine):
    async with engine() as stage:
        await office.queue()
        call = await stage.next()
    assert call.canceled
    assert stage.dispatcher.running == 0


async def test_a_call_that_breaks_off_takes_no_other_with_it(office, engine, monkeypatch):
    async with engine() as stage:
        await office.queue()
        healthy = await stage.next()

        async def break_off(call):
            stage.begun.put_nowait(call)
            raise RuntimeError

        monkeypatch.setattr(FakeCall, "run", break_off)
        await office.queue()
        await stage.next()
        monkeypatch.undo()
        await office.queue()
        await stage.next()
        assert not healthy.canceled
        assert stage.dispatcher.running == 2


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


class TestDraining:
    async def test_a_draining_engine_claims_nothing(self, office, engine):
        async with engine() as draining, engine() as other:
            assert await draining.dispatcher.drain(0) == 0
            ids = [await office.queue() for _ in range(3)]
            assert [(await other.next()).claim.call_id for _ in ids] == ids
            assert draining.begun.empty()

    async def test_what_it_was_just_claiming_goes_back_to_the_queue(
        self, office, engine, monkeypatch
    ):
        claim = dispatch.claim
        alice = await office.add_user("alice")
        async with engine() as draining:

            async def drain_meanwhile(connection, engine_id, room, after):
                claims = await claim(connection, engine_id, room, after)
                if claims:
                    await draining.dispatcher.drain(0)
                return claims

            monkeypatch.setattr(dispatch, "claim", drain_meanwhile)
            call_id = await office.queue(user_id=alice)
            async with engine() as other:
                call = await other.next()
                assert (call.claim.call_id, len(call.claim.found.agents)) == (call_id, 1)
            assert draining.begun.empty()

    async def test_what_it_has_not_begun_yet_goes_back_to_the_queue(
        self, office, engine, monkeypatch
    ):
        monkeypatch.setattr(dispatch, "CALLS_IN_ONE_GO", 1)
        first, second = [await office.queue() for _ in range(2)]
        async with engine() as draining, asyncio.TaskGroup() as drains:

            def begin_and_drain(claimed, search):
                drains.create_task(draining.dispatcher.drain(0))
                return draining.begin(claimed, search)

            monkeypatch.setattr(draining.dispatcher, "_begin", begin_and_drain)
            assert (await draining.next()).claim.call_id == first
            async with engine() as other:
                assert (await other.next()).claim.call_id == second
            assert draining.begun.empty()

    async def test_it_waits_for_the_calls_that_run(self, office, engine):
        async with engine() as stage:
            await office.queue()
            call = await stage.next()
            drained = asyncio.create_task(stage.dispatcher.drain(60))
            await asyncio.sleep(0)
            assert not drained.done()
            call.hang_up()
            assert await drained == 0

    async def test_it_says_how_many_are_left_when_the_time_is_up(self, office, engine):
        async with engine() as stage:
            await office.queue()
            await stage.next()
            assert await stage.dispatcher.drain(0.01) == 1


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
            second = await office.queue(ring_group_id=patient)
            third = await office.queue(ring_group_id=patient)
            await stage.calls_wait(2)
            assert await office.call(second) == "queued"
            writer.write(change(first, office.account_id, 2, "ended"))
            call = await stage.next()
            assert call.claim.call_id == second
            age = "extract(epoch FROM clock_timestamp() - created_at)::float8"
            assert call.claim.queued_seconds == pytest.approx(await office.call(second, age), abs=2)
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
            one_too_many = await office.queue(ring_group_id=patient)
            assert (await stage.next()).claim.call_id == one_too_many
