"""Reminders while workers and engines are killed: each is called, and none is called twice."""

from __future__ import annotations

import psycopg
import pytest
from chaos.answerers import CONTACTS, Fate

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

VISITS = 40
RING_SECONDS, TALK_SECONDS = 0.5, 2.0
KILLED = ((2, "worker"), (6, "engine 1"), (12, "worker 2"), (16, "engine 2"))
"""Who is killed once so many contacts were rung."""

# One try each: who is rung twice was rung by mistake.
PRACTICE = """
WITH plan AS (
  INSERT INTO reminder_plans (account_id, name, line_id, moments, text, max_attempts)
  SELECT account_id, 'Once', id, '[{"minutes_before": 120}]', 'Hello.', 1 FROM lines
  RETURNING id, account_id
), people AS (
  INSERT INTO contacts (account_id, phone_number, time_zone)
  SELECT account_id, %(numbers)s || (5550000 + n), 'UTC' FROM plan, generate_series(1, %(visits)s) n
  RETURNING id, account_id
)
INSERT INTO appointments (account_id, contact_id, reminder_plan_id, wall_starts_at, time_zone,
  starts_at)
SELECT plan.account_id, people.id, plan.id, (now() + interval '3 hours') AT TIME ZONE 'UTC', 'UTC',
  now() + interval '3 hours' FROM plan, people
"""
PLANNED = "SELECT count(*) FROM reminders WHERE state = 'planned'"
MAKE_DUE = "UPDATE reminders SET due_at = now()"
SETTLED = "SELECT count(*) FROM reminders WHERE state IN ('done', 'dropped')"
CALLS = """
SELECT r.id, c.outcome, n.phone_number FROM reminders r
  JOIN appointments a ON a.id = r.appointment_id JOIN contacts n ON n.id = a.contact_id
  LEFT JOIN reminder_attempts t ON t.reminder_id = r.id LEFT JOIN calls c ON c.id = t.call_id
"""


async def test_each_reminder_is_called_once_whoever_is_killed(scene) -> None:
    def fate_of(number: str) -> Fate:
        return Fate(RING_SECONDS, TALK_SECONDS)

    names = ("api", "engine 1", "engine 2", "worker", "worker 2")
    async with scene(fate_of, *names) as it:
        parts = it.parts.parts
        async with await psycopg.AsyncConnection.connect(
            it.parts.server.url, autocommit=True
        ) as database:
            await database.execute("UPDATE accounts SET calls_per_second = 8")
            await database.execute(PRACTICE, {"numbers": CONTACTS, "visits": VISITS})
            await it.counted(PLANNED, VISITS)
            await database.execute(MAKE_DUE)
            for rung, victim in KILLED:
                await it.when(lambda rung=rung: len(it.answerers.rung) >= rung, f"{rung} contacts")
                await parts[victim].kill()
                await parts[victim].start()
            await it.counted(SETTLED, VISITS)
            called = await (await database.execute(CALLS)).fetchall()

        assert len(called) == VISITS, "one call a reminder"
        assert set(it.answerers.rung.values()) == {1}, "nobody is rung twice"
        for _, outcome, number in called:
            # A call that was marked before its engine died is not dialled: it failed, and says so.
            assert number in it.answerers.rung or outcome == "failed", outcome
        connected = [outcome for _, outcome, _ in called].count("connected")
        assert connected >= VISITS / 2, "too few calls were connected for this to say anything"
