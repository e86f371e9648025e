"""Whom calls ring next: reserved one call at a time, in the group's order, on several engines."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from calls.engine.conftest import change

from twoleg.calls import agent_desk, agent_search
from twoleg.calls.agent_desk import AgentDesk
from twoleg.calls.writer import Writer


async def until(condition):
    """Wait for what nobody tells of."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Seeker:
    """One claimed call and what its search has come to."""

    def __init__(self, desk, claim):
        self.desk = desk
        self.claim = claim
        self.call_id = claim.call_id
        self.search = claim.search()
        self.found = claim.found
        if claim.found.agents:
            self.search.ring(claim.found)

    @property
    def rung(self):
        return [agent["user_id"] for agent in self.found.agents] if self.found else None

    async def next(self):
        """Ring whoever comes next, and say who."""
        found = None if self.found.agents else self.found
        async with asyncio.timeout(20):
            self.found = await self.desk.find(self.search, self.claim.account_id, found)
        return self.rung


class Floor:
    """One engine's desk, and the calls that it has claimed."""

    def __init__(self, office, desk, engine_id):
        self.office = office
        self.desk = desk
        self.engine_id = engine_id

    async def claim(self, room=100):
        return [Seeker(self.desk, each) for each in await self.office.claim(self.engine_id, room)]

    async def call(self, **columns):
        """Queue a call and claim it."""
        await self.office.queue(**columns)
        [seeker] = await self.claim()
        return seeker

    async def calls_wait(self, number):
        async def waiting():
            return self.desk.waiting == number

        await until(waiting)


@pytest.fixture(autouse=True)
def look_often(monkeypatch):
    monkeypatch.setattr(agent_desk, "WAITING_POLL_SECONDS", 0.02)


@pytest.fixture
def floor(office, database):
    @asynccontextmanager
    async def run():
        engine_id = await office.join()
        async with AgentDesk.open(database, engine_id) as desk:
            yield Floor(office, desk, engine_id)

    return run


@pytest.fixture
async def users(office):
    return [await office.add_user(name) for name in ("alice", "bob", "carol")]


async def end(office, database, floor, call_id, **values):
    """End a call as its engine does."""
    async with Writer.open(database, floor.engine_id) as writer:
        writer.write(change(call_id, office.account_id, 2, "ended", **values))
        await writer.flushed()


