"""An app on a database of its own, with an account that has one of everything."""

import hashlib
from dataclasses import dataclass

import httpx
import psycopg
import pytest

from twoleg.api import create_app
from twoleg.settings import Settings

TOKEN = "token-of-the-first-account"
CONTACT_NUMBER = "+18181276544"
LINE_NUMBER = "+18552562001"
DIRECTORY = ("users", "ring_groups", "contacts", "trunks", "lines", "prompts")
REMINDED = ("reminder_plans", "appointments")


@dataclass(frozen=True)
class Account:
    """What the account of a test owns."""

    id: int
    token: str
    user_id: int = 1
    ring_group_id: int = 1
    contact_id: int = 1234
    contact_phone_number: str = CONTACT_NUMBER
    line_id: int = 1
    line_phone_number: str = LINE_NUMBER
    trunk_id: int = 1


@pytest.fixture(scope="session")
def emptied_database(postgres):
    """One migrated database for every test here, and how to empty it: far faster than a new one."""
    with psycopg.connect(postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE api TEMPLATE migrated")
        url = postgres.url_of("api")
        tables = tables_of(url)

        def empty():
            with psycopg.connect(url, autocommit=True) as emptying:
                # Without triggers the order of the tables does not matter.
                emptying.execute("SET session_replication_role = replica")
                emptying.execute(" ".join(f"DELETE FROM {name};" for name in tables))
                emptying.execute(
                    "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"
                    " AND relnamespace = 'public'::regnamespace"
                )
            return url

        yield empty
        connection.execute("DROP DATABASE api WITH (FORCE)")


def tables_of(url):
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace AND NOT starts_with(relname, 'procrast')"
            " AND relname <> 'alembic_version'"
        )
        return [name for (name,) in rows]


@pytest.fixture
def database_url(emptied_database):
    """The URL of a migrated database without a row; ids begin at 1."""
    return emptied_database()


@pytest.fixture
def execute(database):
    """Run a statement; returns its rows, if it has any."""

    async def run(query, *parameters):
        async with database.pool.connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def snapshot(execute):
    """Return the digest of every table's rows, but not of what admission counts, nor of keys."""

    async def read():
        tables = await execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relname NOT IN ('account_admissions', 'signing_keys')"
            " AND relnamespace = 'public'::regnamespace AND NOT starts_with(relname, 'procrast')"
        )
        names = [name for (name,) in tables]
        digests = ", ".join(
            f"(SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {name} t)"
            for name in names
        )
        [row] = await execute(f"SELECT {digests}")
        return dict(zip(names, row, strict=True))

    return read


@pytest.fixture
def add_account(execute):
    """Make an account with a token and nothing else; `columns` are those of its row."""

    async def add(token=TOKEN, **columns):
        names = ", ".join(["name", *columns])
        marks = ", ".join(["%s"] * (len(columns) + 1))
        [(account_id,)] = await execute(
            f"INSERT INTO accounts ({names}) VALUES ({marks}) RETURNING id",
            "Account",
            *columns.values(),
        )
        await execute(
            "INSERT INTO tokens (account_id, name, token_hash) VALUES (%s, 'test', %s)",
            account_id,
            hashlib.sha256(token.encode()).digest(),
        )
        return Account(account_id, token)

    return add


@pytest.fixture
async def account(execute, add_account):
    """The account of the contract's vectors: user 1, ring group 1, contact 1234, line 1."""
    made = await add_account()
    for query, parameters in (
        (
            """INSERT INTO users (id, account_id, name, email, sip_username)
               VALUES (%s, %s, 'Alice', 'alice@example.com', 'alice')""",
            (made.user_id, made.id),
        ),
        (
            "INSERT INTO ring_groups (id, account_id, name) VALUES (%s, %s, 'Sales')",
            (made.ring_group_id, made.id),
        ),
        (
            "INSERT INTO ring_group_members (ring_group_id, user_id, position) VALUES (%s, %s, 0)",
            (made.ring_group_id, made.user_id),
        ),
        (
            "INSERT INTO contacts (id, account_id, phone_number) VALUES (%s, %s, %s)",
            (made.contact_id, made.id, made.contact_phone_number),
        ),
        (
            """INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)
               VALUES (%s, %s, %s)""",
            (made.contact_id, made.id, made.contact_phone_number),
        ),
        (
            "INSERT INTO trunks (id, account_id, name, host) VALUES (%s, %s, 'T', '192.0.2.1')",
            (made.trunk_id, made.id),
        ),
        (
            "INSERT INTO lines (id, account_id, phone_number, country) VALUES (%s, %s, %s, 'US')",
            (made.line_id, made.id, made.line_phone_number),
        ),
        (
            "INSERT INTO line_trunks (line_id, trunk_id, position) VALUES (%s, %s, 0)",
            (made.line_id, made.trunk_id),
        ),
        (
            """INSERT INTO prompts (id, account_id, name, kind, seconds)
               VALUES (1, %s, 'Victim''s greeting', 'upload', 0.02)""",
            (made.id,),
        ),
        (
            """INSERT INTO prompt_audio (prompt_id, codec, bytes)
               SELECT 1, codec, decode(repeat('d5', 160), 'hex')
               FROM unnest('{PCMU,PCMA,G722}'::text[]) codec""",
            (),
        ),
        (
            """INSERT INTO reminder_plans (id, account_id, name, line_id, moments, text)
               VALUES (1, %s, 'Before', %s, '[{"days_before": 1}]', 'Hello')""",
            (made.id, made.line_id),
        ),
        (
            """INSERT INTO appointments (id, account_id, contact_id, wall_starts_at, time_zone,
               starts_at, place, to_be_planned) VALUES (1, %s, %s, '2020-01-01 10:00', 'UTC',
               '2020-01-01 10:00+00', 'Main Street', false)""",
            (made.id, made.contact_id),
        ),
        (
            """INSERT INTO webhooks (id, account_id, url, secret)
               VALUES (1, %s, 'https://crm.example.com/', 'whsec_eA==')""",
            (made.id,),
        ),
        ("INSERT INTO webhook_receivers (account_id, webhook_id) VALUES (%s, 1)", (made.id,)),
    ):
        await execute(query, *parameters)
    for table in (*DIRECTORY, "webhooks", *REMINDED):
        await execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
        )
    return made


@pytest.fixture
async def app(database, tmp_path):
    """The app, with its lifespan running."""
    app = create_app(Settings(data_dir=tmp_path / "data"), database)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def anonymous(app):
    """A client that sends no token by itself; an exception in the app fails the test."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://twoleg.test") as client:
        yield client


@pytest.fixture
async def client(app, account):
    """A client with the account's token."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://twoleg.test",
        headers={"Authorization": f"Bearer {account.token}"},
    ) as client:
        yield client
