"""Getting an agent on the line: whom to ring, together or in turn, and who wins."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.journal import Journal, Role
from twoleg.calls.leg_media import agent_codecs
from twoleg.calls.outcomes import (
    Refusal,
    is_for_all_phones,
    is_trunk_failure,
    most_telling,
    refusal_of,
)
from twoleg.calls.phrases import Phrase, language_for
from twoleg.calls.plan import AgentPlan, AgentRound, CallPlan, LegPlan
from twoleg.calls.ports import Equipment, TrunkFull
from twoleg.calls.screening import NOT_CONFIRMED, ask, confirms, is_screened
from twoleg.media import Codec
from twoleg.sip import Reason, SessionRejected
from twoleg.sip_io import LegRefused

COMPLETED_ELSEWHERE: Final = Reason("SIP", 200, "Call completed elsewhere")
"""What the phones of those who lost are told, so that they show no missed call (RFC 3326 2)."""


class NoAgent(Exception):
    """Nobody took the call. `refusal` tells most of why; None: there was nobody to ring."""

    def __init__(self, refusal: Refusal | None) -> None:
        super().__init__("nobody to ring" if refusal is None else refusal.name)
        self.refusal = refusal


class AgentSource(Protocol):
    """Where agents come from beyond the plan's; `twoleg.calls.call_agents.CallAgents` is one."""

    async def following(self) -> AgentRound | None:
        """Wait for those that are rung next; None: nobody is left to ring."""
        ...

    def release(self, user_id: int) -> None:
        """Let other calls ring a user that did not take this one. Returns at once."""
        ...


class NobodyElse:
    """The source of a call that rings nobody but those of its plan."""

    async def following(self) -> AgentRound | None:
        return None

    def release(self, user_id: int) -> None:
        pass


def agent_on_the_line(
    equipment: Equipment,
    journal: Journal,
    plan: CallPlan,
    source: AgentSource,
    contact: CallLeg | None = None,
    rings: Callable[[], None] | None = None,
) -> AbstractAsyncContextManager[CallLeg]:
    """Ring the plan's rounds, and those of `source`, until an agent answers.

    `contact` is on the line already, and what it speaks can be joined. The agent's leg lasts as
    long as the body; its answer is still to be acknowledged, unless it was asked to confirm.
    `rings` is called whenever a phone says that it rings.
    Entering raises NoAgent.
    """
    return _Search(equipment, journal, plan, source, contact, rings)


@dataclass(slots=True, eq=False)
class _Search:
    """Rounds that ring one after another until somebody takes the call, whose leg is `agent`."""

    equipment: Equipment
    journal: Journal
    plan: CallPlan
    source: AgentSource
    contact: CallLeg | None
    rings: Callable[[], None] | None
    agent: CallLeg | None = field(default=None, init=False)

    async def __aenter__(self) -> CallLeg:
        refusals: set[Refusal] = set()
        planned = iter(self.plan.rounds)
        try:
            while together := next(planned, None) or await self.source.following():
                await _Round(self, together, refusals).ring()
                if self.agent is not None:
                    return self.agent
        except BaseException:
            await self.__aexit__()
            raise
        raise NoAgent(most_telling(refusals) if refusals else None)

    async def __aexit__(self, *error: object) -> None:
        if self.agent is not None:
            await self.agent.leave()


@dataclass(slots=True, eq=False)
class _Attempt:
    """One phone that is rung, over one trunk after another; `leg` is the last."""

    leg: CallLeg | None = None

    @property
    def rang(self) -> bool:
        return self.leg is not None and self.leg.rang