class TestReservation:
    async def test_ring_all_reserves_all_that_are_free(self, office, floor, users):
        group = await office.add_group(*users)
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            assert call.rung == users
            assert await office.reserved() == dict.fromkeys(users, call.call_id)

    @pytest.mark.parametrize("strategy", ["in_order", "round_robin", "longest_idle", "random"])
    async def test_one_by_one_reserves_only_whom_it_rings_now(self, office, floor, users, strategy):
        group = await office.add_group(*users, strategy=strategy)
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            rung = []
            while call.rung:
                [user_id] = call.rung
                assert await office.reserved() == {user_id: call.call_id}
                rung.append(user_id)
                await call.next()
            assert sorted(rung) == users
            assert await office.reserved() == {}

    async def test_who_was_rung_before_is_free_for_the_next_call(self, office, floor, users):
        group = await office.add_group(*users, strategy="in_order")
        async with floor() as here:
            first = await here.call(ring_group_id=group)
            second = await here.call(ring_group_id=group)
            assert (first.rung, second.rung) == ([users[0]], [users[1]])
            assert await first.next() == [users[2]]
            assert (await here.call(ring_group_id=group)).rung == [users[0]]

    async def test_who_declines_is_free_while_the_others_still_ring(self, office, floor, users):
        group = await office.add_group(*users)
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            here.desk.release(call.call_id, users[1])

            async def free():
                return users[1] not in await office.reserved()

            await until(free)
            assert await office.reserved() == {users[0]: call.call_id, users[2]: call.call_id}

    async def test_calls_claimed_together_get_one_each(self, office, floor, users):
        group = await office.add_group(*users, strategy="in_order")
        ids = [await office.queue(ring_group_id=group) for _ in range(4)]
        async with floor() as here:
            calls = await here.claim()
            assert [call.call_id for call in calls] == ids
            assert [call.rung for call in calls] == [[users[0]], [users[1]], [users[2]], []]

    async def test_a_call_that_is_another_engines_gets_nobody(self, office, floor, users):
        group = await office.add_group(*users, strategy="in_order")
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            await office.rows("UPDATE calls SET engine_id = NULL")
            assert await call.next() is None

    async def test_engines_that_ask_at_once_never_share_a_user(self, office, floor):
        users = [await office.add_user(f"user-{number}") for number in range(12)]
        groups = [
            await office.add_group(*users, strategy=strategy)
            for strategy in ("in_order", "round_robin", "random", "longest_idle")
        ]
        for group in groups:
            for _ in range(3):
                await office.queue(ring_group_id=group)
        async with floor() as one, floor() as other:
            halves = await asyncio.gather(one.claim(6), other.claim(6))
            calls = [call for half in halves for call in half]
            assert len(calls) == 12
            for _ in range(3):
                await asyncio.gather(*[call.next() for call in calls if call.found])
                rung = [call.rung[0] for call in calls if call.rung]
                assert len(rung) == len(set(rung))
                assert await office.reserved() == {
                    call.rung[0]: call.call_id for call in calls if call.rung
                }

    async def test_whoever_is_found_for_a_call_that_has_just_ended_is_free_again(
        self, office, floor, users, monkeypatch
    ):
        group = await office.add_group(*users, strategy="in_order")
        sought = asyncio.Event()
        seek = agent_desk.seek

        async def seek_and_be_slow(connection, engine_id, seeks):
            found = await seek(connection, engine_id, seeks)
            sought.set()
            await connection.execute("SELECT pg_sleep(0.1)")
            return found

        monkeypatch.setattr(agent_desk, "seek", seek_and_be_slow)
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            asking = asyncio.create_task(call.next())
            await sought.wait()
            assert await office.reserved() == {users[1]: call.call_id}
            asking.cancel()

            async def all_are_free():
                return await office.reserved() == {}

            await until(all_are_free)

    async def test_whoever_is_found_in_the_turn_in_which_a_call_gives_up_is_free_again(
        self, office, floor, users, monkeypatch
    ):
        group = await office.add_group(*users, strategy="in_order")
        answer = agent_desk._Ask.answer
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            asking = asyncio.create_task(call.next())

            def answer_and_give_up(ask, found):
                answer(ask, found)
                asking.cancel()

            monkeypatch.setattr(agent_desk._Ask, "answer", answer_and_give_up)
            with pytest.raises(asyncio.CancelledError):
                await asking

            async def all_are_free():
                return await office.reserved() == {}

            await until(all_are_free)

    async def test_no_call_that_has_ended_keeps_a_user(
        self, office, database, floor, users, monkeypatch
    ):
        monkeypatch.setattr(agent_desk, "SWEEP_SECONDS", 0.02)
        lost = await office.join()
        call_id = await office.queue(user_id=users[0])
        await office.claim(lost)
        await office.rows("UPDATE calls SET status = 'ended', outcome = 'failed', ended_at = now()")
        assert await office.reserved() == {users[0]: call_id}
        async with floor():

            async def all_are_free():
                return await office.reserved() == {}

            await until(all_are_free)


