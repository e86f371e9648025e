"""The connections of one process to the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, TooManyRequests

from twoleg.store.errors import DatabaseUnavailable
from twoleg.store.url import connection_string

Connection = psycopg.AsyncConnection[Any]

MIN_CONNECTIONS: Final = 2
MAX_CONNECTIONS: Final = 10
# How long a request waits for a connection before it is told that there is none.
WAIT_SECONDS: Final = 5.0
# More waiters than this are turned away at once: they would time out anyway.
MAX_WAITING: Final = 1_000
IDLE_SECONDS: Final = 300.0
# The pool doubles its pause from try to try, up to this in all; whoever asks next begins anew. So
# a database that is back is found within two seconds, however long it was away.
RECONNECT_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Database:
    """A pool of psycopg connections.

    It hands out only connections that live, and connects anew once a database that was away is
    back. `connection()` raises DatabaseUnavailable for whatever means "not now"; `pool` raises
    what psycopg does.
    """

    url: str
    pool: AsyncConnectionPool[Connection]

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        min_connections: int = MIN_CONNECTIONS,
        max_connections: int = MAX_CONNECTIONS,
        wait: float = WAIT_SECONDS,
    ) -> AsyncIterator[Database]:
        """Open the pool for `url`, without waiting for the database to be there."""
        pool = AsyncConnectionPool(
            connection_string(url),
            open=False,
            min_size=min_connections,
            max_size=max_connections,
            timeout=wait,
            max_waiting=MAX_WAITING,
            max_idle=IDLE_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
            check=AsyncConnectionPool.check_connection,
        )
        async with pool:
            yield cls(url, pool)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for one transaction: committed at the end, or rolled back."""
        with unavailable_when_away():
            async with self.pool.connection() as connection:
                yield connection

    async def connect(self) -> Connection:
        """Open a connection outside the pool, in autocommit, for LISTEN; the caller closes it."""
        with unavailable_when_away():
            return await psycopg.AsyncConnection.connect(
                connection_string(self.url), autocommit=True
            )


@contextmanager
def unavailable_when_away() -> Iterator[None]:
    """Turn every error that means that the database cannot serve now into DatabaseUnavailable."""
    try:
        yield
    except (psycopg.OperationalError, PoolClosed, TooManyRequests) as error:
        raise DatabaseUnavailable(str(error)) from error
