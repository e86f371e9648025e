"""`twoleg setup` and `twoleg db`, on a database of one's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
import pytest

from twoleg.store.migrations import versions

REFUSED, UNAVAILABLE, CONFIG = 65, 69, 78


def head_version() -> str:
    """The newest version that there is a script for."""
    return max(path.name[1:5] for path in Path(versions.__file__).parent.glob("v0*.py"))


@pytest.fixture
def rows(database_url):
    def ask(statement: str):
        with psycopg.connect(database_url) as connection:
            return connection.execute(statement).fetchall()

    return ask


def test_an_account_comes_with_an_owner_and_a_token_that_is_kept_hashed(
    twoleg, database_url, rows
) -> None:
    ended = twoleg(
        "setup", "--database-url", database_url, "--json",
        "--name", "Acme", "--owner-email", "ann@example.com",
    )  # fmt: skip

    made = ended.json
    assert rows("SELECT id, name FROM accounts") == [(made["account_id"], "Acme")]
    assert rows("SELECT account_id, email FROM users") == [(made["account_id"], "ann@example.com")]
    digest = hashlib.sha256(made["token"].encode()).digest()
    assert rows("SELECT token_hash FROM tokens") == [(digest,)]


def test_an_address_that_is_none_makes_nothing(twoleg, database_url, rows) -> None:
    ended = twoleg("setup", "--database-url", database_url, "--owner-email", "ann")

    assert ended.exit_code == REFUSED
    assert ended.err.startswith("owner_email: ")
    assert rows("SELECT FROM accounts") == []


def test_an_empty_database_is_given_its_tables(twoleg, empty_database_url) -> None:
    options = ("--database-url", empty_database_url)

    before = twoleg("db", "check", *options)
    upgraded = twoleg("db", "upgrade", *options)
    after = twoleg("db", "check", *options)

    assert (before.exit_code, upgraded.exit_code, after.exit_code) == (CONFIG, 0, 0)
    assert "twoleg db upgrade" in before.err
    assert "which fits" in after.out
    assert twoleg("db", "check", *options, "--json").json == {"version": head_version()}


def test_tables_of_a_newer_version_are_left_alone(twoleg, database_url, rows) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    for command in ("check", "upgrade"):
        ended = twoleg("db", command, "--database-url", database_url)
        assert ended.exit_code == CONFIG
        assert "Install the newer twoleg" in ended.err
    assert rows("SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_database_that_is_away_is_named(twoleg, tmp_path) -> None:
    ended = twoleg("db", "check", "--database-url", f"postgresql://n@/n?host={tmp_path}")

    assert ended.exit_code == UNAVAILABLE
    assert "The database cannot be reached" in ended.err


def test_an_url_that_is_none_is_named(twoleg) -> None:
    ended = twoleg("db", "check", "--database-url", "mysql://localhost/x")

    assert ended.exit_code == CONFIG
    assert ended.err == "database_url: give postgresql://USER:PASSWORD@HOST:PORT/DATABASE\n"
