"""The record of calls reaches the database: in order, once, and after the database was away."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import psycopg
import pytest
from calls.engine.conftest import change, note

from twoleg.calls import writer as writer_module
from twoleg.calls.dispositions import DISPOSITION_SET, dispose
from twoleg.calls.journal import ANSWERED_BY, ClaimLost, LegRecord, Role
from twoleg.calls.writer import Writer

WHOLE_CALL = ("agent_ringing", "agent_connected", "contact_ringing", "bridged", "ended")


def changes_of(call_id, office, statuses=WHOLE_CALL):
    return [
        change(call_id, office.account_id, sequence, status)
        for sequence, status in enumerate(statuses, 2)
    ]


def leg(position=1, **values):
    return LegRecord(
        position=position,
        role=Role.AGENT,
        to_uri="sip:alice@192.0.2.7",
        started_at=datetime.now(UTC),
        **values,
    )


async def test_changes_of_one_call_made_at_once_are_written_in_their_order(
    office, database, engine_id, call_id
):
    async with Writer.open(database, engine_id) as writer:
        for one in changes_of(call_id, office):
            writer.write(one)
        await writer.flushed()
        assert writer.batches == len(WHOLE_CALL)
    assert await office.call(call_id, "status, outcome, ended_by, sequence") == (
        "ended",
        "connected",
        "agent",
        6,
    )
    assert await office.events(call_id) == ["queued", *WHOLE_CALL]
    seconds = "agent_ring_seconds, contact_ring_seconds, talk_seconds, total_seconds"
    assert await office.call(call_id, seconds) == (1.5, 2.5, 3.25, 8.0)


async def test_many_calls_share_a_batch(office, database, engine_id, monkeypatch):
    monkeypatch.setattr(writer_module, "MAX_BATCH", 20)
    ids = [await office.queue() for _ in range(30)]
    while await office.claim(engine_id):
        pass
    async with Writer.open(database, engine_id) as writer:
        for call_id in ids:
            writer.write(change(call_id, office.account_id, 2, "agent_ringing"))
        await writer.flushed()
        assert writer.batches == 2
    assert await office.value("SELECT count(*) FROM calls WHERE status = 'agent_ringing'") == 30


async def test_others_have_their_turns_while_a_large_batch_is_made_ready(
    office, database, engine_id, monkeypatch
):
    ids = [await office.queue() for _ in range(3 * writer_module.ROWS_IN_ONE_GO)]
    while await office.claim(engine_id):
        pass
    turns = 0
    turns_by_row = []
    row = writer_module._row

    def noting(pending):
        turns_by_row.append(turns)
        return row(pending)

    async def count_turns():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    monkeypatch.setattr(writer_module, "_row", noting)
    async with Writer.open(database, engine_id) as writer:
        counting = asyncio.create_task(count_turns())
        for call_id in ids:
            writer.write(change(call_id, office.account_id, 2, "agent_ringing"))
        await writer.flushed()
        counting.cancel()
        assert writer.batches == 1
    assert max(Counter(turns_by_row).values()) == writer_module.ROWS_IN_ONE_GO


async def test_what_was_stored_is_in_the_database(office, database, engine_id, call_id):
    record = leg(dialog={"call_id": "x"}, sip_status=200)
    async with Writer.open(database, engine_id) as writer:
        mark = change(
            call_id,
            office.account_id,
            2,
            "agent_ringing",
            contact_attempt_at=datetime.now(UTC),
            legs=(record,),
        )
        await writer.store(mark)
        assert await office.call(call_id, "contact_attempt_at") == mark.contact_attempt_at
        [stored] = await office.rows("SELECT role, to_uri, dialog, sip_status FROM legs")
        assert stored == ("agent", record.to_uri, {"call_id": "x"}, 200)


async def test_a_leg_written_again_replaces_its_row(office, database, engine_id, call_id):
    record = leg(dialog={"call_id": "x"})
    async with Writer.open(database, engine_id) as writer:
        writer.write(change(call_id, office.account_id, 2, "agent_ringing", legs=(record,)))
        await writer.flushed()
        record.dialog, record.q850_cause = None, 16
        writer.write(change(call_id, office.account_id, 3, "ended", legs=(record,)))
    assert await office.row("SELECT position, dialog, q850_cause FROM legs") == (1, None, 16)


_WRITTEN_WITH = "SELECT e.sequence FROM legs l JOIN call_events e ON e.xmin = l.xmin"


async def test_a_leg_that_stands_as_the_change_before_has_left_it_is_not_written_again(
    office, database, engine_id, call_id
):
    record = leg(dialog={"call_id": "x"})
    async with Writer.open(database, engine_id) as writer:
        for sequence, status in enumerate(("agent_ringing", "agent_connected"), 2):
            writer.write(change(call_id, office.account_id, sequence, status, legs=(record,)))
    assert await office.events(call_id) == ["queued", "agent_ringing", "agent_connected"]
    assert await office.value(_WRITTEN_WITH) == 2


async def test_a_leg_that_has_changed_since_is(office, database, engine_id, call_id):
    record = leg(dialog={"call_id": "x"})
    async with Writer.open(database, engine_id) as writer:
        ringing = change(call_id, office.account_id, 2, "agent_ringing", legs=(record,))
        connected = change(call_id, office.account_id, 3, "agent_connected", legs=(record,))
        stored = writer.store(ringing)
        writer.write(connected)
        await stored
        record.reason = "OK"
    assert await office.value("SELECT reason FROM legs") == "OK"
    assert await office.value(_WRITTEN_WITH) == 3


async def test_a_leg_of_a_change_that_was_written_before_is_written_with_the_next(
    office, database, engine_id, call_id
):
    record = leg()
    one = change(call_id, office.account_id, 2, "agent_ringing", legs=(record,))
    async with Writer.open(database, engine_id) as writer:
        await writer.store(one)
        # Its commit was not heard of, and the leg has changed before it is tried again.
        record.reason = "OK"
        writer.write(one)
        writer.write(change(call_id, office.account_id, 3, "agent_connected", legs=(record,)))
    assert await office.value("SELECT reason FROM legs") == "OK"


async def test_the_mark_is_made_once(office, database, engine_id, call_id):
    async with Writer.open(database, engine_id) as writer:
        now = datetime.now(UTC)
        first = change(call_id, office.account_id, 2, "agent_ringing", contact_attempt_at=now)
        await writer.store(first)
        await writer.store(change(call_id, office.account_id, 3, "agent_connected"))
        again = change(call_id, office.account_id, 4, "agent_ringing", contact_attempt_at=now)
        with pytest.raises(ClaimLost):
            await writer.store(again)
    assert await office.call(call_id) == "agent_connected"


async def test_a_call_that_another_engine_has_is_left_alone(office, database, engine_id, call_id):
    other = await office.join()
    await office.rows("UPDATE calls SET engine_id = %s WHERE id = %s", other, call_id)
    async with Writer.open(database, engine_id) as writer:
        with pytest.raises(ClaimLost):
            await writer.store(change(call_id, office.account_id, 2, "agent_ringing"))
        writer.write(change(call_id, office.account_id, 3, "ended"))
    assert await office.call(call_id, "status, sequence") == ("queued", 1)
    assert await office.events(call_id) == ["queued"]


async def test_a_call_that_was_ended_meanwhile_is_left_alone(office, database, engine_id, call_id):
    await office.rows(
        "UPDATE calls SET status = 'ended', outcome = 'failed', ended_at = now(), sequence = 2"
        " WHERE id = %s",
        call_id,
    )
    async with Writer.open(database, engine_id) as writer:
        with pytest.raises(ClaimLost):
            await writer.store(change(call_id, office.account_id, 2, "agent_ringing"))
    assert await office.call(call_id, "outcome") == "failed"


async def test_a_change_whose_commit_was_not_heard_of_may_be_written_again(
    office, database, engine_id, call_id
):
    one = change(
        call_id, office.account_id, 2, "agent_ringing", contact_attempt_at=datetime.now(UTC)
    )
    async with Writer.open(database, engine_id) as writer:
        await writer.store(one)
        await writer.store(one)
    assert await office.events(call_id) == ["queued", "agent_ringing"]


async def test_the_record_survives_a_database_that_goes_away(
    office, database, engine_id, call_id, outage
):
    first, *rest = changes_of(call_id, office)
    async with Writer.open(database, engine_id) as writer:
        await writer.store(first)
        await outage.begin()
        stored = [writer.store(one) for one in rest]
        assert writer.pending == len(rest)
        await outage.end()
        for future in stored:
            await future
    assert await office.events(call_id) == ["queued", *WHOLE_CALL]


async def test_lost_connections_cost_no_change(office, database, engine_id, outage):
    ids = [await office.queue() for _ in range(5)]
    await office.claim(engine_id)
    async with Writer.open(database, engine_id) as writer:
        for sequence, status in enumerate(WHOLE_CALL, 2):
            for call_id in ids:
                writer.write(change(call_id, office.account_id, sequence, status))
            if status in ("agent_connected", "bridged"):
                await outage.cut()
        await writer.flushed()
        assert writer.lost == 0
    for call_id in ids:
        assert await office.events(call_id) == ["queued", *WHOLE_CALL]


async def test_leaving_writes_what_is_pending(office, database, engine_id, call_id):
    async with Writer.open(database, engine_id) as writer:
        for one in changes_of(call_id, office):
            writer.write(one)
    assert await office.call(call_id) == "ended"


async def test_with_too_many_pending_a_call_keeps_its_beginning_and_its_end(
    office, database, engine_id, call_id, monkeypatch
):
    monkeypatch.setattr(writer_module, "MAX_PENDING", 2)
    async with Writer.open(database, engine_id) as writer:
        for one in changes_of(call_id, office):
            writer.write(one)
        assert writer.pending == 3
        assert writer.lost == 2
    assert await office.events(call_id) == ["queued", "agent_ringing", "agent_connected", "ended"]


async def test_one_change_that_is_refused_takes_no_other_with_it(
    office, database, engine_id, call_id
):
    other = await office.queue()
    await office.claim(engine_id)
    async with Writer.open(database, engine_id) as writer:
        writer.write(change(call_id, office.account_id, 2, "bridged"))
        writer.write(change(other, office.account_id, 2, "agent_ringing"))
        await writer.flushed()
        assert writer.lost == 1
    assert await office.call(call_id) == "queued"
    assert await office.call(other) == "agent_ringing"


async def test_a_leg_that_the_database_refuses_does_not_keep_the_call_from_ending(
    office, database, engine_id, call_id
):
    bad = leg(sip_status=10**6)
    async with Writer.open(database, engine_id) as writer:
        writer.write(change(call_id, office.account_id, 2, "agent_ringing", legs=(bad,)))
        writer.write(change(call_id, office.account_id, 3, "ended", legs=(bad,)))
    assert await office.call(call_id) == "ended"
    assert await office.rows("SELECT FROM legs") == []


@pytest.mark.parametrize(
    "said", ["\0besetzt", "Teilnehmer besetzt, gew\udcfcnscht", "📞", 'a "\\u0000" b']
)
async def test_whatever_a_far_end_gives_as_reason_is_kept(
    office, database, engine_id, call_id, said
):
    record = leg(reason=said, dialog={"remote_tag": said})
    async with Writer.open(database, engine_id) as writer:
        writer.write(change(call_id, office.account_id, 2, "agent_ringing", legs=(record,)))
    reason, dialog = await office.row("SELECT reason, dialog FROM legs")
    assert len(reason) == len(said) or "\\" in said
    assert dialog == {"remote_tag": reason}


async def test_a_cause_that_is_none_is_not_kept(office, database, engine_id, call_id):
    record = leg(q850_cause=99_999, sip_status=486)
    async with Writer.open(database, engine_id) as writer:
        writer.write(change(call_id, office.account_id, 2, "agent_ringing", legs=(record,)))
    assert await office.row("SELECT q850_cause, sip_status FROM legs") == (None, 486)


async def test_whoever_lost_the_race_for_a_call_is_free_once_an_agent_has_it(
    office, database, engine_id
):
    users = [await office.add_user(name) for name in ("alice", "bob", "carol")]
    group = await office.add_group(*users)
    call_id = await office.queue(ring_group_id=group)
    await office.claim(engine_id)
    assert await office.reserved() == dict.fromkeys(users, call_id)
    async with Writer.open(database, engine_id) as writer:
        writer.write(change(call_id, office.account_id, 2, "agent_ringing"))
        connected = change(
            call_id, office.account_id, 3, "agent_connected", data={"user_id": users[1]}
        )
        await writer.store(connected)
        assert await office.reserved() == {users[1]: call_id}
        ended = change(call_id, office.account_id, 4, "ended", answered_by=users[1])
        writer.write(ended)
    assert await office.reserved() == {}
    idle_since = "SELECT last_call_ended_at FROM users WHERE id = %s"
    assert await office.value(idle_since, users[1]) == ended.ending.ended_at
    assert await office.value(idle_since, users[0]) is None


async def test_a_note_is_an_event_and_changes_neither_status_nor_reservations(
    office, database, engine_id
):
    users = [await office.add_user(name) for name in ("alice", "bob")]
    group = await office.add_group(*users)
    call_id = await office.queue(ring_group_id=group)
    await office.claim(engine_id)
    async with Writer.open(database, engine_id) as writer:
        writer.write(change(call_id, office.account_id, 2, "agent_ringing"))
        answered = {"user_id": users[0], "leg": 1}
        writer.write(note(call_id, office.account_id, 3, "call.agent_answered", answered))
        await writer.flushed()
    assert await office.call(call_id, "status, sequence") == ("agent_ringing", 3)
    assert await office.events(call_id) == ["queued", "agent_ringing", "agent_answered"]
    assert await office.reserved() == dict.fromkeys(users, call_id)


async def test_the_database_itself_refuses_a_forbidden_step(office, call_id):
    with pytest.raises(psycopg.errors.CheckViolation):
        await office.rows("UPDATE calls SET status = 'bridged' WHERE id = %s", call_id)


class TestDispositions:
    """What is said while a call runs is told once: by its engine, or as the call ends."""

    @pytest.fixture(autouse=True)
    async def said(self, office, database, call_id):
        await office.rows("UPDATE accounts SET dispositions = '{Sale,Other}'")
        async with database.connection() as connection:
            await dispose(connection, office.account_id, call_id, {"disposition": "Sale"})

    async def test_what_the_engine_told_is_not_told_again(
        self, office, database, engine_id, call_id
    ):
        ringing, *_, ended = changes_of(call_id, office, ("agent_ringing", "bridged", "ended"))
        data = {"disposition": "Sale", "notes": None}
        async with Writer.open(database, engine_id) as writer:
            writer.write(ringing)
            writer.write(note(call_id, office.account_id, 3, DISPOSITION_SET, data))
            writer.write(ended)
        kinds = ["queued", "agent_ringing", "disposition_set", "ended"]
        assert await office.events(call_id) == kinds

    async def test_what_it_told_of_before_is_not_the_last_word(
        self, office, database, engine_id, call_id
    ):
        ringing, *_, ended = changes_of(call_id, office, ("agent_ringing", "bridged", "ended"))
        data = {"disposition": "Other", "notes": None}
        async with Writer.open(database, engine_id) as writer:
            writer.write(ringing)
            writer.write(note(call_id, office.account_id, 3, DISPOSITION_SET, data))
            writer.write_legs(call_id, (leg(),))
            writer.write(ended)
        kinds = ["queued", "agent_ringing", "disposition_set", "ended", "disposition_set"]
        assert await office.events(call_id) == kinds
        assert await office.call(call_id, "sequence, status, outcome") == (5, "ended", "connected")


async def test_who_answered_is_in_the_record_as_it_was_last_told(
    office, database, engine_id, call_id
):
    def told(sequence, whom, after):
        data = {"answered_by": whom, "answered_by_ms": after, "sign": "beep"}
        return note(call_id, office.account_id, sequence, ANSWERED_BY, data)

    async with Writer.open(database, engine_id) as writer:
        writer.write(told(2, "human", 1300))
        writer.write(told(3, "machine", 4100))
        writer.write(change(call_id, office.account_id, 4, "agent_ringing"))
        await writer.flushed()
    assert await office.call(call_id, "answered_by, answered_by_ms") == ("machine", 4100)
    assert await office.events(call_id) == ["queued", "answered_by", "answered_by", "agent_ringing"]
