"""What a lost engine leaves is placed again before the mark, and closed truthfully after it."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from calls.engine.conftest import listening
from psycopg.types.json import Jsonb
from waiting import until

from twoleg.calls.recovery import Recovery, join
from twoleg.sip import Credentials, Destination, DialogIdentity, InviteIdentity, Transport

DEAD_SECONDS = 60.0
"""No engine of a test is silent for so long, however busy the machine is; one that is lost is."""

HEARTBEAT_SECONDS = 0.05

DIALOG = DialogIdentity(
    call_id="call-1",
    local_tag="ours",
    remote_tag="theirs",
    local_cseq=1,
    remote_cseq=None,
    local_uri="<sip:+41445550100@192.0.2.10>",
    remote_uri="<sip:alice@192.0.2.7>",
    remote_target="sip:alice@192.0.2.7",
    route_set=(),
    transport=Transport.UDP,
    destination=None,
)


INVITE = InviteIdentity(
    uri="sip:alice@192.0.2.7",
    via="SIP/2.0/UDP 192.0.2.10:5060",
    branch="z9hG4bK-1",
    from_="<sip:+41445550100@192.0.2.10>;tag=ours",
    to="<sip:alice@192.0.2.7>",
    call_id="call-1",
    cseq=1,
    routes="",
    destination=Destination(Transport.UDP, "192.0.2.7", 5060),
)


class TickingClock:
    """Moves on with every look at it, of which there are two in a heartbeat."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        self.now += DEAD_SECONDS / 5
        return self.now


class Lookout:
    """An engine's recovery, what it hung up, and what it took back."""

    def __init__(self):
        self.engine_id = None
        self.recovery = None
        self.hung_up = asyncio.Queue()
        self.canceled = asyncio.Queue()

    async def hang_up(self, identity, credentials):
        self.hung_up.put_nowait((identity, credentials))

    async def cancel(self, invite):
        self.canceled.put_nowait(invite)

    async def next(self):
        async with asyncio.timeout(10):
            return await self.hung_up.get()

    async def next_canceled(self):
        async with asyncio.timeout(10):
            return await self.canceled.get()


@pytest.fixture
def lookout(office, database):
    @asynccontextmanager
    async def run(**values):
        lookout = Lookout()
        lookout.engine_id = await office.join()
        async with Recovery.open(
            database,
            lookout.engine_id,
            values.pop("hang_up", lookout.hang_up),
            lookout.cancel,
            dead_seconds=DEAD_SECONDS,
            heartbeat_seconds=HEARTBEAT_SECONDS,
            clock=values.pop("clock", None) or TickingClock(),
            **values,
        ) as lookout.recovery:
            yield lookout

    return run


async def lose(office, engine_id):
    """Have an engine be silent for an hour."""
    await office.rows(
        "UPDATE engines SET heartbeat_at = now() - interval '1 hour' WHERE id = %s", engine_id
    )


@pytest.fixture
async def lost(office):
    engine_id = await office.join()
    await lose(office, engine_id)
    return engine_id


async def step(office, call_id, *statuses, **columns):
    for status in statuses:
        await office.rows(
            "UPDATE calls SET status = %s, sequence = sequence + 1 WHERE id = %s", status, call_id
        )
        await office.rows(
            "INSERT INTO call_events (account_id, call_id, sequence, type)"
            " SELECT account_id, id, sequence, 'call.' || status FROM calls WHERE id = %s",
            call_id,
        )
    await office.rows("UPDATE calls SET contact_attempt_at = now() WHERE id = %s", call_id)


async def add_leg(office, call_id, position, dialog=DIALOG, invite=None, **columns):
    values = {"role": "agent", "to_uri": "sip:alice@192.0.2.7"} | columns
    values["invite"] = invite and Jsonb(invite.to_json())
    names = "".join(f", {name}" for name in values)
    await office.rows(
        f"INSERT INTO legs (call_id, position, started_at, dialog{names})"
        f" VALUES (%s, %s, now(), %s{', %s' * len(values)})",
        call_id,
        position,
        dialog and Jsonb(dialog.to_json()),
        *values.values(),
    )


