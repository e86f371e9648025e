"""How the database plans what engines ask: by keys, however many calls there were.

Plans are made once for each connection, at times while hardly anything runs.
"""

from __future__ import annotations

import re

import psycopg
import pytest

from twoleg.calls import agent_queries, claims, dial_check, lost_calls, trunk_places, writer
from twoleg.calls.connected import _PLANNER

STATEMENTS = {
    "claim": claims._CLAIM,
    "give back": claims._GIVE_BACK,
    "write": writer._WRITE,
    "seek": agent_queries._SEEK,
    "join queues": agent_queries._JOIN_QUEUES,
    "leave queues": agent_queries._LEAVE_QUEUES,
    "release": agent_queries._RELEASE,
    "check": dial_check._STANDING,
    "sweep trunks": trunk_places._SWEEP,
    "look for lost ones": lost_calls.ANYTHING_LOST,
    "place lost ones again": lost_calls.REQUEUE_LOST,
    "fail lost ones": lost_calls.FAIL,
}
CALLS = re.compile(r"(?:Seq|Index|Index Only) Scan (?:using (\w+) )?on (calls|users) ")
LIVE = frozenset({"ix_calls_engine_id_live", "ix_calls_account_id_live"})
"""Indexes of calls that are not over; who looks for lost ones may read them, once."""


@pytest.fixture
async def old_calls(database):
    """As many calls as make it matter, and users."""
    async with database.connection() as connection:
        await connection.execute("INSERT INTO accounts (id, name) VALUES (1, 'One')")
        await connection.execute(
            "INSERT INTO users (account_id, name, email, sip_username, sip_ha1)"
            " SELECT 1, 'A', n || '@example.com', 'a' || n, '{}' FROM generate_series(1, 2000) n"
        )
        await connection.execute(
            "INSERT INTO calls (account_id, source, contact_phone_number, line_phone_number,"
            " status, outcome, ended_at) SELECT 1, 'api', '+18181276543', '+18552562001', 'ended',"
            " 'connected', now() FROM generate_series(1, 10000)"
        )
        await connection.execute("ANALYZE calls, users")


def with_places(statement: str) -> str:
    """Give the statement with the server's own placeholders."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        name = found[1] or f"the {len(names)}th"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return re.sub(r"%(?:\((\w+)\))?s", place, statement)


@pytest.mark.parametrize("name", STATEMENTS)
async def test_what_engines_ask_is_planned_to_read_calls_by_their_keys(
    database, old_calls, name
) -> None:
    async with database.connection() as connection:
        await connection.execute(_PLANNER)
        cursor = psycopg.AsyncRawCursor(connection)
        await cursor.execute(f"EXPLAIN (GENERIC_PLAN) {with_places(STATEMENTS[name])}")
        plan = [line for (line,) in await cursor.fetchall()]
        await connection.rollback()

    whole = []
    for line, below in zip(plan, [*plan[1:], ""], strict=True):
        scan = CALLS.search(line)
        once = "lost" in name and scan is not None and scan[1] in LIVE
        if scan is not None and "Index Cond" not in below and not once:
            whole.append(line.strip())
    assert whole == []
