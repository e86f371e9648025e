"""A morning with ten thousand reminders due at nine, paced second by second."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest

from twoleg.reminders.serving import do_everything

DUE = 10_000
MAX_CALLS, CALLS_PER_SECOND = 800, 200
TRUNK_CALLS = 1000
CALL_SECONDS = 3

CONTACTS = """
INSERT INTO contacts (id, account_id, phone_number, time_zone)
SELECT 100000 + n, %s, '+1818' || (2000000 + n), 'UTC' FROM generate_series(1, %s) n
"""
# Made in another order than they are due.
APPOINTMENTS = """
INSERT INTO appointments (account_id, contact_id, reminder_plan_id, wall_starts_at, time_zone,
  starts_at, created_at, to_be_planned)
SELECT %s, 100000 + n, %s, at AT TIME ZONE 'UTC', 'UTC', at, now() - interval '9 days', false
FROM (SELECT n, now() + interval '2 hours' + interval '1 second' * (n * 7919 %% %s) AS at
  FROM generate_series(1, %s) n) x
"""
REMINDERS = """
INSERT INTO reminders (account_id, appointment_id, moment, line_id, due_at, starts_at)
SELECT account_id, id, 0, %s, now() - interval '1 second', starts_at FROM appointments
"""
PLACED = """
SELECT c.id, r.starts_at FROM reminder_attempts t JOIN calls c ON c.id = t.call_id
  JOIN reminders r ON r.id = t.reminder_id
WHERE c.id > %s ORDER BY c.id
"""


@pytest.mark.timeout(300)
async def test_ten_thousand_due_at_nine_are_spread_and_agents_are_not_starved(
    practice, second_of_an_hour
):
    plan = await practice.plan()
    await practice.execute(
        "UPDATE accounts SET max_calls = %s, calls_per_second = %s", MAX_CALLS, CALLS_PER_SECOND
    )
    await practice.execute("UPDATE trunks SET max_calls = %s", TRUNK_CALLS)
    await practice.execute(CONTACTS, practice.account_id, DUE)
    await practice.execute(APPOINTMENTS, practice.account_id, plan.id, DUE, DUE)
    await practice.execute(REMINDERS, practice.line_id)

    running: deque[list[int]] = deque()
    order = []
    last = seconds = 0
    async with (
        await practice.database.connect() as one,
        await practice.database.connect() as other,
    ):
        while len(order) < DUE:
            # Two workers at once: what one has placed the other does not.
            await asyncio.gather(do_everything(one), do_everything(other))
            placed = await practice.execute(PLACED, last)
            assert placed, "reminders are due, and there is room"
            running.append([call_id for call_id, _ in placed])
            last = running[-1][-1]
            order += [starts_at for _, starts_at in placed]
            seconds += 1

            live = sum(map(len, running))
            assert live <= MAX_CALLS / 2, "half of the account's calls are the agents'"
            assert live <= TRUNK_CALLS / 2, "and half of the trunk's"
            assert len(placed) <= CALLS_PER_SECOND / 2, "half of the rate is the agents' too"
            await practice.let_a_second_pass()
            if len(running) == CALL_SECONDS:
                await practice.execute(
                    "UPDATE calls SET status = 'ended', ended_at = now(), outcome = 'connected'"
                    " WHERE id = ANY(%s)",
                    running.popleft(),
                )

    assert order == sorted(order), "nearest appointment first"
    [(reminders, calls)] = await practice.execute(
        "SELECT count(DISTINCT reminder_id), count(*) FROM reminder_attempts"
    )
    assert (reminders, calls) == (DUE, DUE), "each is called once"
    assert seconds <= 2 * DUE / CALLS_PER_SECOND * 1.2, "as fast as the share allows"
