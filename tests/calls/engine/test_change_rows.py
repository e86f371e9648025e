"""A change of a call becomes a row of JSON: each value in its column, and any text readable."""

import json
import random
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from calls.engine.conftest import change, note
from hypothesis import given
from hypothesis import strategies as st

from twoleg.calls.change_rows import CHANGES, change_row, json_of
from twoleg.calls.journal import ANSWERED_BY, LegRecord, Role
from twoleg.calls.writer import Writer
from twoleg.store.texts import storable

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def has_no_pair(text):
    """Tell whether no two halves of a character stand together: in JSON they would be one."""
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return len(joined) == len(text)


@given(st.text(st.characters(exclude_characters="\\") | st.sampled_from("\0\x1f\udcfc📞ü\u2028")))
def test_a_text_is_written_as_it_is_but_for_what_is_no_text(text):
    [read] = json.loads(json_of([[text]]))
    assert storable(read) == read
    assert not has_no_pair(text) or read == storable(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\ud83d\udcde", "📞"),
        ("\ud83d", "\ufffd"),
        ("\udcde\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ud83d\udcde\udcde", "\ufffd📞\ufffd"),
        ("\0\0x\0", "\ufffd\ufffdx\ufffd"),
    ],
)
def test_a_half_without_the_other_is_no_text(text, written):
    assert json.loads(json_of([[text]])) == [written]


async def test_a_time_is_kept_to_the_microsecond(database):
    chance = random.Random(7)
    span = (LAST - FIRST) // timedelta(microseconds=1)
    times = [FIRST + timedelta(microseconds=chance.randrange(span)) for _ in range(2000)]
    changes = [note(1, 1, 2, "call.x", {}) for _ in times]
    rows = [
        change_row(1, each._replace(event=each.event._replace(at=at)), [])
        for each, at in zip(changes, times, strict=True)
    ]
    async with database.connection() as connection:
        cursor = psycopg.AsyncRawCursor(connection)
        await cursor.execute(f"SELECT at FROM ({CHANGES}) AS x", (f"[{json_of(rows)}]",))
        assert [at for (at,) in await cursor.fetchall()] == times


async def test_each_value_of_a_leg_is_stored_in_its_own_column(
    office, database, engine_id, call_id
):
    record = LegRecord(
        position=2,
        role=Role.CONTACT,
        to_uri="sip:bob@192.0.2.7",
        started_at=FIRST,
        user_id=await office.add_user("alice"),
        trunk_id=await office.add_trunk(),
        answered_at=FIRST + timedelta(seconds=1),
        ended_at=FIRST + timedelta(seconds=2),
        sip_status=200,
        q850_cause=16,
        reason="OK",
        codec="PCMA",
        quality={"mos": 4.4},
        invite={"branch": "z9hG4bK1"},
        dialog={"remote_tag": "1"},
    )
    async with Writer.open(database, engine_id) as writer:
        writer.write(change(call_id, office.account_id, 2, "agent_ringing", legs=(record,)))
    columns = [*LegRecord.__dataclass_fields__]
    stored = await office.row(f"SELECT {', '.join(columns)} FROM legs")
    assert stored == tuple([getattr(record, name) for name in columns])


async def test_each_value_of_an_ending_is_stored_in_its_own_column(
    office, database, engine_id, call_id
):
    heard = {"answered_by": "human", "answered_by_ms": 900}
    one = change(call_id, office.account_id, 2, "agent_ringing", contact_attempt_at=FIRST)
    other = note(call_id, office.account_id, 3, ANSWERED_BY, heard)
    ended = change(call_id, office.account_id, 4, "ended", data={"talk_seconds": 3.25})
    ended = ended._replace(ending=ended.ending._replace(failure="a reason"))
    async with Writer.open(database, engine_id) as writer:
        for each in (one, other, ended):
            writer.write(each)
    columns = (
        "contact_attempt_at, answered_by, answered_by_ms, outcome, ended_by, failure, ended_at,"
        " agent_ring_seconds, contact_ring_seconds, talk_seconds, total_seconds, sequence"
    )
    assert await office.call(call_id, columns) == (FIRST, "human", 900, *ended.ending[:8], 4)
    events = "SELECT sequence, type, at, data FROM call_events WHERE sequence > 1 ORDER BY sequence"
    assert await office.rows(events) == [each.event for each in (one, other, ended)]
