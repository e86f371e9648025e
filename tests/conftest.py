"""How the tests are shared out, and a fresh, migrated database for every test that asks for one."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from twoleg.store import Database, EmbeddedServer, schema

# Nothing here must survive a crash of the machine.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "min_wal_size": "80MB",
}
TEMPLATE = "migrated"
COPIED = "STRATEGY FILE_COPY"
"""Where nothing is synced, ten times as fast as writing the copy to the log."""

MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 << 30
"""So much of it is to be free: a server of the tests takes a tenth, but containers have little."""

# How long an example takes is the machine's affair, and no test's.
settings.register_profile("twoleg", deadline=None)
settings.load_profile("twoleg")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run three pytest processes on two cores: half of the time the tests wait for a far end."""
    return len(os.sched_getaffinity(0)) * 3 // 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have each pytest process begin with what starts processes: it takes longest.

    xdist gives each of them a run of tests, as long as that of the others.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    slow = [item for item in items if item.get_closest_marker("process") is not None]
    quick = [item for item in items if item.get_closest_marker("process") is None]
    items[:] = [
        item
        for worker in range(workers)
        for tests in (slow, quick)
        for item in tests[len(tests) * worker // workers : len(tests) * (worker + 1) // workers]
    ]


def pytest_collection_finish() -> None:
    """Spare each collection of garbage the thousands of tests, which stay to the end."""
    gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """One server for each pytest process, with the migrated database TEMPLATE."""
    directory = Path(tempfile.mkdtemp(prefix="twoleg-test-", dir=roomy_memory()))
    try:
        with EmbeddedServer(directory, settings=FAST) as server:
            execute(server, f"CREATE DATABASE {TEMPLATE}")
            schema.upgrade(server.url_of(TEMPLATE))
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def roomy_memory() -> Path | None:
    """Give the file system in memory: a database is hundreds of files, made anew for each test."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES
    return MEMORY if roomy else None


def execute(server: EmbeddedServer, statement: str) -> None:
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    return (f"test_{number}" for number in count(1))


@pytest.fixture
def empty_database_url(postgres: EmbeddedServer, database_names: Iterator[str]) -> Iterator[str]:
    """The URL of a new database without any table."""
    name = next(database_names)
    execute(postgres, f"CREATE DATABASE {name} {COPIED}")
    yield postgres.url_of(name)
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(postgres: EmbeddedServer, database_names: Iterator[str]) -> Iterator[str]:
    """The URL of a new, migrated database."""
    name = next(database_names)
    execute(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} {COPIED}")
    yield postgres.url_of(name)
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Connections to a new, migrated database."""
    async with Database.open(database_url) as database:
        yield database