async def test_a_call_without_the_mark_goes_back_to_the_queue(office, database, lookout, lost):
    alice = await office.add_user("alice")
    call_id = await office.queue(user_id=alice)
    await office.claim(lost)
    assert await office.reserved() == {alice: call_id}
    async with listening(database, "twoleg_calls") as hear, lookout():
        await hear()
    assert await office.call(call_id, "status, engine_id, claimed_at, sequence") == (
        "queued",
        None,
        None,
        2,
    )
    assert await office.reserved() == {}
    assert await office.events(call_id) == ["queued", "queued"]
    [again] = await office.claim(await office.join())
    assert (again.call_id, again.sequence, len(again.found.agents)) == (call_id, 2, 1)


async def test_it_goes_back_once_however_many_engines_look(office, database, lookout, lost):
    ids = [await office.queue() for _ in range(10)]
    await office.claim(lost)
    async with listening(database, "twoleg_calls") as hear, lookout(), lookout(), lookout():
        await hear()
        async with lookout() as last:
            await office.queue()
            await hear()
    for call_id in ids:
        assert await office.events(call_id) == ["queued", "queued"]
    assert last.hung_up.empty()


async def test_a_call_with_the_mark_fails_and_its_dialogs_are_ended(office, lookout, lost):
    trunk_id = await office.add_trunk(username="line", password="secret")
    alice = await office.add_user("alice")
    call_id = await office.queue(user_id=alice)
    await office.claim(lost)
    await step(office, call_id, "agent_ringing", "agent_connected", "contact_ringing", "bridged")
    await add_leg(office, call_id, 1)
    await add_leg(office, call_id, 2, dialog=None)
    await add_leg(office, call_id, 3, role="contact", trunk_id=trunk_id)
    await office.rows(
        "UPDATE call_events SET at = heartbeat_at - interval '100 s' FROM engines"
        " WHERE type = 'call.bridged' AND engines.id = %s",
        lost,
    )
    async with lookout() as watching:
        ended = [await watching.next(), await watching.next()]
    assert [identity for identity, _ in ended] == [DIALOG, DIALOG]
    credentials = [credentials for _, credentials in ended]
    assert None in credentials
    assert Credentials("line", "secret") in credentials
    columns = "status, outcome, ended_by, failure, contact_attempt_at IS NOT NULL"
    assert await office.call(call_id, columns) == (
        "ended",
        "failed",
        "system",
        "the engine that had the call was lost",
        True,
    )
    # It was bridged 100 s before the engine was last heard of.
    assert await office.call(call_id, "talk_seconds") == pytest.approx(100, abs=0.01)
    assert await office.reserved() == {}
    assert (await office.events(call_id))[-1] == "ended"
    assert await office.rows("SELECT FROM legs WHERE ended_at IS NULL OR dialog IS NOT NULL") == []


async def test_a_call_that_was_never_bridged_has_no_talk_time(office, lookout, lost):
    call_id = await office.queue()
    await office.claim(lost)
    await step(office, call_id, "agent_ringing")
    await add_leg(office, call_id, 1)
    async with lookout() as watching:
        await watching.next()
    assert await office.call(call_id, "outcome, talk_seconds") == ("failed", 0)


async def test_an_engine_that_is_heard_of_keeps_its_calls(office, database, lookout, lost):
    async with lookout() as living, lookout():
        mine = await office.queue()
        await office.claim(living.engine_id)
        await office.queue()
        await office.claim(lost)
        async with listening(database, "twoleg_calls") as hear:
            await hear()
        assert await office.call(mine, "engine_id") == living.engine_id


class SteppedClock:
    """Moves when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


async def beats(office, engine_id, number=2):
    """Wait until an engine's heart has beaten so often, and it has looked at the others."""
    beat = "SELECT heartbeat_at FROM engines WHERE id = %s"
    for _ in range(number):
        last = await office.value(beat, engine_id)

        async def has_beaten(last=last):
            return await office.value(beat, engine_id) > last

        await until(has_beaten)


async def test_nobody_is_judged_by_an_engine_that_has_just_come(office, database, lookout, lost):
    """The database may have been away until now, and the others not have been heard for that."""
    call_id = await office.queue()
    await office.claim(lost)
    clock = SteppedClock()
    async with listening(database, "twoleg_calls") as hear, lookout(clock=clock) as watching:
        await beats(office, watching.engine_id)
        assert await office.call(call_id, "engine_id") == lost
        while clock.now < 1000.0 + DEAD_SECONDS:
            clock.now += DEAD_SECONDS / 4
            await beats(office, watching.engine_id)
        await hear()


