"""Planning and claiming reminders in a full book, on the embedded server with fsync on.

The book is filled by SQL: appointments of the next 60 days, each with two reminders that are
planned, over 20 accounts. Planned anew are those of two accounts, as after a change of their
plans. Claimed are the reminders of a morning: 10,000 due at the same moment, a hundred at a time,
each becoming a call; nothing rings, for no engine runs. The first figures are of a tenth of the
book.

Between filling and planning there is a checkpoint, whether or not filling has led to one: every
page that planning changes goes to the log whole then. It is the dearest time to plan, and the same
for a book of any size.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg
from _figures import figure, machine, percentile

from twoleg.reminders.placing import AT_ONCE, place_due
from twoleg.reminders.planning import BATCH, plan_waiting
from twoleg.store import Database, EmbeddedServer, schema
from twoleg.store.database import Connection

ACCOUNTS = 20
PER_CONTACT = 4
DUE = 10_000
PLAN_BATCHES = 20
CLAIMS = 50
NO_LIMIT = 1_000_000

DIRECTORY = f"""
INSERT INTO accounts (id, name, calls_per_second, max_calls)
  SELECT n, 'Practice ' || n, {NO_LIMIT}, {NO_LIMIT} FROM generate_series(1, {ACCOUNTS}) n;
INSERT INTO trunks (id, account_id, name, host)
  SELECT n, n, 'Trunk', '192.0.2.1' FROM generate_series(1, {ACCOUNTS}) n;
INSERT INTO lines (id, account_id, phone_number, country)
  SELECT n, n, '+1855256' || (2000 + n), 'US' FROM generate_series(1, {ACCOUNTS}) n;
INSERT INTO line_trunks (line_id, trunk_id, position)
  SELECT n, n, 0 FROM generate_series(1, {ACCOUNTS}) n;
INSERT INTO reminder_plans (id, account_id, name, line_id, moments, text)
  SELECT n, n, 'Plan', n, '[{{"days_before": 1, "at": "09:00"}}, {{"minutes_before": 120}}]',
    'Hello {{name}}' FROM generate_series(1, {ACCOUNTS}) n;
"""
CONTACTS = f"""
INSERT INTO contacts (id, account_id, phone_number, name, time_zone)
SELECT n, 1 + n %% {ACCOUNTS}, '+1818' || (2000000 + n), 'Contact ' || n, 'America/Los_Angeles'
FROM generate_series(1, %(contacts)s) n
"""
APPOINTMENTS = f"""
INSERT INTO appointments (id, account_id, contact_id, reminder_plan_id, wall_starts_at, time_zone,
  starts_at, created_at, to_be_planned)
SELECT n, 1 + c %% {ACCOUNTS}, c, 1 + c %% {ACCOUNTS}, at AT TIME ZONE 'America/Los_Angeles',
  'America/Los_Angeles', at, now() - interval '30 days', false
FROM (SELECT n, 1 + n %% %(contacts)s AS c,
    now() + interval '1 day' + interval '60 days' * (n::float / %(appointments)s) AS at
  FROM generate_series(1, %(appointments)s) n) x
"""
REMINDERS = """
INSERT INTO reminders (account_id, appointment_id, moment, line_id, due_at, starts_at)
SELECT account_id, id, moment, account_id, starts_at - before, starts_at
FROM appointments, (VALUES (0, interval '20 hours'), (1, interval '2 hours')) m (moment, before)
"""
MAKE_DUE = """
UPDATE reminders SET due_at = now() - interval '1 second' WHERE id IN (
  SELECT id FROM reminders WHERE moment = 0 ORDER BY starts_at LIMIT %s)
"""
CHANGE = """
UPDATE appointments SET to_be_planned = true WHERE id IN (
  SELECT id FROM appointments WHERE account_id <= 2 ORDER BY starts_at LIMIT %s)
