"""The migrations make what `store/tables/` declares, and take it back."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine

from twoleg.store import SchemaTooNew, SchemaTooOld, schema
from twoleg.store.tables import metadata
from twoleg.store.url import connection_string

OURS = """c.relnamespace = 'public'::regnamespace
  AND c.relname NOT LIKE 'procrastinate%' AND c.relname <> 'alembic_version'"""

# Everything that a declaration can say of a table, in the words of the database.
SAID = {
    "columns": f"""
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
          a.attidentity::text, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
        WHERE {OURS} AND c.relkind = 'r' AND a.attnum > 0""",
    "constraints": f"""
        SELECT c.relname, n.conname, pg_get_constraintdef(n.oid)
        FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid
        WHERE {OURS}""",
    "indexes": f"""
        SELECT c.relname, pg_get_indexdef(i.indexrelid)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE {OURS}""",
}


def said(url: str, what: str) -> set[tuple[object, ...]]:
    with psycopg.connect(connection_string(url)) as connection:
        return set(connection.execute(SAID[what]).fetchall())


@pytest.mark.parametrize("what", SAID)
def test_the_migrations_make_what_is_declared(empty_database_url, database_url, what) -> None:
    conninfo = connection_string(empty_database_url)
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )
    metadata.create_all(engine)

    migrated, declared = said(database_url, what), said(empty_database_url, what)

    assert migrated - declared == set()
    assert declared - migrated == set()


def test_each_version_can_be_left_and_come_back_to(empty_database_url) -> None:
    schema.upgrade(empty_database_url)
    before = {what: said(empty_database_url, what) for what in SAID}
    for revision in (
        "0010",
        "0009",
        "0008",
        "0007",
        "0006",
        "0005",
        "0004",
        "0003",
        "0002",
        "0001",
        "base",
    ):
        schema.downgrade(empty_database_url, revision)

    assert not any(said(empty_database_url, what) for what in SAID)
    schema.upgrade(empty_database_url)
    assert {what: said(empty_database_url, what) for what in SAID} == before


def test_a_database_that_is_older_or_newer_than_the_program_is_refused(empty_database_url) -> None:
    with pytest.raises(SchemaTooOld):
        schema.check(empty_database_url)
    schema.upgrade(empty_database_url)
    assert schema.check(empty_database_url) == "0011"
    with psycopg.connect(connection_string(empty_database_url)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaTooNew):
        schema.check(empty_database_url)
    with pytest.raises(SchemaTooNew):
        schema.upgrade(empty_database_url)
