"""What an engine runs outlives what the database forgets, and whatever breaks off beside it."""

from datetime import UTC, datetime

from calls.engine.dispatch.stage import FakeCall


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
