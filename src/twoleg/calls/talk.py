"""Two who are joined, from then on until one hangs up, falls silent, or hands over to another."""

import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from twoleg.calls.agents import AgentSource
from twoleg.calls.answering import leave_machine
from twoleg.calls.call_leg import CallLeg
from twoleg.calls.call_recording import CallRecording
from twoleg.calls.concurrency import alongside, first_of
from twoleg.calls.decision import Decision
from twoleg.calls.failure_tones import tell_why
from twoleg.calls.holding import Holding
from twoleg.calls.joint import Joint
from twoleg.calls.journal import Journal
from twoleg.calls.limits import Within
from twoleg.calls.outcomes import EndedBy, Outcome, Refusal, ended_by
from twoleg.calls.plan import CallPlan
from twoleg.calls.ports import Equipment, Transfers
from twoleg.calls.transfer import NotTransferred, Transfer
from twoleg.sip import Refer
from twoleg.sip_io import LegEnd


@dataclass(slots=True, eq=False, kw_only=True)
class Talk:
    """The talk of one call; `decision` hears how it ends.

    `silent_seconds` None: legs without audio are left alone.
    """

    plan: CallPlan
    equipment: Equipment
    journal: Journal
    joint: Joint
    decision: Decision
    agents: AgentSource
    transfers: Transfers | None
    silent_seconds: float | None
    tone_seconds: float
    is_machine: bool = field(default=False, init=False)
    """Whether the call ends because a machine answered."""

    _agent: CallLeg | None = field(default=None, init=False)
    """Whose hanging up ends the call; None while the call is handed over."""

    _recording: CallRecording | None = field(default=None, init=False)
    _refer: Refer | None = field(default=None, init=False)
    _talking: Within | None = field(default=None, init=False)

    def agent_is(self, agent: CallLeg) -> None:
        """Let the end of the agent's leg end the call, unless it is handed over by then."""
        self._agent = agent
        agent.when_ended(self._agent_ended)

    def _agent_ended(self, agent: CallLeg, end: LegEnd) -> None:
        if agent is self._agent:
            self.decision.interrupt(Outcome.AGENT_HUNG_UP, ended_by(end, EndedBy.AGENT))

    async def contact_may_leave(self, contact: CallLeg) -> None:
        """Wait until a contact that waits for somebody hangs up, or is dead: that ends the call."""
        if self.silent_seconds is None:
            ender = await _hung_up(contact)
        else:
            ender = await first_of(_hung_up(contact), _fell_silent(contact, self.silent_seconds))
        if not self.is_machine:
            self.decision.interrupt(Outcome.CANCELED, ender)

    def go_on(self, agent: CallLeg, contact: CallLeg) -> Coroutine[Any, Any, None]:
        """Stay until the contact hangs up or a leg is dead; the agent may interrupt it.

        An agent may also hand over to another, who is the agent from then on.
        """
        return (self._record if self.plan.record else self._talk)(agent, contact)

    async def _record(self, agent: CallLeg, contact: CallLeg) -> None:
        """Let them talk, and record it."""
        recording = self._recording = CallRecording(
            self.equipment, self.journal, self.plan, contact
        )
        recording.agent_is(agent)
        async with alongside(recording.record()):
            await self._talk(agent, contact)

    async def _talk(self, agent: CallLeg, contact: CallLeg) -> None:
        if not await self._hands_over(agent, contact):
            return
        recording = self._recording
        async with contextlib.AsyncExitStack() as line:
            while True:
                if recording is not None:
                    recording.agent_is(None)
                target = await self._hand_over(line, agent, contact)
                if recording is not None:
                    recording.agent_is(target)
                if target is None or not await self._hands_over(target, contact):
                    return
                agent = target

    async def _hands_over(self, agent: CallLeg, contact: CallLeg) -> bool:
        """Let the two talk; True: the agent hands over to another, False: the call is over."""
        if agent.record.trunk_id is None:
            # A trunk has no business with whom else we call.
            agent.media.on_refer = self._wants_to_hand_over
        limits, ender = self.equipment.limits, None
        try:
            with Holding(self.equipment.tones, self.journal, agent, contact, self._recording):
                # Until then no leg can have been silent for so long: most calls need no more watch.
                with limits.within(self.silent_seconds) as self._talking:
                    ender = ended_by(await contact.ended(), EndedBy.CONTACT)
                if ender is None and self._refer is None and not self.is_machine:
                    with limits.within(None) as self._talking:
                        ender = await self._first_to_vanish(agent, contact)
        finally:
            agent.media.on_refer = None
        if ender is not None:
            self.decision.decide(Outcome.CONNECTED, ender)
        elif self.is_machine:
            await self._leave_machine(agent, contact)
        return ender is None and not self.is_machine

    async def _leave_machine(self, agent: CallLeg, contact: CallLeg) -> None:
        """Let a machine talk to nobody, and tell the agent so."""
        self.decision.decide(Outcome.CONTACT_VOICEMAIL, EndedBy.SYSTEM)
        self.joint.part()
        await leave_machine(self.equipment, self.plan, agent, contact)

    async def _first_to_vanish(self, agent: CallLeg, contact: CallLeg) -> EndedBy:
        dead = self.silent_seconds
        assert dead is not None
        return await first_of(
            _hung_up(contact), _fell_silent(agent, dead), _fell_silent(contact, dead)
        )

    def machine_answered(self) -> bool:
        """Let a machine talk no more; False: nobody talks to it now."""
        if self._talking is None or not self._talking.end():
            return False
        self.is_machine = True
        return True

    def _wants_to_hand_over(self, refer: Refer) -> bool:
        if self._refer is not None or self._talking is None or not self._talking.end():
            return False
        self._refer = refer
        return True

    async def _hand_over(
        self, line: contextlib.AsyncExitStack, agent: CallLeg, contact: CallLeg
    ) -> CallLeg | None:
        """Hand the contact over; give who talks to it now. None: nobody does any more.

        The leg of a new agent, and what is left of the old one, last as long as `line`.
        """
        refer, self._refer, self._agent = self._refer, None, None
        assert refer is not None
        transfer = Transfer(
            self.equipment, self.journal, self.plan, self.transfers, agent, contact, refer
        )
        self.joint.part()
        try:
            async with alongside(self.contact_may_leave(contact)):
                target = await line.enter_async_context(transfer.target())
        except NotTransferred:
            if agent.gone:
                self.decision.decide(Outcome.CONNECTED, EndedBy.AGENT)
                await self._tell_nobody_came(contact)
                return None
            self._agent = agent
            self.joint.join(agent, contact)
            return agent
        self.joint.join(target, contact)
        transfer.done()
        self.agent_is(target)
        await line.enter_async_context(alongside(self._dismiss(transfer)))
        await target.acknowledge(self.journal.transferred(target.record))
        return target

    async def _dismiss(self, transfer: Transfer) -> None:
        """Let the agent go who has handed over: others may ring it then."""
        await transfer.dismiss()
        user_id = transfer.agent.record.user_id
        if user_id is not None:
            self.agents.release(user_id)

    async def _tell_nobody_came(self, contact: CallLeg) -> None:
        tones, country = self.equipment.tones, self.plan.contact.country
        await tell_why(tones, country, contact, Refusal.NO_ANSWER, self.tone_seconds)


async def _hung_up(contact: CallLeg) -> EndedBy:
    return ended_by(await contact.ended(), EndedBy.CONTACT)


async def _fell_silent(leg: CallLeg, seconds: float) -> EndedBy:
    await leg.silent(seconds)
    return EndedBy.SYSTEM
