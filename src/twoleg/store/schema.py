"""The version of the database: bring it up to date, or say that it is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text

from twoleg.store.errors import SchemaTooNew, SchemaTooOld
from twoleg.store.url import connection_string

# The key of the advisory lock that an upgrade holds; any number that nobody else takes.
UPGRADE_LOCK: Final = 0x74776F6C6567
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_HEAD: Final = "head"
_POLL_SECONDS: Final = 0.1


def upgrade(url: str) -> None:
    """Bring the database at `url` to the newest version; one process does it, others wait.

    Blocking: an async caller uses a thread. Raises SchemaTooNew where the database is ahead.
    """
    with _connection(url) as connection:
        _wait_for_turn(connection)
        try:
            _refuse_unknown(_found(connection), _wanted())
            command.upgrade(_config(connection), _HEAD)
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": UPGRADE_LOCK})
            connection.commit()


def downgrade(url: str, revision: str) -> None:
    """Take the database back to `revision` (`base`: empty); what was newer is lost."""
    with _connection(url) as connection:
        command.downgrade(_config(connection), revision)


def check(url: str) -> str:
    """Return the version of the database at `url`; raises SchemaTooOld or SchemaTooNew."""
    with _connection(url) as connection:
        found = _found(connection)
    wanted = _wanted()
    _refuse_unknown(found, wanted)
    if found != wanted:
        raise SchemaTooOld(found, wanted)
    return found


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    conninfo = connection_string(url)
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )
    with engine.connect() as connection:
        yield connection


def _wait_for_turn(connection: Connection) -> None:
    """Take the lock of upgrades.

    Nobody waits for it inside a statement: an index that is made beside others waits until every
    statement that began before has ended.
    """
    taken = text("SELECT pg_try_advisory_lock(:key)")
    while not connection.execute(taken, {"key": UPGRADE_LOCK}).scalar_one():
        connection.rollback()
        time.sleep(_POLL_SECONDS)
    connection.commit()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _wanted() -> str:
    head = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    assert head is not None
    return head


def _found(connection: Connection) -> str | None:
    found = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    return found


def _refuse_unknown(found: str | None, wanted: str) -> None:
    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaTooNew(found, wanted)