async def test_after_an_outage_the_others_get_the_time_to_be_heard(office, database, lookout, lost):
    clock = SteppedClock()
    async with listening(database, "twoleg_calls") as hear, lookout(clock=clock) as watching:
        clock.now += 10 * DEAD_SECONDS
        await beats(office, watching.engine_id)
        call_id = await office.queue()
        await hear()
        await office.claim(lost)
        await beats(office, watching.engine_id)
        assert await office.call(call_id, "engine_id") == lost
        judging_from = clock.now + DEAD_SECONDS
        while clock.now < judging_from:
            clock.now += DEAD_SECONDS / 4
            await beats(office, watching.engine_id)
        await hear()


async def test_an_engine_that_ends_gives_back_what_it_never_rang(office, lookout):
    async with lookout() as ending:
        call_id = await office.queue()
        await office.claim(ending.engine_id)
    assert await office.call(call_id, "status, engine_id") == ("queued", None)
    assert await office.value("SELECT gone FROM engines WHERE id = %s", ending.engine_id)


async def test_a_call_that_an_ended_engine_could_not_close_is_closed_at_once(office, lookout):
    async with lookout() as ending:
        call_id = await office.queue()
        await office.claim(ending.engine_id)
        await step(office, call_id, "agent_ringing")
        await add_leg(office, call_id, 1)
    async with lookout() as watching:
        await watching.next()
    assert await office.call(call_id, "outcome") == "failed"


async def test_a_dialog_that_cannot_be_ended_does_not_stop_the_heart(office, lookout, lost):
    tried = asyncio.Event()

    async def fail(identity, credentials):
        tried.set()
        raise RuntimeError

    call_id = await office.queue()
    await office.claim(lost)
    await step(office, call_id, "agent_ringing")
    await add_leg(office, call_id, 1)
    async with lookout(hang_up=fail) as watching:
        async with asyncio.timeout(10):
            await tried.wait()
        await beats(office, watching.engine_id)


async def legs_to_hang_up(office, number):
    """Wait until no more than so many legs of lost engines are still to be hung up."""

    async def are_hung_up():
        return await office.value("SELECT count(*) FROM lost_legs") <= number

    await until(are_hung_up)


async def test_what_a_lost_engine_left_ringing_is_taken_back(office, lookout, lost):
    call_id = await office.queue()
    await office.claim(lost)
    await step(office, call_id, "agent_ringing")
    await add_leg(office, call_id, 1, dialog=None, invite=INVITE)
    async with lookout() as watching:
        assert await watching.next_canceled() == INVITE
    assert watching.hung_up.empty()
    assert await office.rows("SELECT FROM legs WHERE ended_at IS NULL OR invite IS NOT NULL") == []


CONTACT_INVITE = replace(INVITE, branch="z9hG4bK-2", call_id="call-2")


async def test_a_contacts_invite_that_left_no_leg_is_taken_back(office, lookout, lost):
    call_id = await office.queue()
    await office.claim(lost)
    await step(office, call_id, "agent_ringing", "agent_connected")
    await add_leg(office, call_id, 1, invite=CONTACT_INVITE, answered_at=datetime.now(UTC))
    async with lookout() as watching:
        assert await watching.next_canceled() == CONTACT_INVITE
        assert (await watching.next())[0] == DIALOG
        await legs_to_hang_up(office, 0)
    assert watching.canceled.empty()
    assert await office.rows("SELECT FROM legs WHERE ended_at IS NULL OR invite IS NOT NULL") == []


async def test_it_is_taken_back_too_where_its_leg_knows_no_more_of_it(office, lookout, lost):
    call_id = await office.queue()
    await office.claim(lost)
    await step(office, call_id, "agent_ringing", "agent_connected", "contact_ringing")
    await add_leg(office, call_id, 1, invite=CONTACT_INVITE, answered_at=datetime.now(UTC))
    await add_leg(office, call_id, 2, dialog=None, role="contact")
    async with lookout() as watching:
        assert await watching.next_canceled() == CONTACT_INVITE
        await watching.next()
        await legs_to_hang_up(office, 0)
    assert watching.canceled.empty()


