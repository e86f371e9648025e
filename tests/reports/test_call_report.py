"""What calls came to, counted over calls whose sums are known."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from twoleg.reports.call_report import CallGroup, call_report
from twoleg.reports.period import Period

BERLIN = ZoneInfo("Europe/Berlin")
JUNE = Period(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC), BERLIN)

# At, asked for, answered, group, outcome, talked, the agent rang, the contact rang.
CALLS = [
    ("2026-06-09T21:30Z", 1, 1, None, "connected", 60, 2, 4),
    ("2026-06-09T22:30Z", 1, 1, None, "connected", 30, 4, 8),
    ("2026-06-10T08:15Z", None, 2, 1, "connected", 15, 3, 6),
    ("2026-06-10T08:45Z", None, None, 1, "no_agent_available", None, None, None),
    ("2026-06-10T09:00Z", 2, 2, None, "contact_busy", None, 3, None),
    ("2026-06-10T09:30Z", 2, None, None, "agent_no_answer", None, 30, None),
    ("2026-06-10T09:45Z", 2, None, None, "canceled", None, None, None),
]


@pytest.fixture
async def report(database):
    async with database.connection() as connection:
        for statement in (
            "INSERT INTO accounts (id, name) VALUES (1, 'One'), (2, 'Two')",
            """INSERT INTO users (id, account_id, name, email, sip_username)
               VALUES (1, 1, 'Alice', 'alice@example.com', 'alice'),
                 (2, 1, 'Bob', 'bob@example.com', 'bob')""",
            "INSERT INTO ring_groups (id, account_id, name) VALUES (1, 1, 'Sales')",
            """INSERT INTO lines (id, account_id, phone_number, country)
               VALUES (1, 1, '+18552562001', 'US')""",
        ):
            await connection.execute(statement)
        for number, (at, user, answered, group, *rest) in enumerate(CALLS, start=101):
            outcome, talk, agent_ring, contact_ring = rest
            await connection.execute(
                """INSERT INTO calls (id, account_id, source, user_id, ring_group_id, line_id,
                     contact_phone_number, line_phone_number, created_at, ended_at, status,
                     outcome, talk_seconds, agent_ring_seconds, contact_ring_seconds)
                   VALUES (%s, 1, 'api', %s, %s, 1, '+18181276543', '+18552562001', %s, %s,
                     'ended', %s, %s, %s, %s)""",
                (number, user, group, at, at, outcome, talk, agent_ring, contact_ring),
            )
            if answered is not None:
                await connection.execute(
                    """INSERT INTO legs (call_id, position, role, user_id, to_uri, started_at,
                         answered_at) VALUES (%s, 0, 'agent', %s, 'sip:x@192.0.2.1', %s, %s)""",
                    (number, answered, at, at),
                )
        # None of these counts: one that runs, one that reminds, one before, one of another account.
        await connection.execute(
            """INSERT INTO calls (account_id, source, contact_phone_number, line_phone_number,
                 created_at, ended_at, status, outcome) VALUES
               (1, 'api', '+1', '+1', '2026-06-10T10:00Z', NULL, 'queued', NULL),
               (1, 'reminder', '+1', '+1', '2026-06-10T10:00Z', now(), 'ended', 'connected'),
               (1, 'api', '+1', '+1', '2026-05-31T23:59Z', now(), 'ended', 'connected'),
               (2, 'api', '+1', '+1', '2026-06-10T10:00Z', now(), 'ended', 'connected')"""
        )

    async def report(group_by, over=JUNE):
        async with database.connection() as connection:
            return await call_report(connection, 1, over, group_by)

    return report


def lines(report, *names):
    return {line.group: tuple(getattr(line, name) for name in names) for line in report.lines}


async def test_all_together_are_counted_by_whose_doing_it_was(report) -> None:
    total = (await report(CallGroup.DAY)).total
    assert (total.calls, total.connected) == (7, 3)
    assert (total.agent_missed, total.contact_missed, total.other) == (2, 1, 1)
    assert total.connected_rate == 0.4286
    assert (total.talk_seconds, total.mean_talk_seconds) == (105, 35)
    assert (total.mean_agent_ring_seconds, total.mean_contact_ring_seconds) == (8.4, 6)


async def test_days_and_hours_are_those_of_the_accounts_clock(report) -> None:
    assert lines(await report(CallGroup.DAY), "calls", "talk_seconds") == {
        "2026-06-09": (1, 60),
        "2026-06-10": (6, 45),
    }
    assert lines(await report(CallGroup.HOUR), "calls") == {
        "00:00": (1,),
        "10:00": (2,),
        "11:00": (3,),
        "23:00": (1,),
    }


async def test_an_agents_calls_are_those_that_the_agent_answered(report) -> None:
    found = await report(CallGroup.AGENT)
    assert lines(found, "group_id", "calls", "connected") == {
        "Alice": (1, 2, 2),
        "Bob": (2, 4, 1),
        "": (None, 1, 0),
    }


async def test_groups_lines_and_outcomes_have_a_line_each(report) -> None:
    assert lines(await report(CallGroup.RING_GROUP), "calls") == {"Sales": (2,), "": (5,)}
    assert lines(await report(CallGroup.LINE), "calls") == {"+18552562001": (7,)}
    outcomes = lines(await report(CallGroup.OUTCOME), "calls")
    assert outcomes["connected"] == (3,)
    assert sum(count for (count,) in outcomes.values()) == 7


async def test_a_time_without_calls_has_a_total_of_nothing(report) -> None:
    over = Period(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC), BERLIN)
    found = await report(CallGroup.AGENT, over)
    assert list(found.lines) == []
    assert (found.total.calls, found.total.connected_rate) == (0, None)
    assert found.total.mean_talk_seconds is None
