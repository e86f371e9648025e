"""The states of a call, in Python and in the database."""

from contextlib import suppress
from itertools import permutations

import psycopg
import pytest
from calls.in_memory import MemoryWriter, call_plan, leg_plan

from twoleg.calls.journal import MAX_NOTES, Journal, Role, SystemClock, Verdict
from twoleg.calls.outcomes import EndedBy, Outcome
from twoleg.calls.states import TRANSITIONS, ForbiddenTransition, Status

_IN = """
INSERT INTO calls (account_id, source, contact_phone_number, line_phone_number, status, ended_at,
  outcome)
VALUES (1, 'api', '+18185550100', '+18185550199', %(status)s,
  CASE %(status)s WHEN 'ended' THEN now() END, CASE %(status)s WHEN 'ended' THEN 'failed' END)
"""
_TO = """
UPDATE calls SET status = %(status)s, ended_at = CASE %(status)s WHEN 'ended' THEN now() END,
  outcome = CASE %(status)s WHEN 'ended' THEN 'failed' END
"""


async def test_the_database_allows_the_same_transitions(database):
    allowed = set()
    async with database.connection() as connection:
        for old, new in permutations(Status, 2):
            with suppress(psycopg.errors.CheckViolation):
                async with connection.transaction(force_rollback=True):
                    await connection.execute(_IN, {"status": old.value})
                    await connection.execute(_TO, {"status": new.value})
                    allowed.add((old, new))
    assert allowed == TRANSITIONS


def test_every_state_can_be_reached_and_only_the_end_is_final():
    assert {new for _, new in TRANSITIONS} == set(Status)
    assert {old for old, _ in TRANSITIONS} == set(Status) - {Status.ENDED}


async def test_a_forbidden_transition_raises_and_writes_nothing():
    writer = MemoryWriter()
    journal = Journal(call_plan(), writer, SystemClock())
    record = journal.open_leg(Role.CONTACT, leg_plan("contact"))
    with pytest.raises(ForbiddenTransition) as refused:
        journal.contact_connected(record)
    assert (refused.value.current, refused.value.wanted) == (Status.QUEUED, Status.BRIDGED)
    assert journal.status is Status.QUEUED
    assert writer.changes == []


async def test_events_go_on_from_the_sequence_of_the_claim_and_the_end_counts_the_wait():
    writer = MemoryWriter()
    writer.sequence = 4
    journal = Journal(call_plan(sequence=4, queued_seconds=1.25), writer, SystemClock())
    journal.end(Verdict(outcome=Outcome.CANCELED, ended_by=EndedBy.API))
    (change,) = writer.changes
    assert change.event.sequence == 5
    assert change.event.type == "call.ended"
    assert change.event.data["outcome"] == "canceled"
    assert 1.25 <= change.ending.total_seconds < 60


async def test_a_note_is_an_event_that_leaves_the_status_as_it_is():
    writer = MemoryWriter()
    journal = Journal(call_plan(), writer, SystemClock())
    journal.agent_ringing()
    journal.note("call.held", {"role": "agent"})
    noted = writer.changes[-1]
    assert (noted.status, noted.event.type, noted.event.sequence) == (None, "call.held", 3)
    assert noted.event.data == {"role": "agent"}
    assert journal.status is Status.AGENT_RINGING


async def test_far_ends_cannot_fill_a_record_with_notes_and_the_end_is_told_all_the_same():
    writer = MemoryWriter()
    journal = Journal(call_plan(), writer, SystemClock())
    for _ in range(MAX_NOTES + 5):
        journal.note("call.held")
    assert len(writer.changes) == MAX_NOTES
    journal.end(Verdict(outcome=Outcome.CANCELED, ended_by=EndedBy.API))
    journal.note("call.resumed")
    assert len(writer.changes) == MAX_NOTES + 1
    assert writer.changes[-1].event.type == "call.ended"
