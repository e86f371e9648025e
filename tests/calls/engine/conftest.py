"""An account with users, phones, a line and a trunk, its queue, and a database that can go away."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.types.json import Jsonb

from twoleg.calls.claims import claim
from twoleg.calls.journal import CallChange, CallEvent, Ending
from twoleg.calls.outcomes import EndedBy, Outcome
from twoleg.calls.recovery import join
from twoleg.calls.states import Status

LINE_NUMBER = "+41445550100"
CONTACT_NUMBER = "+41445550123"


class Office:
    """One account; every method works on the database."""

    def __init__(self, database):
        self.database = database
        self.account_id = None
        self.line_id = None
        self.engines = 0

    async def rows(self, statement, *parameters):
        async with self.database.connection() as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description else []

    async def row(self, statement, *parameters):
        [row] = await self.rows(statement, *parameters)
        return row

    async def value(self, statement, *parameters):
        [value] = await self.row(statement, *parameters)
        return value

    async def insert(self, table, **columns):
        names = ", ".join(columns)
        marks = ", ".join(["%s"] * len(columns))
        values = [Jsonb(value) if isinstance(value, dict) else value for value in columns.values()]
        return await self.value(
            f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING id", *values
        )

    async def furnish(self):
        self.account_id = await self.insert("accounts", name="Office")
        self.line_id = await self.insert(
            "lines", account_id=self.account_id, phone_number=LINE_NUMBER, country="CH"
        )

    async def add_trunk(self, **columns):
        values = {"name": "Carrier", "host": "192.0.2.1", "port": 5060} | columns
        trunk_id = await self.insert("trunks", account_id=self.account_id, **values)
        await self.rows(
            "INSERT INTO line_trunks (line_id, trunk_id, position) VALUES (%s, %s, %s)",
            self.line_id,
            trunk_id,
            trunk_id,
        )
        return trunk_id

    async def add_user(self, name, **columns):
        values = {
            "email": f"{name}@example.test",
            "sip_username": name,
            "phone_number": "+41445550150",
        } | columns
        return await self.insert("users", account_id=self.account_id, name=name, **values)

    async def register(self, user_id, contact, *, seconds=60, **columns):
        values = {"call_id": "register", "cseq": 1} | columns
        binding_id = await self.insert(
            "bindings",
            user_id=user_id,
            contact_uri=contact,
            expires_at=datetime.now(UTC),
            **values,
        )
        await self.rows(
            "UPDATE bindings SET expires_at = now() + make_interval(secs => %s) WHERE id = %s",
            seconds,
            binding_id,
        )

    async def add_group(self, *user_ids, **columns):
        group_id = await self.insert(
            "ring_groups", account_id=self.account_id, name="Group", **columns
        )
        for position, user_id in enumerate(user_ids):
            await self.rows(
                "INSERT INTO ring_group_members (ring_group_id, user_id, position)"
                " VALUES (%s, %s, %s)",
                group_id,
                user_id,
                position,
            )
        return group_id

    async def queue(self, **columns):
        """Put a call into the queue, and tell of it, as the API does."""
        values = {"source": "api", "contact_phone_number": CONTACT_NUMBER} | columns
        call_id = await self.insert(
            "calls",
            account_id=self.account_id,
            line_id=self.line_id,
            line_phone_number=LINE_NUMBER,
            sequence=1,
            **values,
        )
        await self.rows(
            "INSERT INTO call_events (account_id, call_id, sequence, type)"
            " VALUES (%s, %s, 1, 'call.queued')",
            self.account_id,
            call_id,
        )
        await self.rows("NOTIFY twoleg_calls")
        return call_id

    async def join(self):
        self.engines += 1
        return await join(self.database, "engine", "127.0.0.1", 5060 + self.engines)

    async def claim(self, engine_id, room=100, after=0):
        async with self.database.connection() as connection:
            return await claim(connection, engine_id, room, after)

    async def call(self, call_id, columns="status"):
        row = await self.row(f"SELECT {columns} FROM calls WHERE id = %s", call_id)
        return row[0] if len(row) == 1 else row

    async def events(self, call_id):
        rows = await self.rows(
            "SELECT type FROM call_events WHERE call_id = %s ORDER BY sequence", call_id
        )
        return [kind.removeprefix("call.") for (kind,) in rows]

    async def reserved(self):
        """Who has whom: call by user."""
        return dict(await self.rows("SELECT user_id, call_id FROM reservations"))


@pytest.fixture
async def office(database):
    office = Office(database)
    await office.furnish()
    return office


class Outage:
    """Takes a database away from everybody, and gives it back."""

    def __init__(self, admin_url, name):
        self._admin_url = admin_url
        self._name = name

    async def _run(self, statement):
        connection = await psycopg.AsyncConnection.connect(self._admin_url, autocommit=True)
        async with connection:
            await connection.execute(statement)

    async def begin(self):
        await self._run(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        await self.cut()

    async def cut(self):
        """End every connection; new ones may be made."""
        await self._run(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            f" WHERE datname = '{self._name}'"
        )

    async def end(self):
        await self._run(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")


@pytest.fixture
async def outage(postgres, database):
    name = psycopg.conninfo.conninfo_to_dict(database.url)["dbname"]
    outage = Outage(postgres.url_of("postgres"), name)
    yield outage
    await outage.end()


def change(call_id, account_id, sequence, status, **values):
    """One step of a call's record."""
    status = Status(status)
    ending = None
    now = datetime.now(UTC)
    if status is Status.ENDED:
        ending = Ending(
            outcome=Outcome.CONNECTED,
            ended_by=EndedBy.AGENT,
            failure=None,
            ended_at=now,
            agent_ring_seconds=1.5,
            contact_ring_seconds=2.5,
            talk_seconds=3.25,
            total_seconds=8.0,
            answered_by=values.pop("answered_by", None),
        )
    data = values.pop("data", {})
    event = CallEvent(sequence, f"call.{status}", now, data)
    return CallChange(call_id, account_id, status, event, ending=ending, **values)


def note(call_id, account_id, sequence, event_type, data):
    """An event that leaves a call's status as it is."""
    event = CallEvent(sequence, event_type, datetime.now(UTC), data)
    return CallChange(call_id, account_id, None, event)


@asynccontextmanager
async def listening(database, channel):
    """Give a coroutine that waits for the next notification."""
    async with await database.connect() as connection:
        await connection.execute(f"LISTEN {channel}")
        told = connection.notifies()

        async def hear():
            async with asyncio.timeout(10):
                return await anext(told)

        try:
            yield hear
        finally:
            await told.aclose()


@pytest.fixture
async def engine_id(office):
    return await office.join()


@pytest.fixture
async def call_id(office, engine_id):
    call_id = await office.queue()
    await office.claim(engine_id)
    return call_id