@pytest.mark.parametrize(
    ("column", "canceled"),
    [
        ({"invite": INVITE}, [INVITE]),
        ({"answered_at": datetime.now(UTC), "dialog": DIALOG}, []),
        ({"ended_at": datetime.now(UTC)}, []),
    ],
    ids=["challenged", "answered", "over"],
)
async def test_what_the_contacts_leg_says_goes_before_what_was_foreseen(
    office, lookout, lost, column, canceled
):
    call_id = await office.queue()
    await office.claim(lost)
    await step(office, call_id, "agent_ringing", "agent_connected", "contact_ringing")
    await add_leg(office, call_id, 1, invite=CONTACT_INVITE, answered_at=datetime.now(UTC))
    await add_leg(office, call_id, 2, **{"dialog": None, "role": "contact"} | column)
    async with lookout() as watching:
        await watching.next()
        await legs_to_hang_up(office, 0)
    assert [watching.canceled.get_nowait() for _ in range(watching.canceled.qsize())] == canceled


async def test_whoever_ran_where_we_run_now_is_gone_without_waiting(office, lookout, database):
    before = await join(database, "host", "192.0.2.10", 5060)
    await join(database, "host", "192.0.2.10", 5062)
    call_id = await office.queue()
    await office.claim(before)
    await step(office, call_id, "agent_ringing")
    await add_leg(office, call_id, 1)
    after = await join(database, "host", "192.0.2.10", 5060)
    gone = await office.rows("SELECT id FROM engines WHERE gone")
    assert gone == [(before,)]
    assert after != before
    async with lookout(clock=SteppedClock()) as watching:
        await watching.next()
    assert await office.call(call_id, "outcome") == "failed"


async def test_legs_are_hung_up_though_who_was_to_do_it_is_lost_too(office, lookout, lost):
    call_id = await office.queue()
    await office.claim(lost)
    await step(office, call_id, "agent_ringing")
    await add_leg(office, call_id, 1)
    await add_leg(office, call_id, 2, dialog=None, invite=INVITE)

    async def hang(identity, credentials):
        await asyncio.Event().wait()

    async with lookout(hang_up=hang) as first:
        await first.next_canceled()
        assert await office.call(call_id, "outcome") == "failed"
        await legs_to_hang_up(office, 1)
    async with lookout(clock=SteppedClock()) as second:
        assert (await second.next())[0] == DIALOG
        await legs_to_hang_up(office, 0)
    assert second.canceled.empty()


async def test_an_engine_tells_what_it_measures(office, lookout):
    async with lookout() as watching:
        watching.recovery.figures = lambda: {"gauges": {"calls_running": 2}}
        running = "SELECT figures->'gauges'->'calls_running' FROM engines WHERE id = %s"

        async def are_told():
            return await office.value(running, watching.engine_id) == 2

        await until(are_told)


async def test_a_draining_engine_says_so(office, lookout):
    async with lookout() as watching:
        watching.recovery.draining = True
        draining = "SELECT draining FROM engines WHERE id = %s"
        await until(lambda: office.value(draining, watching.engine_id))


async def test_a_call_that_waited_for_an_agent_leaves_the_queue_and_is_placed_anew(
    office, database, lookout, lost
):
    alice = await office.add_user("alice")
    group = await office.add_group(alice, max_wait_seconds=600)
    call_id = await office.queue(ring_group_id=group)
    await office.claim(lost)
    await office.rows(
        "INSERT INTO waiting_calls (call_id, ring_group_id) VALUES (%s, %s)", call_id, group
    )
    async with listening(database, "twoleg_calls") as hear, lookout():
        await hear()
    assert await office.rows("SELECT FROM waiting_calls") == []
    [again] = await office.claim(await office.join())
    assert [agent["user_id"] for agent in again.found.agents] == [alice]


async def test_only_who_had_the_lost_call_is_left_alone_for_the_wrap_up_time(office, lookout, lost):
    await office.rows("UPDATE accounts SET wrap_up_seconds = 30")
    alice, bob = await office.add_user("alice"), await office.add_user("bob")
    group = await office.add_group(alice, bob)
    call_id = await office.queue(ring_group_id=group)
    await office.claim(lost)
    await step(office, call_id, "agent_ringing", "agent_connected")
    await add_leg(office, call_id, 1, user_id=bob, answered_at=datetime.now(UTC))
    async with lookout() as watching:
        await watching.next()
    rows = await office.rows(
        "SELECT id FROM users WHERE last_call_ended_at < wrap_up_until AND wrap_up_until > now()"
    )
    assert rows == [(bob,)]
    assert await office.reserved() == {}