class TestStrategies:
    async def test_round_robin_goes_on_where_it_was_on_every_engine(self, office, floor, users):
        group = await office.add_group(*users, strategy="round_robin")
        rung = []
        async with floor() as one, floor() as other:
            for here in (one, other, one, other, one):
                rung += (await here.call(ring_group_id=group)).rung
                await office.rows("DELETE FROM reservations")
        assert rung == [*users, *users[:2]]

    async def test_round_robin_skips_the_busy_and_goes_on_behind_whom_it_rang(
        self, office, floor, users
    ):
        group = await office.add_group(*users, strategy="round_robin")
        async with floor() as here:
            await here.call(user_id=users[0])
            assert (await here.call(ring_group_id=group)).rung == [users[1]]
            assert (await here.call(ring_group_id=group)).rung == [users[2]]
            await office.rows("DELETE FROM reservations")
            assert (await here.call(ring_group_id=group)).rung == [users[0]]

    async def test_round_robin_shares_calls_that_two_engines_claim_at_once(
        self, office, floor, users
    ):
        group = await office.add_group(*users, strategy="round_robin")
        turns = dict.fromkeys(users, 0)
        async with floor() as one, floor() as other:
            for _ in range(9):
                for _ in range(2):
                    await office.queue(ring_group_id=group)
                halves = await asyncio.gather(one.claim(1), other.claim(1))
                for [call] in halves:
                    [user_id] = call.rung or await call.next()
                    turns[user_id] += 1
                await office.rows("DELETE FROM reservations")
        assert turns == dict.fromkeys(users, 6)

    async def test_longest_idle_rings_who_never_had_a_call_and_then_by_the_last_end(
        self, office, floor, users
    ):
        group = await office.add_group(*users, strategy="longest_idle")
        for user_id, minutes in ((users[0], 1), (users[2], 9)):
            await office.rows(
                "UPDATE users SET last_call_ended_at = now() - make_interval(mins => %s)"
                " WHERE id = %s",
                minutes,
                user_id,
            )
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            assert [call.rung, await call.next(), await call.next()] == [
                [users[1]],
                [users[2]],
                [users[0]],
            ]

    async def test_longest_idle_counts_the_calls_of_every_engine(
        self, office, database, floor, users
    ):
        group = await office.add_group(*users, strategy="longest_idle")
        rung = []
        async with floor() as one, floor() as other:
            for here in (one, other, one, other, other):
                call = await here.call(ring_group_id=group)
                rung += call.rung
                await end(office, database, here, call.call_id, answered_by=call.rung[0])
        assert rung == [*users, *users[:2]]

    async def test_only_who_answered_is_less_idle(self, office, database, floor, users):
        group = await office.add_group(*users, strategy="ring_all")
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            await end(office, database, here, call.call_id, answered_by=users[1])
        rows = await office.rows("SELECT id FROM users WHERE last_call_ended_at IS NOT NULL")
        assert rows == [(users[1],)]
        assert await office.reserved() == {}

    async def test_random_rings_each_of_them_first_now_and_then(self, office, floor, users):
        group = await office.add_group(*users, strategy="random")
        first = set()
        async with floor() as here:
            for _ in range(60):
                first |= set((await here.call(ring_group_id=group)).rung)
                await office.rows("DELETE FROM reservations")
        assert first == set(users)


class TestAvailability:
    async def test_a_user_is_left_alone_for_the_wrap_up_time_of_the_group(
        self, office, database, floor, users
    ):
        group = await office.add_group(*users, strategy="in_order", wrap_up_seconds=60)
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            await end(office, database, here, call.call_id, answered_by=users[0])
            assert (await here.call(ring_group_id=group)).rung == [users[1]]
            await office.rows("UPDATE users SET wrap_up_until = now()")
            assert (await here.call(ring_group_id=group)).rung == [users[0]]

    async def test_the_accounts_wrap_up_time_counts_where_the_group_has_none(
        self, office, database, floor, users
    ):
        await office.rows("UPDATE accounts SET wrap_up_seconds = 60")
        hasty = await office.add_group(users[0], wrap_up_seconds=0)
        group = await office.add_group(users[0])
        async with floor() as here:
            for ring_group_id, still_there in ((hasty, [users[0]]), (group, [])):
                call = await here.call(ring_group_id=ring_group_id)
                await end(office, database, here, call.call_id, answered_by=users[0])
                assert (await here.call(ring_group_id=group)).rung == still_there
                await office.rows("DELETE FROM reservations")

    async def test_a_call_that_names_the_user_does_not_mind_the_wrap_up_time(
        self, office, floor, users
    ):
        await office.rows("UPDATE users SET wrap_up_until = now() + interval '1 minute'")
        async with floor() as here:
            assert (await here.call(user_id=users[0])).rung == [users[0]]

    async def test_who_has_neither_phone_nor_number_is_passed_over(self, office, floor, users):
        await office.rows("UPDATE users SET phone_number = NULL WHERE id <> %s", users[2])
        await office.register(users[1], "sip:bob@192.0.2.7")
        group = await office.add_group(*users, strategy="in_order")
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            assert [call.rung, await call.next()] == [[users[1]], [users[2]]]

    @pytest.mark.parametrize("strategy", ["in_order", "round_robin", "longest_idle", "random"])
    async def test_who_goes_away_or_is_deleted_while_another_rings_is_not_rung_after(
        self, office, floor, users, strategy
    ):
        group = await office.add_group(*users, strategy=strategy)
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            others = [user for user in users if user not in call.rung]
            await office.rows("UPDATE users SET availability = 'away' WHERE id = %s", others[0])
            await office.rows(
                "UPDATE users SET availability = 'away' WHERE id = ANY(%s)", call.rung
            )
            assert await office.reserved() == {call.rung[0]: call.call_id}
            assert await call.next() == [others[1]]
            await office.rows("UPDATE users SET deleted_at = now() WHERE id = %s", others[0])
            assert await call.next() is None

    async def test_who_is_away_is_not_rung_even_where_the_call_names_them(
        self, office, floor, users
    ):
        await office.rows("UPDATE users SET availability = 'away' WHERE id = %s", users[0])
        async with floor() as here:
            call = await here.call(user_id=users[0])
            assert (call.rung, call.found.others) == ([], True)
            assert await call.next() is None


