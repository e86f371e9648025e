"""Sums of days: a report comes to the same with them as by counting, whatever happens to calls."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from twoleg.reports.call_report import CallGroup, call_report
from twoleg.reports.call_sums import _sum, pieces_of, sum_days
from twoleg.reports.period import Period
from twoleg.worker import remove_old_calls

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
APRIL = datetime(2026, 4, 10, 9, 30, tzinfo=UTC)
"""Sums are made then: the clocks of Berlin went forward on 29 March, those of New York on 8."""

CALLS = """
INSERT INTO calls (id, account_id, source, user_id, ring_group_id, line_id, contact_phone_number,
  line_phone_number, created_at, ended_at, status, outcome, talk_seconds, agent_ring_seconds,
  contact_ring_seconds)
SELECT n, 1 + (n % 7 = 0)::int, CASE WHEN n % 11 = 0 THEN 'reminder' ELSE 'api' END,
  CASE WHEN n % 3 > 0 THEN n % 3 END, CASE WHEN n % 3 = 0 THEN 1 END, CASE WHEN n % 13 > 0 THEN 1
  END, '+18181276543', '+18552562001', at, at + interval '1 minute', 'ended',
  (ARRAY['connected', 'contact_busy', 'agent_no_answer', 'no_agent_available', 'failed'])
    [1 + n % 5], CASE WHEN n % 5 = 0 THEN n + 0.125 END, CASE WHEN n % 2 = 0 THEN n END,
  CASE WHEN n % 5 < 2 THEN n + 0.001 END
FROM generate_series(1, 900) n,
  LATERAL (SELECT timestamptz '2026-03-01T00:00Z' + n * interval '61 minutes' AS at) x