"""


class Took(NamedTuple):
    """Seconds that one book took."""

    planning_cpu: float
    """Of both processes, for all appointments together."""

    claiming: float
    """The median claim."""


@dataclass(frozen=True)
class Spent:
    """CPU seconds so far."""

    worker: float
    postgres: float

    def __sub__(self, before: "Spent") -> "Spent":
        return Spent(self.worker - before.worker, self.postgres - before.postgres)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--appointments", type=int, default=1_000_000)
    appointments = parser.parse_args().appointments
    machine()
    few, many = (asyncio.run(_measure(count)) for count in (appointments // 10, appointments))
    sizes = f"{appointments // 10}_to_{appointments}"
    figure(f"reminders.plan_cpu_growth_{sizes}", many.planning_cpu / few.planning_cpu, "ratio")
    figure(f"reminders.claim_growth_{sizes}", many.claiming / few.claiming, "ratio")


async def _measure(appointments: int) -> Took:
    """Print the figures of a book of so many appointments; return what took how long."""
    with (
        tempfile.TemporaryDirectory(prefix="twoleg-bench-") as directory,
        EmbeddedServer(Path(directory)) as server,
    ):
        with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench")
        url = server.url_of("bench")
        schema.upgrade(url)
        _fill(url, appointments)
        async with Database.open(url) as database, await database.connect() as connection:
            return await _run(connection, appointments)


def _fill(url: str, appointments: int) -> None:
    numbers = {"appointments": appointments, "contacts": max(1, appointments // PER_CONTACT)}
    with psycopg.connect(url, autocommit=True) as connection:
        # What the triggers would plan anew is planned below, or measured.
        connection.execute("SET session_replication_role = replica")
        connection.execute(DIRECTORY)
        connection.execute(CONTACTS, numbers)
        connection.execute(APPOINTMENTS, numbers)
        connection.execute(REMINDERS)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


async def _run(connection: Connection, appointments: int) -> Took:
    name = f"reminders.{appointments}"

    async def plan() -> int:
        return await plan_waiting(connection)

    async def claim() -> int:
        return await place_due(connection)

    await connection.execute(CHANGE, (BATCH * PLAN_BATCHES,))
    before, began = _spent(connection), time.monotonic()
    await _timed(connection, plan, PLAN_BATCHES)
    seconds, spent = time.monotonic() - began, _spent(connection) - before
    planned, planning_cpu = BATCH * PLAN_BATCHES, spent.worker + spent.postgres
    figure(f"{name}.planned", planned / seconds, "appointments/s")
    figure(f"{name}.plan_cpu_worker", 1e6 * spent.worker / planned, "us_an_appointment")
    figure(f"{name}.plan_cpu_postgres", 1e6 * spent.postgres / planned, "us_an_appointment")

    await connection.execute(MAKE_DUE, (DUE,))
    before = _spent(connection)
    took = await _timed(connection, claim, CLAIMS)
    spent = _spent(connection) - before
    figure(f"{name}.due", DUE, "reminders")
    figure(f"{name}.claim_of_{AT_ONCE}_p50", 1000 * percentile(took, 50), "ms")
    figure(f"{name}.claim_of_{AT_ONCE}_p95", 1000 * percentile(took, 95), "ms")
    figure(f"{name}.claim_cpu_worker", 1e6 * spent.worker / CLAIMS / AT_ONCE, "us_a_reminder")
    figure(f"{name}.claim_cpu_postgres", 1e6 * spent.postgres / CLAIMS / AT_ONCE, "us_a_reminder")
    return Took(planning_cpu, percentile(took, 50))


async def _timed(
    connection: Connection, work: Callable[[], Awaitable[int]], times: int
) -> list[float]:
    """Do `work` so often, each in a transaction; return the seconds that each took."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        async with connection.transaction():
            done = await work()
        took.append(time.monotonic() - began)
        assert done, "there was nothing to do: the book was not filled as it should be"
    return took


def _spent(connection: Connection) -> Spent:
    """Read what this process and the connection's server process have used."""
    here = os.times()
    backend = psutil.Process(connection.info.backend_pid).cpu_times()
    return Spent(here.user + here.system, backend.user + backend.system)


if __name__ == "__main__":
    main()