@dataclass(slots=True, eq=False)
class _Round:
    """Phones that ring together. The first to answer wins, and its leg goes over to the search."""

    search: _Search
    agents: AgentRound
    refusals: set[Refusal]
    _asked: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    """Whose leg was answered, and asked to confirm."""

    _phones: list[tuple[AgentPlan, asyncio.Task[None]]] = field(default_factory=list, init=False)

    def ring(self) -> Coroutine[Any, Any, None]:
        """Ring until one takes the call, all have refused, or the time is up."""
        phones = [(agent, phone) for agent in self.agents.agents for phone in agent.endpoints]
        return self._ring(*phones[0]) if len(phones) == 1 else self._ring_together(phones)

    async def _ring_together(self, phones: list[tuple[AgentPlan, LegPlan]]) -> None:
        try:
            async with asyncio.TaskGroup() as together:
                for agent, phone in phones:
                    self._phones.append((agent, together.create_task(self._ring(agent, phone))))
        except BaseExceptionGroup as several:
            # What went wrong first is why the others were cancelled.
            raise several.exceptions[0] from None

    async def _ring(self, agent: AgentPlan, phone: LegPlan) -> None:
        """Ring one phone, and stay with it until it is known whether its agent takes the call.

        The winner cancels the others in the turn in which it wins: one who answered, or confirmed,
        in the same turn is cancelled before it can see that.
        """
        attempt = _Attempt()
        try:
            leg = await self._answered_leg(agent, phone, attempt)
            if leg is not None and (
                not is_screened(agent.screening, phone) or await self._confirms(leg)
            ):
                self.search.agent = leg
                attempt.leg = None
                if self._phones:
                    self._silence(self.agents.agents)
                return
        except asyncio.CancelledError:
            if self.search.agent is not None and attempt.leg is not None:
                attempt.leg.hang_up(COMPLETED_ELSEWHERE)
            raise
        finally:
            if attempt.leg is not None:
                await attempt.leg.leave()
        self._is_over(agent)

    async def _answered_leg(
        self, agent: AgentPlan, phone: LegPlan, attempt: _Attempt
    ) -> CallLeg | None:
        """Wait until a phone is answered; None, and why is noted: it is not."""
        try:
            with self.search.equipment.limits.within(self.agents.ring_seconds):
                return await self._ring_over_trunks(agent, phone, attempt)
            refusal = Refusal.NO_ANSWER if attempt.rang else Refusal.UNREACHABLE
        except TrunkFull:
            refusal = Refusal.BLOCKED
        except SessionRejected:
            refusal = Refusal.UNREACHABLE
        except LegRefused as refused:
            refusal = refusal_of(refused, rang=attempt.rang)
            if is_for_all_phones(refused):
                # Whoever has taken the call on one phone may well decline it on the others.
                self._silence((agent,), but=self._asked)
        self.refusals.add(refusal)
        return None

    async def _ring_over_trunks(self, agent: AgentPlan, way: LegPlan, attempt: _Attempt) -> CallLeg:
        """Ring a phone, over the next trunk where one is full, or fails before it rings.

        Raises TrunkFull, LegRefused, SessionRejected.
        """
        search = self.search
        leg = attempt.leg = CallLeg(
            search.equipment, search.journal, Role.AGENT, way, agent.user_id
        )
        try:
            await leg.ring(agent_codecs(way.codecs, self._contact_codecs()), search.contact)
            search.journal.agent_ringing()
            rings = search.rings
            if rings is not None:
                leg.on_progress = lambda _: rings() if leg.rang else None
            await leg.answered()
        except TrunkFull:
            if way.otherwise is None:
                raise
        except LegRefused as refused:
            if way.otherwise is None or attempt.rang or not is_trunk_failure(refused):
                raise
        else:
            return leg
        await leg.leave()
        return await self._ring_over_trunks(agent, way.otherwise, attempt)

    async def _confirms(self, leg: CallLeg) -> bool:
        """Ask whoever answered to press 1; the other phones ring on meanwhile."""
        phrases, country = self.search.equipment.phrases, self.search.plan.contact.country
        ask(leg, phrases.phrase(Phrase.PRESS_ONE, language_for(None, country)))
        task = asyncio.current_task()
        assert task is not None
        self._asked.add(task)
        await leg.acknowledge(self.search.journal.agent_answered(leg.record))
        if await confirms(leg):
            return True
        self.refusals.add(Refusal.NOT_CONFIRMED)
        leg.hang_up(NOT_CONFIRMED)
        return False

    def _is_over(self, agent: AgentPlan) -> None:
        """Free a user of whom no phone rings any more, if the round goes on without it."""
        current = asyncio.current_task()
        ringing = [
            each
            for each, task in self._phones
            if task is not current and not task.done() and not task.cancelling()
        ]
        if ringing and agent not in ringing and agent.user_id is not None:
            self.search.source.release(agent.user_id)

    def _silence(
        self, agents: tuple[AgentPlan, ...], but: Collection[asyncio.Task[None]] = ()
    ) -> None:
        """Stop the other phones of these agents."""
        current = asyncio.current_task()
        for agent, task in self._phones:
            if task is not current and agent in agents and task not in but:
                task.cancel()

    def _contact_codecs(self) -> frozenset[Codec]:
        contact = self.search.contact
        if contact is not None and contact.media.codec is not None:
            return frozenset((contact.media.codec,))
        return frozenset().union(*[trunk.codecs for trunk in self.search.plan.contact.trunks])