class TestQueue:
    async def test_the_oldest_call_gets_who_becomes_free_whichever_engine_has_it(
        self, office, database, floor, users
    ):
        group = await office.add_group(users[0], max_wait_seconds=600)
        async with floor() as one, floor() as other:
            busy = await one.call(user_id=users[0])
            calls = [await here.call(ring_group_id=group) for here in (other, one, other, one)]
            assert [call.rung for call in calls] == [[], [], [], []]
            began = asyncio.Queue()

            async def wait(here, call):
                await call.next()
                began.put_nowait((here, call.call_id))

            async with asyncio.TaskGroup() as tasks:
                for here, call in zip((one, other, one, other), reversed(calls), strict=True):
                    tasks.create_task(wait(here, call))
                await one.calls_wait(2)
                await other.calls_wait(2)
                await end(office, database, one, busy.call_id)
                order = []
                while len(order) < len(calls):
                    here, call_id = await began.get()
                    order.append(call_id)
                    await end(office, database, here, call_id)
            assert order == [call.call_id for call in calls]

    async def test_a_new_call_does_not_overtake_those_that_wait(self, office, floor, users):
        group = await office.add_group(users[0], max_wait_seconds=600)
        older = await office.queue(ring_group_id=group)
        await office.rows("UPDATE calls SET engine_id = %s", await office.join())
        await office.rows(
            "INSERT INTO waiting_calls (call_id, ring_group_id) VALUES (%s, %s)", older, group
        )
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            assert call.rung == []
            waiting = asyncio.create_task(call.next())
            await here.calls_wait(1)
            assert await office.reserved() == {}
            await office.rows(
                "UPDATE calls SET status = 'ended', outcome = 'canceled', ended_at = now()"
                " WHERE id = %s",
                older,
            )
            assert await waiting == [users[0]]

    async def test_no_more_calls_wait_than_the_group_allows(self, office, floor, users):
        group = await office.add_group(users[0], max_wait_seconds=600, max_waiting=2)
        async with floor() as one, floor() as other:
            await one.call(user_id=users[0])
            calls = [await here.call(ring_group_id=group) for here in (one, other, one, other)]
            tasks = [asyncio.create_task(call.next()) for call in calls]
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            while len(done) < 2:
                more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                done |= more
            assert [task.result() for task in done] == [None, None]
            assert one.desk.waiting + other.desk.waiting == 2
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)

    async def test_one_account_does_not_fill_the_queue_of_an_engine(
        self, office, floor, users, monkeypatch
    ):
        monkeypatch.setattr(agent_desk, "MAX_WAITING_OF_ACCOUNT", 1)
        group = await office.add_group(users[0], max_wait_seconds=600)
        async with floor() as here:
            await here.call(user_id=users[0])
            first, second = [await here.call(ring_group_id=group) for _ in range(2)]
            waiting = asyncio.create_task(first.next())
            await here.calls_wait(1)
            assert await second.next() is None
            monkeypatch.setattr(agent_desk, "MAX_WAITING_OF_ACCOUNT", 2)
            third = asyncio.create_task((await here.call(ring_group_id=group)).next())
            await here.calls_wait(2)
            for task in (waiting, third):
                task.cancel()
            await asyncio.wait((waiting, third))

    async def test_a_user_whose_call_has_just_ended_gets_the_next_although_it_asked_for_no_wait(
        self, office, database, floor, users, monkeypatch
    ):
        monkeypatch.setattr(agent_search, "SETTLE_SECONDS", 60.0)
        async with floor() as here:
            first = await here.call(user_id=users[0])
            second = await here.call(user_id=users[0])
            assert second.rung == []
            waiting = asyncio.create_task(second.next())
            await here.calls_wait(1)
            await end(office, database, here, first.call_id)
            assert await waiting == [users[0]]

    async def test_a_call_that_names_a_busy_user_waits_as_long_as_it_asked(
        self, office, floor, users
    ):
        async with floor() as here:
            await here.call(user_id=users[0])
            call = await here.call(user_id=users[0], options={"max_wait_seconds": 600})
            waiting = asyncio.create_task(call.next())
            await here.calls_wait(1)
            await office.rows("DELETE FROM reservations")
            assert await waiting == [users[0]]
            impatient = await here.call(user_id=users[0], options={"max_wait_seconds": 1})
            assert await impatient.next() is None
            assert await office.rows("SELECT FROM waiting_calls") == []

    async def test_after_a_round_a_call_waits_for_those_that_it_has_not_rung(
        self, office, floor, users
    ):
        group = await office.add_group(*users[:2], strategy="in_order", max_wait_seconds=600)
        async with floor() as here:
            await here.call(user_id=users[1])
            call = await here.call(ring_group_id=group)
            assert call.rung == [users[0]]
            waiting = asyncio.create_task(call.next())
            await here.calls_wait(1)
            await office.rows("DELETE FROM reservations")
            assert await waiting == [users[1]]
            assert await call.next() is None

    async def test_after_a_round_a_call_does_not_wait_for_who_is_away(self, office, floor, users):
        group = await office.add_group(*users, max_wait_seconds=600)
        await office.rows("UPDATE users SET availability = 'away' WHERE id = %s", users[1])
        await office.rows("UPDATE users SET phone_number = NULL WHERE id = %s", users[2])
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            assert (call.rung, await call.next()) == ([users[0]], None)

    async def test_a_call_waits_no_longer_once_there_is_nobody_to_wait_for(
        self, office, floor, users
    ):
        group = await office.add_group(*users[:2], max_wait_seconds=600)
        async with floor() as here:
            await here.call(user_id=users[1])
            call = await here.call(ring_group_id=group)
            waiting = asyncio.create_task(call.next())
            await here.calls_wait(1)
            await office.rows("UPDATE users SET availability = 'away' WHERE id = %s", users[1])
            assert await waiting is None

            async def left():
                return await office.rows("SELECT FROM waiting_calls") == []

            await until(left)

    @pytest.mark.parametrize(
        "leave",
        [
            "DELETE FROM ring_group_members",
            "UPDATE ring_groups SET deleted_at = now() WHERE fallback IS NOT NULL",
        ],
    )
    async def test_a_call_waits_no_longer_once_its_group_is_empty_or_gone(
        self, office, floor, users, leave
    ):
        group = await office.add_group(
            users[0], max_wait_seconds=600, fallback={"user_id": users[1]}
        )
        async with floor() as here:
            await here.call(user_id=users[0])
            call = await here.call(ring_group_id=group)
            assert call.rung == []
            waiting = asyncio.create_task(call.next())
            await here.calls_wait(1)
            await office.rows(leave)
            is_gone = leave.startswith("UPDATE")
            assert await waiting == (None if is_gone else [users[1]])

            async def left():
                return await office.rows("SELECT FROM waiting_calls") == []

            await until(left)

    async def test_who_joins_the_group_of_a_call_that_waits_is_rung(self, office, floor, users):
        group = await office.add_group(users[0], max_wait_seconds=600)
        async with floor() as here:
            await here.call(user_id=users[0])
            waiting = asyncio.create_task((await here.call(ring_group_id=group)).next())
            await here.calls_wait(1)
            await office.rows(
                "INSERT INTO ring_group_members (ring_group_id, user_id, position)"
                " VALUES (%s, %s, 9)",
                group,
                users[1],
            )
            assert await waiting == [users[1]]

    async def test_a_call_waits_for_who_is_away_where_it_has_rung_nobody(
        self, office, floor, users
    ):
        group = await office.add_group(*users, max_wait_seconds=600)
        await office.rows("UPDATE users SET availability = 'away'")
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            waiting = asyncio.create_task(call.next())
            await here.calls_wait(1)
            await office.rows("UPDATE users SET availability = 'available' WHERE id = %s", users[2])
            assert await waiting == [users[2]]

    async def test_a_canceled_call_leaves_the_queue(self, office, floor, users):
        group = await office.add_group(users[0], max_wait_seconds=600)
        async with floor() as here:
            await here.call(user_id=users[0])
            call = await here.call(ring_group_id=group)
            waiting = asyncio.create_task(call.next())
            await here.calls_wait(1)
            waiting.cancel()

            async def left():
                return await office.rows("SELECT FROM waiting_calls") == []

            await until(left)
            assert here.desk.waiting == 0

    async def test_it_waits_on_after_the_database_was_away(self, office, floor, users, outage):
        group = await office.add_group(users[0], max_wait_seconds=600)
        async with floor() as here:
            await here.call(user_id=users[0])
            call = await here.call(ring_group_id=group)
            waiting = asyncio.create_task(call.next())
            await here.calls_wait(1)
            await outage.cut()
            await office.rows("DELETE FROM reservations")
            assert await waiting == [users[0]]


