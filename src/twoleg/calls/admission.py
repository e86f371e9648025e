"""The way in: a call request becomes a row that survives every crash, or a refusal that says why.

Requests that arrive while a transaction is under way share the next one. A batch costs two
statements: one looks everything up, one counts against the limits, inserts and notifies.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

import psycopg
import structlog

from twoleg.calls import admission_queries as queries
from twoleg.calls.admission_lookup import Asked, find
from twoleg.calls.admission_pace import AdmissionPace
from twoleg.calls.admission_rules import AdmissionRefused, Candidate, Found, examine
from twoleg.calls.background import cancelled
from twoleg.calls.requests import CallRequest
from twoleg.directory.tokens import Scope, allows, hash_of
from twoleg.store import Database

MAX_BATCH: Final = 64
# Requests that wait for a transaction; with more, the database is not keeping up.
MAX_WAITING: Final = 4096
# A client has given up by then; whoever asks again with its key must find this one over, too.
LONGEST_WAIT_SECONDS: Final = 30.0
UNAVAILABLE_RETRY_SECONDS: Final = 5
# How long a client is asked to wait for a running call to end or the next second to begin.
BUSY_RETRY_SECONDS: Final = 1
CONNECT_TIMEOUT_SECONDS: Final = 2.0
BATCH_TIMEOUT_SECONDS: Final = 10.0

log = structlog.get_logger(__name__)
Connection = psycopg.AsyncConnection[Any]


class CallSource(StrEnum):
    """Where a call came from."""

    WEBHOOK = "webhook"
    API = "api"


class RateLimit(NamedTuple):
    """What an account may still place in the running second."""

    limit: int
    remaining: int
    reset_at: float  # seconds since the epoch


class AcceptedCall(NamedTuple):
    """A call that is in the database."""

    id: int
    account_id: int
    created_at: datetime
    rate_limit: RateLimit


class UnknownToken(Exception):
    """The token is unknown, expired or revoked."""


class TokenNotAllowed(Exception):
    """The token is good, but not for placing calls: it lacks `scope`."""

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope


class TooManyCalls(Exception):
    """The account is over its calls a second or its running calls."""

    def __init__(self, rate_limit: RateLimit, retry_after: int = BUSY_RETRY_SECONDS) -> None:
        super().__init__(rate_limit, retry_after)
        self.rate_limit = rate_limit
        self.retry_after = retry_after


class AdmissionUnavailable(Exception):
    """The database cannot be asked now; ask again after `retry_after` seconds.

    `may_be_stored`: it went away while it was writing, and the call may be there all the same.
    """

    def __init__(
        self, retry_after: int = UNAVAILABLE_RETRY_SECONDS, *, may_be_stored: bool = False
    ) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after
        self.may_be_stored = may_be_stored


@dataclass(slots=True, eq=False)
class _Waiting:
    asked: Asked
    source: CallSource
    reply: asyncio.Future[AcceptedCall]
    since: float
    tried: bool = False

    def refuse(self, error: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)

    def accept(self, call: AcceptedCall) -> None:
        if not self.reply.done():
            self.reply.set_result(call)


class _LookUpFailed(Exception):
    """The database went away before anything was written."""


class Admission:
    """Takes calls in: one for a process. Holds one connection of the pool while it is open."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        # For each account a lower bound of its calls that have ended.
        self._known_ended: dict[int, int] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database) -> AsyncIterator[Self]:
        """Run admission until the block is left; who still waits then is refused."""
        self = cls(database)
        worker = asyncio.create_task(self._work(), name="admission")
        try:
            yield self
        finally:
            await cancelled([worker])
            self._refuse_waiting()

    async def accept(
        self, token: str, request: CallRequest, source: CallSource = CallSource.WEBHOOK
    ) -> AcceptedCall:
        """Return once the call is durably stored.

        Raises UnknownToken, TokenNotAllowed, AdmissionRefused, TooManyCalls, AdmissionUnavailable.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise AdmissionUnavailable(BUSY_RETRY_SECONDS)
        asked = Asked(hash_of(token).hex(), request)
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[AcceptedCall] = loop.create_future()
        self._waiting.append(_Waiting(asked, source, reply, loop.time()))
        self._arrived.set()
        return await reply

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            try:
                pool = self._database.pool
                async with pool.connection(timeout=CONNECT_TIMEOUT_SECONDS) as connection:
                    await connection.set_autocommit(True)
                    try:
                        await self._serve(connection)
                    finally:
                        if not connection.closed:
                            await connection.set_autocommit(False)
            except _LookUpFailed:
                log.info("admission_reconnects")
            except (psycopg.OperationalError, OSError) as error:
                log.warning("admission_unavailable", error=type(error).__name__)
                self._refuse_waiting()

    async def _serve(self, connection: Connection) -> None:
        """Take batch after batch; ends by an exception once the connection is of no use."""
        pace, clock = AdmissionPace(), asyncio.get_running_loop().time
        while True:
            await self._arrived.wait()
            pause = pace.pause(len(self._waiting))
            if pause:
                await asyncio.sleep(pause)
            pace.taken(len(self._waiting), clock())
            batch = self._next_batch(clock())
            if not self._waiting:
                self._arrived.clear()
            is_over = False
            try:
                await self._take_batch(connection, batch)
                is_over = True
            except _LookUpFailed:
                is_over = True
                fresh = [each for each in batch if not each.tried]
                for each in fresh:
                    each.tried = True
                self._waiting[:0] = fresh
                self._arrived.set()
                batch = [each for each in batch if each not in fresh]
                raise
            finally:
                for each in batch:
                    each.refuse(AdmissionUnavailable(may_be_stored=not is_over))

    def _next_batch(self, now: float) -> list[_Waiting]:
        """Take the next out of those that wait; who has waited too long is told to come back."""
        first = self._waiting[:MAX_BATCH]
        del self._waiting[:MAX_BATCH]
        for each in first:
            if now - each.since > LONGEST_WAIT_SECONDS:
                each.refuse(AdmissionUnavailable())
        return [each for each in first if not each.reply.done()]

    async def _take_batch(self, connection: Connection, batch: Sequence[_Waiting]) -> None:
        try:
            async with asyncio.timeout(BATCH_TIMEOUT_SECONDS):
                await self._take(connection, batch)
        except TimeoutError as error:
            await connection.close()
            raise psycopg.OperationalError("admission took too long") from error
        except psycopg.OperationalError:
            if connection.closed or len(batch) == 1:
                raise
            await self._take_singly(connection, batch)
        except psycopg.Error as error:
            # One request that the database refuses must not take its neighbours with it.
            log.exception("admission_batch_failed", error=type(error).__name__)
            if len(batch) > 1:
                await self._take_singly(connection, batch)

    async def _take_singly(self, connection: Connection, batch: Sequence[_Waiting]) -> None:
        for each in batch:
            if not each.reply.done():
                await self._take_batch(connection, [each])

    async def _take(self, connection: Connection, batch: Sequence[_Waiting]) -> None:
        try:
            found = await find(connection, [waiting.asked for waiting in batch])
        except psycopg.OperationalError as error:
            raise _LookUpFailed from error
        candidates: dict[int, Candidate] = {}
        for position, waiting in enumerate(batch):
            try:
                candidates[position] = judge(waiting.asked.request, found.get(position))
            except (UnknownToken, TokenNotAllowed, AdmissionRefused) as refusal:
                waiting.refuse(refusal)
        if not candidates:
            return
        counted = await self._place(connection, batch, candidates)
        for position, call in counted.items():
            _answer(batch[position], candidates[position], call)

    async def _place(
        self,
        connection: Connection,
        batch: Sequence[_Waiting],
        candidates: dict[int, Candidate],
    ) -> dict[int, queries.Counted]:
        counted = await self._place_within_bounds(connection, batch, candidates)
        held_back = {
            position: candidates[position]
            for position, call in counted.items()
            if call.id is None and call.window_calls < candidates[position].calls_per_second
        }
        if held_back:
            # Not the second's rate stood against these but what was last known of calls that
            # ended, if anything: count them, and ask again.
            accounts = list({each.account_id for each in held_back.values()})
            if not all(counted[position].account_counted for position in held_back):
                await queries.start_counting(connection, accounts)
            self._known_ended.update(await queries.known_ended(connection, accounts))
            counted |= await self._place_within_bounds(connection, batch, held_back)
        return counted

    async def _place_within_bounds(
        self,
        connection: Connection,
        batch: Sequence[_Waiting],
        candidates: dict[int, Candidate],
    ) -> dict[int, queries.Counted]:
        calls = [_row(position, batch[position], each) for position, each in candidates.items()]
        accounts: dict[int, dict[str, int]] = {}
        for each in candidates.values():
            account = accounts.setdefault(
                each.account_id,
                {
                    "account_id": each.account_id,
                    "calls": 0,
                    "calls_per_second": each.calls_per_second,
                    "max_calls": each.max_calls,
                    "known_ended": self._known_ended.get(each.account_id, 0),
                },
            )
            account["calls"] += 1
        placed = await queries.place(connection, calls, list(accounts.values()))
        return {call.position: call for call in placed}

    def _refuse_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._arrived.clear()
        for each in waiting:
            each.refuse(AdmissionUnavailable())


def judge(request: CallRequest, found: Found | None) -> Candidate:
    """Return what is to be stored; raises UnknownToken, TokenNotAllowed, AdmissionRefused."""
    if found is None:
        raise UnknownToken
    if not allows(found.scopes, Scope.CALLS_WRITE):
        raise TokenNotAllowed(Scope.CALLS_WRITE)
    return examine(request, found)


def _answer(waiting: _Waiting, candidate: Candidate, call: queries.Counted) -> None:
    limit = candidate.calls_per_second
    if call.id is not None:
        left = RateLimit(limit, max(0, limit - call.window_calls), call.window_ends_at)
        waiting.accept(AcceptedCall(call.id, candidate.account_id, call.created_at, left))
    elif call.window_calls >= limit:
        waiting.refuse(TooManyCalls(RateLimit(limit, 0, call.window_ends_at)))
    else:
        busy = RateLimit(candidate.max_calls, 0, call.window_ends_at)
        waiting.refuse(TooManyCalls(busy))


def _row(position: int, waiting: _Waiting, candidate: Candidate) -> dict[str, Any]:
    request = waiting.asked.request
    return {
        "position": position,
        "account_id": candidate.account_id,
        "source": waiting.source,
        "user_id": request.user_id,
        "ring_group_id": request.ring_group_id,
        "contact_id": candidate.contact_id,
        "contact_phone_number": candidate.contact_phone_number,
        "remember_number": candidate.remember_number,
        "line_id": candidate.line_id,
        "line_phone_number": candidate.line_phone_number,
        "user_phone_number": candidate.user_phone_number,
        "options": request.options,
        "metadata": request.metadata,
        "callback_url": request.callback_url,
        "idempotency_key": request.idempotency_key,
    }