"""
LEGS = """
INSERT INTO legs (call_id, position, role, user_id, to_uri, started_at, answered_at)
SELECT id, 0, 'agent', 1 + id % 2, 'sip:x@192.0.2.1', created_at, created_at FROM calls
WHERE id % 4 > 0
"""
PERIODS = {
    "march": (datetime(2026, 3, 1, tzinfo=BERLIN), datetime(2026, 4, 1, tzinfo=BERLIN)),
    "until now": (datetime(2026, 3, 1, tzinfo=BERLIN), APRIL + timedelta(days=1)),
    "parts of days": (
        datetime(2026, 3, 8, 5, 17, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    ),
    "a part of one day": (
        datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 14, 0, tzinfo=UTC),
    ),
}


@pytest.fixture(autouse=True)
async def calls(database):
    async with database.connection() as connection:
        for statement in (
            """INSERT INTO accounts (id, name, time_zone)
               VALUES (1, 'One', 'Europe/Berlin'), (2, 'Two', 'America/New_York')""",
            """INSERT INTO users (id, account_id, name, email, sip_username)
               VALUES (1, 1, 'Alice', 'alice@example.com', 'alice'),
                 (2, 1, 'Bob', 'bob@example.com', 'bob')""",
            "INSERT INTO ring_groups (id, account_id, name) VALUES (1, 1, 'Sales')",
            """INSERT INTO lines (id, account_id, phone_number, country)
               VALUES (1, 1, '+18552562001', 'US')""",
            CALLS,
            LEGS,
        ):
            await connection.execute(statement)


@pytest.fixture
def reports(database):
    """Every report, with what is summed or by counting."""

    async def reports(*, counted=False, account=1, zone=BERLIN):
        async with database.connection() as connection:
            if counted:
                await connection.execute("DELETE FROM summed_days")
            found = {
                (name, group): await call_report(
                    connection, account, Period(start, end, zone), group
                )
                for name, (start, end) in PERIODS.items()
                for group in CallGroup
            }
            await connection.rollback()
            return found

    return reports


@pytest.fixture
def summed(database):
    async def summed(account=1):
        async with database.connection() as connection:
            found = await connection.execute(
                "SELECT day FROM summed_days WHERE account_id = %s ORDER BY day", (account,)
            )
            return [day for (day,) in await found.fetchall()]

    return summed


async def test_every_report_of_summed_days_is_what_counting_comes_to(
    database, reports, summed
) -> None:
    counted = await reports()
    assert await sum_days(database, APRIL) == 2 * 40

    assert await reports() == counted
    assert (await summed())[-1] == date(2026, 4, 9)
    assert await reports(account=2, zone=NEW_YORK) == await reports(
        counted=True, account=2, zone=NEW_YORK
    )
    assert counted["march", CallGroup.DAY].total.calls > 500


async def test_what_is_summed_is_not_counted_again(database, reports) -> None:
    await sum_days(database, APRIL)
    async with database.connection() as connection:
        await connection.execute("UPDATE call_sums SET calls = calls + 1000")

    of_sums = (await reports())["march", CallGroup.OUTCOME].total.calls
    counted = (await reports(counted=True))["march", CallGroup.OUTCOME].total.calls
    assert of_sums - counted == 31 * 5 * 1000


async def test_days_are_summed_once(database, reports) -> None:
    await sum_days(database, APRIL)
    before = await reports()

    assert await sum_days(database, APRIL) == 0
    assert await reports() == before


async def test_a_day_is_summed_no_sooner_than_an_hour_after_it_is_over(database, summed) -> None:
    midnight = datetime(2026, 3, 11, tzinfo=BERLIN)
    await sum_days(database, midnight + timedelta(minutes=59))
    assert (await summed())[-1] == date(2026, 3, 9)
    await sum_days(database, midnight + timedelta(minutes=60))
    assert (await summed())[-1] == date(2026, 3, 10)


async def test_a_day_of_which_a_call_still_runs_is_summed_once_it_has_ended(
    database, reports, summed
) -> None:
    day = date(2026, 3, 20)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO calls (id, account_id, source, contact_phone_number, line_phone_number,"
            " status, created_at) VALUES (5000, 1, 'api', '+1', '+1', 'bridged', %s)",
            (datetime(2026, 3, 20, 23, 59, tzinfo=BERLIN),),
        )
    await sum_days(database, APRIL)
    assert day not in await summed()
    before = await reports()

    async with database.connection() as connection:
        await connection.execute(
            "UPDATE calls SET status = 'ended', outcome = 'connected', ended_at = now(),"
            " talk_seconds = 90000 WHERE id = 5000"
        )
    after = await reports()
    assert await sum_days(database, APRIL) == 1
    assert day in await summed()
    assert await reports() == after == await reports(counted=True)
    assert after["march", CallGroup.DAY].total.calls == (
        before["march", CallGroup.DAY].total.calls + 1
    )


async def test_removed_calls_are_in_no_report_and_their_days_are_summed_anew(
    database, reports, summed
) -> None:
    await sum_days(database, APRIL)
    before = await summed()
    kept = datetime.now(UTC) - datetime(2026, 3, 15, 12, tzinfo=UTC)

    assert await remove_old_calls(database, days=kept.days) > 200

    assert await reports() == await reports(counted=True)
    assert set(before) - set(await summed()) >= {date(2026, 3, each) for each in range(1, 15)}
    assert await sum_days(database, APRIL) > 0
    assert await reports() == await reports(counted=True)


async def test_calls_that_are_removed_while_their_day_is_summed_are_in_no_report(
    database, reports, summed
) -> None:
    [piece] = pieces_of(
        datetime(2026, 3, 10, tzinfo=BERLIN), datetime(2026, 3, 11, tzinfo=BERLIN), BERLIN
    )
    remove = "DELETE FROM calls WHERE created_at < '2026-03-10T12:00Z'"

    async def removal():
        async with database.connection() as connection:
            await connection.execute(remove)

    async with database.connection() as connection, database.connection() as observer:
        assert await _sum(connection, 1, BERLIN, [piece]) == 1
        removing = asyncio.create_task(removal())
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while await (await observer.execute(waits)).fetchone() == (0,):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await connection.commit()
        await removing

    assert await summed() == []
    assert await reports() == await reports(counted=True)


async def test_summing_that_was_cut_short_leaves_nothing(database, reports, summed) -> None:
    pieces = list(pieces_of(*PERIODS["march"], BERLIN))
    with suppress(RuntimeError):
        async with database.connection() as connection:
            assert await _sum(connection, 1, BERLIN, pieces) == 31
            raise RuntimeError

    assert await summed() == []
    assert await sum_days(database, APRIL) == 2 * 40
    assert await reports() == await reports(counted=True)


async def test_days_of_another_zone_are_forgotten_once_the_accounts_clock_changes(
    database, reports, summed
) -> None:
    await sum_days(database, APRIL)
    async with database.connection() as connection:
        await connection.execute("UPDATE accounts SET time_zone = 'America/New_York'")
    counted = await reports(counted=True, zone=NEW_YORK)
    assert await reports(zone=NEW_YORK) == counted

    await sum_days(database, APRIL)

    assert await reports(zone=NEW_YORK) == counted
    assert len(await summed()) == len(set(await summed()))


def test_a_time_is_taken_apart_by_days_of_23_24_and_25_hours() -> None:
    start, end = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 31, 12, tzinfo=UTC)
    pieces = list(pieces_of(start, end, BERLIN))

    assert [piece.day for piece in pieces] == [None, date(2026, 3, 29), date(2026, 3, 30), None]
    assert [piece.end for piece in pieces[:-1]] == [piece.start for piece in pieces[1:]]
    assert (pieces[0].start, pieces[-1].end) == (start, end)
    assert pieces[1].end - pieces[1].start == timedelta(hours=23)
    [autumn] = pieces_of(
        datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC), BERLIN
    )
    assert autumn.day == date(2026, 10, 25)