class TestFallback:
    async def test_a_user_then_a_group_then_a_number(self, office, floor, users):
        last = await office.add_group(fallback={"phone_number": "+41445550199"})
        second = await office.add_group(users[2], fallback={"ring_group_id": last})
        group = await office.add_group(*users[:2], fallback={"ring_group_id": second})
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            assert [call.rung, await call.next()] == [users[:2], [users[2]]]
            assert await call.next() == [None]
            assert call.found.agents[0]["phone_number"] == "+41445550199"

            async def all_are_free():
                return await office.reserved() == {}

            await until(all_are_free)
            assert await call.next() is None

    async def test_who_was_rung_is_free_while_the_number_behind_the_group_is_rung(
        self, office, floor, users
    ):
        group = await office.add_group(*users, fallback={"phone_number": "+41445550199"})
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            assert [call.rung, await call.next()] == [users, [None]]

            async def all_are_free():
                return await office.reserved() == {}

            await until(all_are_free)

    async def test_groups_that_fall_back_on_each_other_are_asked_once(self, office, floor, users):
        one = await office.add_group(users[0])
        other = await office.add_group(users[1], fallback={"ring_group_id": one})
        fallback = f'{{"ring_group_id": {other}}}'
        await office.rows("UPDATE ring_groups SET fallback = %s WHERE id = %s", fallback, one)
        async with floor() as here:
            call = await here.call(ring_group_id=one)
            assert [call.rung, await call.next(), await call.next()] == [
                [users[0]],
                [users[1]],
                None,
            ]

    async def test_a_user_who_was_rung_is_not_rung_by_the_group_behind(self, office, floor, users):
        group = await office.add_group(*users)
        async with floor() as here:
            call = await here.call(user_id=users[1], ring_group_id=group)
            assert [call.rung, await call.next(), await call.next()] == [
                [users[1]],
                [users[0], users[2]],
                None,
            ]

    async def test_a_busy_user_with_a_group_behind_is_not_waited_for(self, office, floor, users):
        group = await office.add_group(*users, strategy="in_order")
        async with floor() as here:
            await here.call(user_id=users[1])
            call = await here.call(
                user_id=users[1], ring_group_id=group, options={"max_wait_seconds": 600}
            )
            assert (call.rung, await call.next()) == ([], [users[0]])

    async def test_a_group_without_anybody_turns_to_its_fallback_at_once(
        self, office, floor, users
    ):
        group = await office.add_group(max_wait_seconds=600, fallback={"user_id": users[0]})
        async with floor() as here:
            call = await here.call(ring_group_id=group)
            assert (call.rung, await call.next()) == ([], [users[0]])
