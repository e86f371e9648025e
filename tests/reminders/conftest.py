"""A practice with a plan, and calls that end as a test says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from twoleg.directory.accounts import setup_account
from twoleg.directory.contacts import create_contact
from twoleg.directory.lines import create_line
from twoleg.directory.trunks import create_trunk
from twoleg.reminders import placing
from twoleg.reminders.answers import apply_answer
from twoleg.reminders.appointments import (
    change_appointment,
    create_appointment,
    find_appointment,
)
from twoleg.reminders.plans import create_plan
from twoleg.reminders.serving import do_everything

_TIMES = {
    "appointments": ("starts_at", "wall_starts_at", "created_at"),
    "reminders": ("starts_at", "due_at", "planned_for"),
    "reminder_attempts": ("starts_at", "placed_at"),
    "calls": ("created_at", "ended_at"),
}


class Practice:
    """An account whose reminders a test looks after by hand, one tick at a time."""

    def __init__(self, database, account_id, line_id, trunk_id):
        self.database = database
        self.account_id = account_id
        self.line_id = line_id
        self.trunk_id = trunk_id
        self._numbers = iter(range(1000, 10_000))

    async def execute(self, query, *parameters):
        async with self.database.connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall() if cursor.description else []

    async def plan(self, **fields):
        given = {
            "name": "Two hours before",
            "line_id": self.line_id,
            "moments": [{"minutes_before": 120}],
            "text": "Hello",
            "is_default": True,
            "quiet_hours": None,
        }
        async with self.database.connection() as connection:
            return await create_plan(connection, self.account_id, given | fields)

    async def contact(self):
        fields = {"phone_number": f"+1818127{next(self._numbers)}", "time_zone": "UTC"}
        async with self.database.connection() as connection:
            return (await create_contact(connection, self.account_id, fields)).id

    async def appointment(self, contact_id=None, *, hours=3.0, **fields):
        """Make one that begins so many hours from now; without a contact, of a new one."""
        starts = datetime.now(UTC) + timedelta(hours=hours)
        given = {
            "contact_id": contact_id or await self.contact(),
            "wall_starts_at": starts,
            "time_zone": "UTC",
        }
        async with self.database.connection() as connection:
            return await create_appointment(connection, self.account_id, given | fields)

    async def read(self, appointment):
        async with self.database.connection() as connection:
            return await find_appointment(connection, self.account_id, appointment.id)

    async def change(self, appointment, **fields):
        async with self.database.connection() as connection:
            return await change_appointment(connection, self.account_id, appointment.id, fields)

    async def reminder(self, appointment, moment=0):
        """The one reminder of an appointment: (state, attempts, reason)."""
        [found] = [
            each for each in (await self.read(appointment)).reminders if each["moment"] == moment
        ]
        return found["state"], found["attempts"], found["reason"]

    async def due_in(self, appointment, moment=0):
        """How long the next call of a reminder waits, after what was done last in the database."""
        [(wait,)] = await self.execute(
            """SELECT date_trunc('minute', due_at - (
                 SELECT greatest(max(k.ended_at), max(t.placed_at)) FROM reminder_attempts t
                   JOIN calls k ON k.id = t.call_id) + interval '10 seconds')
               FROM reminders WHERE appointment_id = %s AND moment = %s""",
            appointment.id,
            moment,
        )
        return wait

    async def line(self, phone_number):
        """Make another line on the same trunk."""
        fields = {"phone_number": phone_number, "country": "US", "trunk_ids": [self.trunk_id]}
        async with self.database.connection() as connection:
            return (await create_line(connection, self.account_id, fields)).id

    async def make_due(self, *appointments):
        """Let the time come for reminders that are planned: those of all appointments, or some."""
        ids = [each.id for each in appointments]
        await self.execute(
            """UPDATE reminders SET due_at = now() - interval '1 second'
               WHERE state = 'planned' AND (%s OR appointment_id = ANY(%s))""",
            not ids,
            ids,
        )

    async def pass_time(self, **passed):
        """Move the clock on: everything that has a time was, or is to be, so much earlier."""
        passed = timedelta(**passed)
        async with self.database.connection() as connection:
            # Nothing was changed, and nothing is to be planned anew.
            await connection.execute("SET LOCAL session_replication_role = replica")
            for table, columns in _TIMES.items():
                moved = ", ".join(f"{column} = {column} - %(passed)s" for column in columns)
                await connection.execute(f"UPDATE {table} SET {moved}", {"passed": passed})

    async def tick(self):
        """Do what the worker does every second."""
        async with await self.database.connect() as connection:
            await do_everything(connection)

    async def let_a_second_pass(self):
        """Have the calls of the last second, however long that is, count as older ones."""
        await self.execute(
            """UPDATE reminder_attempts SET placed_at = placed_at - second
               FROM (SELECT make_interval(secs => %s) AS second) s
               WHERE placed_at > now() - second""",
            placing.RATE_SECONDS,
        )

    async def calls(self):
        """The reminder calls that run: [(call id, contact id)], in the order they were placed."""
        return await self.execute(
            """SELECT id, contact_id FROM calls
               WHERE source = 'reminder' AND ended_at IS NULL ORDER BY id"""
        )

    async def answer(self, call_id, answer):
        async with self.database.connection() as connection:
            await apply_answer(connection, call_id, answer)

    async def end(self, call_id, outcome, failure=None):
        await self.execute(
            """UPDATE calls SET status = 'ended', ended_at = now(), outcome = %s, failure = %s
               WHERE id = %s""",
            outcome,
            failure,
            call_id,
        )


@pytest.fixture
async def practice(database):
    account = await setup_account(database, "Practice", None)
    async with database.connection() as connection:
        trunk = await create_trunk(
            connection, account.account_id, {"name": "Carrier", "host": "192.0.2.1"}
        )
        line = await create_line(
            connection,
            account.account_id,
            {"phone_number": "+18552562001", "country": "US", "trunk_ids": [trunk.id]},
        )
    return Practice(database, account.account_id, line.id, trunk.id)


@pytest.fixture
def second_of_an_hour(monkeypatch):
    """Have a second last until `let_a_second_pass`, however busy the machine is."""
    monkeypatch.setattr(placing, "RATE_SECONDS", 3600.0)


@pytest.fixture
async def called(practice):
    """An appointment with two reminders, whose contact is being called for the first."""
    await practice.plan(
        moments=[{"minutes_before": 120}, {"minutes_before": 60}],
        max_attempts=2,
        max_calls_per_day=10,
    )
    visit = await practice.appointment(hours=30)
    await practice.execute(
        "UPDATE reminders SET due_at = now() WHERE moment = 0 AND state = 'planned'"
    )
    await practice.tick()
    [(call_id, _)] = await practice.calls()
    return visit, call_id
