"""Lists of calls: order, pages, and that they read little, whatever they are narrowed by."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from psycopg.sql import SQL

from twoleg.calls.records import CallFilter, CallPosition, _list_statement, list_calls

START = datetime(2026, 1, 1, tzinfo=UTC)
CALLS = 10_000
RARE = "+18185550001"
OFTEN = "+18182000000"
PAGE = 51

# One account has nearly all. The oldest of its calls are rare in every way; ten run.
INSERT = f"""
INSERT INTO calls (id, account_id, source, contact_phone_number, line_phone_number,
  user_phone_number, user_id, ring_group_id, contact_id, line_id, answered_by, disposition, status,
  outcome, created_at, ended_at)
SELECT n, 1 + (n %% 20 = 0)::int, 'api', CASE WHEN n %% 100 = 1 THEN '{RARE}' ELSE '{OFTEN}' END,
  '+1855' || (2000000 + k), CASE k WHEN 2 THEN '+18185550002' END, k, k, k, k,
  CASE k WHEN 2 THEN 'machine' END, CASE k WHEN 2 THEN 'sold' END,
  CASE WHEN n > {CALLS} - 10 THEN 'bridged' ELSE 'ended' END,
  CASE WHEN n > {CALLS} - 10 THEN NULL WHEN k = 2 THEN 'failed' ELSE 'connected' END,
  %(start)s + n * interval '1 minute', CASE WHEN n <= {CALLS} - 10 THEN now() END
FROM generate_series(1, {CALLS}) n, LATERAL (SELECT 1 + (n <= 100)::int AS k) x
"""
OLD = {"created_from": START + timedelta(hours=4), "created_to": START + timedelta(hours=9)}
FILTERS = {
    "nothing": {},
    "ended": {"status": "ended"},
    "bridged": {"status": "bridged"},
    "queued": {"status": "queued"},
    "a rare outcome": {"outcome": "failed"},
    "an outcome that none had": {"outcome": "expired"},
    "who answered": {"answered_by": "machine"},
    "a disposition": {"disposition": "sold"},
    "a user": {"user_id": 2},
    "a ring group": {"ring_group_id": 2},
    "a contact": {"contact_id": 2},
    "a line": {"line_id": 2},
    "a contact's number": {"phone_number": RARE},
    "a line's number": {"phone_number": "+18552000002"},
    "a user's number": {"phone_number": "+18185550002"},
    "a number that nobody has": {"phone_number": "+18185550009"},
    "old days": OLD,
    "a user and old days": {"user_id": 1} | OLD,
    "an outcome and old days": {"outcome": "connected"} | OLD,
    "a number and old days": {"phone_number": OFTEN} | OLD,
    "a user and a rare outcome": {"user_id": 1, "outcome": "failed"},
    "a user and a rare number": {"user_id": 1, "phone_number": "+18552000002"},
    "a user and bridged": {"user_id": 1, "status": "bridged"},
}
CONDITIONS = {
    "created_from": "created_at >= %(created_from)s",
    "created_to": "created_at < %(created_to)s",
    "phone_number": "%(phone_number)s IN (contact_phone_number, line_phone_number,"
    " user_phone_number)",
}
ROWS = re.compile(r"on calls .*\(actual time=\S+ rows=(\d+)|Rows Removed by Filter: (\d+)")


@pytest.fixture
async def connection(database):
    async with database.connection() as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(INSERT, {"start": START})
        await connection.execute("ANALYZE calls")
        yield connection
        await connection.rollback()


@pytest.mark.parametrize("before", [None, CallPosition(START + timedelta(days=4), 5760)])
async def test_a_list_reads_hardly_more_calls_than_it_shows(connection, before) -> None:
    plans = {}
    for name, wanted in FILTERS.items():
        query, parameters = _list_statement(1, CallFilter(**wanted), before, PAGE)
        cursor = await connection.execute(SQL("EXPLAIN (ANALYZE) ") + query, parameters)
        plans[name] = "\n".join([line for (line,) in await cursor.fetchall()])

    read = {name: sum(int(a or b) for a, b in ROWS.findall(plan)) for name, plan in plans.items()}
    assert {name: plans[name] for name in plans if read[name] > 4 * PAGE} == {}
    assert {name: plans[name] for name in plans if "Seq Scan" in plans[name]} == {}


async def test_a_list_has_what_was_asked_for_once_and_newest_first(connection) -> None:
    for name, wanted in FILTERS.items():
        listed, position = [], None
        for _ in range(3):
            page = await list_calls(connection, 1, CallFilter(**wanted), before=position, limit=30)
            listed += [call.id for call in page]
            position = CallPosition(page[-1].created_at, page[-1].id) if page else position

        conditions = " AND ".join(CONDITIONS.get(each, f"{each} = %({each})s") for each in wanted)
        found = await connection.execute(
            f"SELECT id FROM calls WHERE account_id = 1 AND {conditions or 'true'}"
            " ORDER BY id DESC LIMIT 90",
            wanted,
        )
        assert listed == [call_id for (call_id,) in await found.fetchall()], name


async def test_calls_of_the_same_moment_are_each_on_one_page(connection) -> None:
    await connection.execute("UPDATE calls SET created_at = %s WHERE id > 9980", (START,))
    wanted = CallFilter(created_to=START + timedelta(seconds=1))
    seen, position = [], None
    while page := await list_calls(connection, 1, wanted, before=position, limit=4):
        seen += [call.id for call in page]
        position = CallPosition(page[-1].created_at, page[-1].id)

    assert seen == [each for each in range(10000, 9980, -1) if each % 20]


async def test_a_number_that_is_several_parties_of_a_call_finds_it_once(connection) -> None:
    await connection.execute(
        "UPDATE calls SET line_phone_number = contact_phone_number,"
        " user_phone_number = contact_phone_number WHERE id IN (1, 101, 9991)"
    )
    found = await list_calls(
        connection, 1, CallFilter(phone_number=RARE), before=None, limit=PAGE * 4
    )
    ids = [call.id for call in found]
    assert len(ids) == len(set(ids)) == 100
