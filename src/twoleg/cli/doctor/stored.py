"""Checks of the database: there, new enough, its tables of our version, its clock ours."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg

from twoleg.cli.database import running_database_url
from twoleg.cli.doctor.finding import Finding, fail, ok, warn
from twoleg.settings import Settings
from twoleg.store import EmbeddedServerNotRunning, SchemaTooNew, SchemaTooOld, schema
from twoleg.store.url import connection_string

OLDEST_SERVER = 140_000
MOST_SECONDS_APART = 1.0


def check_database(settings: Settings) -> Iterator[Finding]:
    """Look at the database that the parts would use now."""
    try:
        url = running_database_url(settings)
    except EmbeddedServerNotRunning:
        yield ok("database", "embedded; not running now, serve starts it")
        return
    try:
        with psycopg.connect(connection_string(url)) as connection:
            yield _check_version(connection)
            yield _check_clock(connection)
        yield _check_schema(url)
    except psycopg.Error as error:
        yield fail(
            "database",
            f"cannot be reached: {str(error).strip()}",
            "start it, or mend TWOLEG_DATABASE_URL",
        )


def _check_version(connection: psycopg.Connection[tuple[object, ...]]) -> Finding:
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        return fail(
            "database", f"PostgreSQL {version // 10_000} is too old", "use PostgreSQL 14 or newer"
        )
    return ok("database", f"PostgreSQL {version // 10_000} answers")


def _check_clock(connection: psycopg.Connection[tuple[object, ...]]) -> Finding:
    before = time.time()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    after = time.time()
    assert row is not None
    apart = abs(float(str(row[0])) - (before + after) / 2) - (after - before) / 2
    if apart > MOST_SECONDS_APART:
        return warn(
            "clock",
            f"this machine and the database are {apart:.1f} s apart: durations will be wrong",
            "let both take their time from NTP (chrony, systemd-timesyncd)",
        )
    return ok("clock", "agrees with the database's")


def _check_schema(url: str) -> Finding:
    try:
        return ok("tables", f"at version {schema.check(url)}, which fits")
    except SchemaTooOld as error:
        return fail("tables", str(error), "run `twoleg db upgrade`; serve does it by itself")
    except SchemaTooNew as error:
        return fail("tables", str(error), "install the newer twoleg here too")
