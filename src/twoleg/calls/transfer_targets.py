"""Whom a phone may hand its call over to: a user, a ring group or a number of the account."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

import psycopg
import structlog

from twoleg.calls.agent_desk import AgentDesk
from twoleg.calls.agent_queries import found_outside
from twoleg.calls.agent_search import AgentSearch, Target
from twoleg.calls.call_agents import CallAgents
from twoleg.calls.claims import Claim
from twoleg.calls.destinations import Destination, destination
from twoleg.calls.outcomes import Refusal
from twoleg.calls.plan import AgentRound
from twoleg.calls.planning import Surroundings, round_of
from twoleg.calls.ports import TransferTarget
from twoleg.directory.accounts import Screening
from twoleg.directory.opt_outs import has_opted_out
from twoleg.sip.values import immutable
from twoleg.store import Database, DatabaseUnavailable
from twoleg.store.texts import storable

MAX_WANTED: Final = 128
"""Characters of a name or number that are looked for."""

_NUMBER: Final = re.compile(r"\+?[0-9() ./-]{2,40}", re.ASCII)

# A user's name of SIP is unique; of groups with the same name the oldest is meant. The account's
# own lines are nobody's number, and who has opted out is called by nobody.
_FIND: Final = f"""
SELECT a.allowed_countries,
  EXISTS (SELECT FROM lines l WHERE l.account_id = a.id AND l.deleted_at IS NULL
   AND l.phone_number = %(number)s) OR {has_opted_out("a.id", "%(number)s")},
  u.id, u.availability = 'available',
  (SELECT g.id FROM ring_groups g WHERE g.account_id = a.id AND g.deleted_at IS NULL
   AND lower(replace(g.name, ' ', '-')) = lower(replace(%(wanted)s, ' ', '-'))
   ORDER BY g.id LIMIT 1)
FROM accounts a LEFT JOIN users u ON u.account_id = a.id AND u.deleted_at IS NULL
  AND lower(u.sip_username) = lower(%(wanted)s)
WHERE a.id = %(account_id)s
"""  # noqa: S608

log = structlog.get_logger(__name__)


@immutable()
class TransferTargets:
    """The `Transfers` of one call."""

    claim: Claim
    database: Database
    desk: AgentDesk
    here: Surroundings

    async def find(self, wanted: str, agent_user_id: int | None) -> TransferTarget | None:
        """Find a user by its SIP name, a ring group by its name, else a number to dial.

        None: there is none such, it may not be dialled, or the database is away.
        """
        number = self._read(wanted)
        parameters = {
            "wanted": storable(wanted[:MAX_WANTED]),
            "number": number.number,
            "account_id": self.claim.account_id,
        }
        try:
            async with self.database.connection() as connection:
                cursor = await connection.execute(_FIND, parameters)
                row = await cursor.fetchone()
        except (DatabaseUnavailable, psycopg.Error):
            log.warning("a transfer's target was not looked up", call_id=self.claim.call_id)
            return None
        if row is None:
            return None
        allowed, is_never_dialled, user_id, is_available, group_id = row
        if user_id is not None and user_id != agent_user_id:
            return self._agents(Target(user_id=user_id), agent_user_id, may_be_busy=is_available)
        if group_id is not None:
            target = Target(ring_group_id=group_id)
            return self._agents(target, agent_user_id, may_be_busy=False)
        if is_never_dialled or number.refusal(allowed) is not None:
            return None
        return None if number.number is None else self._dialled(number.number)

    def _agents(
        self, target: Target, agent_user_id: int | None, *, may_be_busy: bool
    ) -> TransferTarget:
        """Ring users, but not the one who hands over, who keeps its reservation meanwhile."""
        search = AgentSearch(self.claim.call_id, (target,), kept_user_id=agent_user_id)
        if agent_user_id is not None:
            search.rung.add(agent_user_id)
        return FoundAgents(CallAgents(self.claim, search, self.desk, self.here), may_be_busy)

    def _read(self, wanted: str) -> Destination:
        if _NUMBER.fullmatch(wanted) is None:
            return Destination(None)
        return destination(wanted, self.claim.country)

    def _dialled(self, number: str) -> TransferTarget | None:
        together = round_of(self.claim, found_outside(number), self.here)
        if together is None:
            return None
        # Whoever is called by a number is no agent of ours, and has nothing to confirm.
        agents = tuple([replace(agent, screening=Screening.NEVER) for agent in together.agents])
        return DialledNumber([replace(together, agents=agents)])


@dataclass(frozen=True, slots=True)
class FoundAgents:
    """Users that are reserved as they are rung."""

    agents: CallAgents
    may_be_busy: bool
    """Who is not free has another call: it is one user, who is not away."""

    @property
    def nobody(self) -> Refusal:
        is_busy = self.may_be_busy and self.agents.search.none_free
        return Refusal.BUSY if is_busy else Refusal.UNREACHABLE

    async def following(self) -> AgentRound | None:
        return await self.agents.following()

    def release(self, user_id: int) -> None:
        self.agents.release(user_id)

    def give_up(self) -> None:
        search = self.agents.search
        for user_id in search.rung - {search.kept_user_id}:
            self.agents.release(user_id)


@dataclass(frozen=True, slots=True)
class DialledNumber:
    """A number that is rung once."""

    rounds: list[AgentRound]
    nobody: Refusal = Refusal.UNREACHABLE

    async def following(self) -> AgentRound | None:
        return self.rounds.pop() if self.rounds else None

    def release(self, user_id: int) -> None:
        pass

    def give_up(self) -> None:
        pass
