"""Whether a call that has waited may still be dialled: rules change meanwhile, and night falls.

Calls wait when there is much to do, and then all of them ask: those that do so in the same moment
share a statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar

from twoleg.calls.admission_rules import is_quiet
from twoleg.calls.background import background
from twoleg.calls.connected import Connection, stay_connected
from twoleg.calls.destinations import Refusal, destination
from twoleg.calls.ports import NotChecked
from twoleg.directory.opt_outs import has_opted_out
from twoleg.sip.values import immutable
from twoleg.store import Database

CHECK_WITHIN_SECONDS: Final = 10.0
"""How long a call waits for a database that is away."""

MAX_BATCH: Final = 64
"""Calls that are looked at in one statement."""

_STANDING: Final = f"""
SELECT x.place - 1, c.contact_phone_number, a.allowed_countries, a.quiet_hours, a.time_zone,
  (SELECT k.time_zone FROM contacts k WHERE k.id = c.contact_id),
  EXISTS (SELECT FROM contacts k WHERE k.id = c.contact_id AND k.opted_out)
    OR {has_opted_out("c.account_id", "c.contact_phone_number")},
  EXISTS (SELECT FROM users u WHERE u.deleted_at IS NOT NULL AND u.id = coalesce(x.agent_user_id,
    CASE WHEN c.ring_group_id IS NULL THEN c.user_id END)),
  now()
FROM unnest(%(ids)s::bigint[], %(agents)s::bigint[])
    WITH ORDINALITY AS x(call_id, agent_user_id, place)
  JOIN calls c ON c.id = x.call_id JOIN accounts a ON a.id = c.account_id
"""  # noqa: S608
_TEXTS: Final = {
    Refusal.USER_INACTIVE: "the user was deleted",
    Refusal.CONTACT_OPTED_OUT: "the contact has opted out of calls",
    Refusal.DESTINATION_NOT_ALLOWED: "the account does not allow the contact's number any more",
    Refusal.EMERGENCY_NUMBER: "emergency numbers are never dialled",
    Refusal.QUIET_HOURS: "it is a time at which the account leaves the contact alone",
}


class _Standing(NamedTuple):
    contact_phone_number: str
    allowed_countries: Sequence[str] | None
    quiet_hours: dict[str, str] | None
    account_time_zone: str
    contact_time_zone: str | None
    opted_out: bool
    user_is_gone: bool
    now: datetime

    def refusal(self) -> Refusal | None:
        """Tell which rule stands against dialling the contact."""
        if self.user_is_gone:
            return Refusal.USER_INACTIVE
        if self.opted_out:
            return Refusal.CONTACT_OPTED_OUT
        number = self.contact_phone_number
        refused = destination(number, None).refusal(self.allowed_countries)
        quiet = is_quiet(
            self.quiet_hours, number, self.contact_time_zone, self.account_time_zone, self.now
        )
        return refused or (Refusal.QUIET_HOURS if quiet else None)


Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, eq=False)
class Question(Generic[Answer]):
    """What is asked about many calls in one statement."""

    statement: str
    """Takes `ids` and, beside them, `agents`; gives the place of each and what `read` takes.

    Places count from 0. What is not there has no row.
    """

    read: Callable[..., Answer]


_MAY_BE_DIALLED: Final = Question(_STANDING, _Standing)


@dataclass(slots=True, eq=False)
class _Ask:
    question: Question[Any]
    id: int
    agent_user_id: int | None
    reply: asyncio.Future[Any]


class DialChecks:
    """Looks at the calls of one engine. Made by `DialChecks.open`."""

    def __init__(self) -> None:
        self._asks: dict[_Ask, None] = {}
        self._arrived = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database) -> AsyncIterator[Self]:
        """Answer until the block is left."""
        checks = cls()
        serving = stay_connected(database, checks._serve, "calls wait to be checked")
        async with background(serving):
            yield checks

    async def objection(self, call_id: int, agent_user_id: int | None) -> str | None:
        """Say, as a call's `failure` does, which rule stands against dialling; None: none does.

        Raises NotChecked where the database does not say so in time.
        """
        standing = await self.ask(_MAY_BE_DIALLED, call_id, agent_user_id)
        if standing is None:
            raise NotChecked
        refusal = standing.refusal()
        return None if refusal is None else f"{refusal}: {_TEXTS[refusal]}"

    async def ask(
        self, question: Question[Answer], id_: int, agent_user_id: int | None = None
    ) -> Answer | None:
        """Return the answer to a question; None where what it is about is not there.

        Raises NotChecked where the database does not give it in time.
        """
        reply: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        ask = _Ask(question, id_, agent_user_id, reply)
        self._asks[ask] = None
        self._arrived.set()
        try:
            async with asyncio.timeout(CHECK_WITHIN_SECONDS):
                return await reply
        except TimeoutError as error:
            raise NotChecked from error
        finally:
            self._asks.pop(ask, None)

    async def _serve(self, connection: Connection) -> None:
        """Answer who asks; ends by an exception once the connection is of no use.

        Whoever was not answered by then is still there for the next connection.
        """
        while True:
            await self._arrived.wait()
            asks = self._next()
            if not asks:
                self._arrived.clear()
                continue
            question = asks[0].question
            parameters = {
                "ids": [ask.id for ask in asks],
                "agents": [ask.agent_user_id for ask in asks],
            }
            async with connection.cursor() as cursor:
                await cursor.execute(question.statement, parameters, prepare=True)
                answers = {place: question.read(*row) for place, *row in await cursor.fetchall()}
            for place, ask in enumerate(asks):
                self._asks.pop(ask, None)
                if not ask.reply.done():
                    ask.reply.set_result(answers.get(place))

    def _next(self) -> list[_Ask]:
        """Return whoever asks what the one who has waited longest asks."""
        first = next(iter(self._asks), None)
        if first is None:
            return []
        same = (ask for ask in self._asks if ask.question is first.question)
        return list(islice(same, MAX_BATCH))


@immutable()
class StoredDialCheck:
    """The `DialCheck` of one call, by what the database says at the time."""

    call_id: int
    checks: DialChecks

    async def objection(self, agent_user_id: int | None) -> str | None:
        """Look at the call; see `DialChecks.objection`."""
        return await self.checks.objection(self.call_id, agent_user_id)
