"""A two-legged call, from its first ring to its record, as one coroutine to read aloud."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from twoleg.calls.agents import AgentSource, NoAgent, NobodyElse, agent_on_the_line
from twoleg.calls.answering import leave_machine, tell_who_answered
from twoleg.calls.call_leg import CallLeg
from twoleg.calls.call_recording import CallRecording
from twoleg.calls.concurrency import alongside, first_of
from twoleg.calls.contact import ContactNotReached, contact_on_the_line
from twoleg.calls.holding import holding
from twoleg.calls.joint import Joint
from twoleg.calls.journal import (
    ClaimLost,
    Clock,
    Journal,
    RecordWriter,
    SystemClock,
    Verdict,
)
from twoleg.calls.outcomes import (
    AGENT_OUTCOMES,
    CONTACT_OUTCOMES,
    ENDS_ITSELF,
    FAILURES,
    TONES,
    EndedBy,
    Outcome,
    Refusal,
    Tone,
)
from twoleg.calls.phrases import Phrase, language_for
from twoleg.calls.plan import CallPlan, OnMachine
from twoleg.calls.ports import DialCheck, Equipment, NotChecked, Playable, Transfers
from twoleg.calls.transfer import NotTransferred, Transfer
from twoleg.calls.whisper import prepare_whisper, whisper
from twoleg.media import AnsweredBy, NoPortsLeft
from twoleg.media import Verdict as Heard
from twoleg.sip import Refer

MARK_WITHIN_SECONDS: Final = 10.0
"""How long an agent on the line waits for a database that is away, before the contact is rung."""

TONE_SECONDS: Final = 4.0
"""How long an agent hears why the contact was not reached."""

SILENT_SECONDS: Final = 60.0
"""A leg without RTP for so long is dead."""

CHECK_AFTER_SECONDS: Final = 5.0
"""A call this old is checked again before it is dialled; a younger one was checked just now."""

_MAX_FAILURE: Final = 200

_log = logging.getLogger(__name__)


class NotRecorded(Exception):
    """The database did not take the mark of the attempt, without which nothing is dialled."""


class Blocked(Exception):
    """`rule` stands against dialling the contact by now."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True, slots=True, kw_only=True)
class StorySettings:
    """What an operator may choose. `silent_seconds` None: legs without audio are left alone."""

    silent_seconds: float | None = SILENT_SECONDS
    tone_seconds: float = TONE_SECONDS


class Story:
    """One call. `run` it once; `hang_up` ends it at any time, and so does cancelling `run`."""

    def __init__(
        self,
        plan: CallPlan,
        equipment: Equipment,
        writer: RecordWriter,
        *,
        clock: Clock | None = None,
        settings: StorySettings | None = None,
        agents: AgentSource | None = None,
        transfers: Transfers | None = None,
        check: DialCheck | None = None,
    ) -> None:
        self._plan = plan
        self._check = check
        self._agents = agents or NobodyElse()
        self._equipment = equipment
        self._journal = Journal(plan, writer, clock or SystemClock())
        self._settings = settings or StorySettings()
        self._transfers = transfers
        self._joint = Joint(equipment.plane)
        self._agent: CallLeg | None = None
        """Whose hanging up ends the call; None while the call is handed over."""

        self._gone: set[CallLeg] = set()
        """Agents that have hung up."""

        self._refer: Refer | None = None
        self._is_machine = False
        """Whether the call ends because a machine answered."""

        self._talking: asyncio.Timeout | None = None
        self._verdict: Verdict | None = None
        self._lasting: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Place the call and stay with it to its end; its record is closed whatever happens.

        Raises nothing but CancelledError: it was cancelled, as an engine that stops does.
        """
        try:
            if self._plan.hangup_requested:
                self.hang_up()
            elif self._plan.expired:
                self._decide(Outcome.EXPIRED, EndedBy.SYSTEM)
            if self._verdict is None:
                await self._tell_until_interrupted()
        except asyncio.CancelledError:
            self._fail("the engine was stopped")
            raise
        except ClaimLost:
            _log.warning("another engine has the call", extra={"call_id": self._plan.call_id})
        except Exception as error:  # noqa: BLE001  # the record says so, whatever it is
            _log.exception("call failed", extra={"call_id": self._plan.call_id})
            self._fail(_in_words(error))
        finally:
            # Without a verdict the record is another engine's to close.
            if self._verdict is not None:
                self._journal.end(self._verdict)

    def hang_up(self) -> None:
        """End the call because the API was asked to. Returns at once; idempotent."""
        self._interrupt(Outcome.CANCELED, EndedBy.API)

    def disposed(self, disposition: str | None, notes: str | None) -> None:
        """Tell what people say that the call came to. Returns at once; idempotent."""
        self._journal.disposed(disposition, notes)

    def _interrupt(self, outcome: Outcome, ended_by: EndedBy) -> None:
        """End the story wherever it is; `outcome` holds if the two have not been joined yet."""
        self._decide_early(outcome, ended_by)
        if self._lasting is not None and not self._lasting.expired():
            self._lasting.reschedule(0)

    async def _tell_until_interrupted(self) -> None:
        """Tell the story unless the API, the agent's hanging up, or the clock ends it."""
        self._lasting = lasting = asyncio.timeout(self._plan.max_seconds)
        try:
            async with lasting:
                await self.tell()
        except TimeoutError:
            if not lasting.expired():
                raise
            # Whoever interrupted has decided; if nobody did, the time is up.
            self._decide_early(Outcome.EXPIRED, EndedBy.SYSTEM)
        finally:
            self._lasting = None

    async def tell(self) -> None:
        """Bring the two together, in the order that the plan has; `run` looks after the rest."""
        try:
            await self._check_again()
        except Blocked as blocked:
            self._decide(Outcome.BLOCKED, EndedBy.SYSTEM, blocked.rule)
            return
        first = self._tell_contact_first if self._plan.contact_first else self._tell_agent_first
        if self._plan.whisper_prompt_id is None:
            await first()
            return
        async with alongside(prepare_whisper(self._equipment, self._plan)):
            await first()

    async def _tell_agent_first(self) -> None:
        """Ring an agent, ring the contact, let them talk."""
        try:
            async with (
                agent_on_the_line(
                    self._equipment, self._journal, self._plan, self._agents
                ) as agent,
                alongside(self._agent_may_hang_up(agent)),
            ):
                await agent.acknowledge(self._journal.agent_connected(agent.record))
                await whisper(self._equipment, self._plan, agent)
                await self._attempt_is_marked()
                await self._connect(agent)
        except NoAgent as nobody:
            self._give_up_on_agents(nobody)

    async def _tell_contact_first(self) -> None:
        """Ring the contact, ring an agent while it is comforted, let them talk."""
        journal = self._journal
        journal.contact_is_first()
        await self._attempt_is_marked()
        try:
            async with (
                contact_on_the_line(
                    self._equipment, journal, self._plan.contact, None, self._joint
                ) as contact,
                self._heard(contact),
                alongside(self._contact_may_hang_up(contact)),
                alongside(self._comfort(contact)),
            ):
                await contact.acknowledge(journal.contact_answered(contact.record))
                await self._find_agent_for(contact)
        except ContactNotReached as missed:
            self._give_up_on_contact(missed.refusal)

    async def _find_agent_for(self, contact: CallLeg) -> None:
        journal, plan = self._journal, self._plan
        try:
            async with (
                agent_on_the_line(self._equipment, journal, plan, self._agents, contact) as agent,
                alongside(self._agent_may_hang_up(agent)),
            ):
                if plan.whisper_prompt_id is not None:
                    await agent.acknowledge(journal.agent_answered(agent.record))
                    await whisper(self._equipment, plan, agent)
                with contextlib.ExitStack() as joined:
                    joined.callback(self._joint.part)
                    self._joint.join(agent, contact)
                    await agent.acknowledge(journal.agent_joined(agent.record))
                    await self._talk(agent, contact)
        except NoAgent as nobody:
            self._give_up_on_agents(nobody)
            await self._tell_why(contact, Refusal.NO_ANSWER)

    async def _comfort(self, contact: CallLeg) -> None:
        """Let a contact that waits for an agent hear a word, and then that it rings."""
        port, where = contact.media.port, self._plan.contact
        language = language_for(where.language, where.country)
        await port.play(self._equipment.phrases.phrase(Phrase.COMFORT, language)).finished()
        if self._verdict is None and not self._journal.bridged:
            port.play(self._equipment.tones.ringback(where.country), loop=True)

    async def _contact_may_hang_up(self, contact: CallLeg) -> None:
        await contact.ended()
        if not self._is_machine:
            self._interrupt(Outcome.CANCELED, EndedBy.CONTACT)

    async def _agent_may_hang_up(self, agent: CallLeg) -> None:
        self._agent = agent
        await agent.ended()
        self._gone.add(agent)
        if agent is self._agent:
            self._interrupt(Outcome.AGENT_HUNG_UP, EndedBy.AGENT)

    async def _connect(self, agent: CallLeg) -> None:
        journal = self._journal
        try:
            await self._check_again(agent)
            async with (
                contact_on_the_line(
                    self._equipment, journal, self._plan.contact, agent, self._joint
                ) as contact,
                self._heard(contact, agent),
            ):
                await contact.acknowledge(journal.contact_connected(contact.record))
                await self._talk(agent, contact)
        except ContactNotReached as missed:
            self._give_up_on_contact(missed.refusal)
            await self._tell_why(agent, missed.refusal)
        except Blocked as blocked:
            self._decide(Outcome.BLOCKED, EndedBy.SYSTEM, blocked.rule)
            await self._tell_why(agent, Refusal.BLOCKED)

    async def _check_again(self, agent: CallLeg | None = None) -> None:
        """Have a call that has waited looked at again. Raises Blocked, NotChecked."""
        if self._check is None or self._journal.age_seconds < CHECK_AFTER_SECONDS:
            return
        rule = await self._check.objection(None if agent is None else agent.record.user_id)
        if rule is not None:
            raise Blocked(rule)

    async def _talk(self, agent: CallLeg, contact: CallLeg) -> None:
        """Stay until the contact hangs up or a leg is dead; the agent may interrupt it.

        An agent may also hand over to another, who is the agent from then on.
        """
        async with contextlib.AsyncExitStack() as line:
            recording = None
            if self._plan.record:
                recording = CallRecording(self._equipment, self._journal, self._plan, contact)
                recording.agent_is(agent)
                await line.enter_async_context(alongside(recording.record()))
            while True:
                with holding(self._equipment.tones, self._journal, agent, contact):
                    ended_by = await self._first_to_end(agent, contact)
                if ended_by is not None:
                    self._decide(Outcome.CONNECTED, ended_by)
                    return
                if self._is_machine:
                    self._decide(Outcome.CONTACT_VOICEMAIL, EndedBy.SYSTEM)
                    self._joint.part()
                    await leave_machine(self._equipment, self._plan, agent, contact)
                    return
                if recording is not None:
                    recording.agent_is(None)
                target = await self._hand_over(line, agent, contact)
                if recording is not None:
                    recording.agent_is(target)
                if target is None:
                    return
                agent = target

    async def _first_to_end(self, agent: CallLeg, contact: CallLeg) -> EndedBy | None:
        """Wait for the end, and say by whom; None: the agent hands over, or a machine answered."""
        if agent.record.trunk_id is None:
            # A trunk has no business with whom else we call.
            agent.on_refer = self._wants_to_hand_over
        try:
            # Until then no leg can have been silent for so long: most calls need no further watch.
            ended_by = await self._until(_hung_up(contact), self._settings.silent_seconds)
            if ended_by is None and self._refer is None and not self._is_machine:
                ended_by = await self._until(self._first_to_vanish(agent, contact), None)
        finally:
            agent.on_refer = None
        return ended_by

    async def _first_to_vanish(self, agent: CallLeg, contact: CallLeg) -> EndedBy:
        dead = self._settings.silent_seconds
        assert dead is not None
        return await first_of(
            _hung_up(contact), _fell_silent(agent, dead), _fell_silent(contact, dead)
        )

    async def _until(
        self, end: Coroutine[Any, Any, EndedBy], seconds: float | None
    ) -> EndedBy | None:
        """Wait for an end; None: the time is up, or something else is to be done."""
        self._talking = talking = asyncio.timeout(seconds)
        try:
            async with talking:
                return await end
        except TimeoutError:
            if not talking.expired():
                raise
            return None
        finally:
            self._talking = None

    def _heard(
        self, contact: CallLeg, agent: CallLeg | None = None
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Listen for who answered while the block lasts, if the call is to have that told."""
        if self._plan.on_machine is None:
            return contextlib.nullcontext()
        other = None if agent is None else agent.media.port
        return alongside(tell_who_answered(contact.media.port, self._told_who_answered, other))

    def _told_who_answered(self, heard: Heard) -> None:
        self._journal.contact_heard(heard)
        if heard.answered_by is not AnsweredBy.MACHINE or self._verdict is not None:
            return
        if self._plan.on_machine is not OnMachine.HANG_UP:
            return
        talking = self._talking
        if talking is not None and not talking.expired():
            self._is_machine = True
            talking.reschedule(0)
        elif not self._journal.bridged:
            self._interrupt(Outcome.CONTACT_VOICEMAIL, EndedBy.SYSTEM)

    def _wants_to_hand_over(self, refer: Refer) -> bool:
        talking = self._talking
        if talking is None or talking.expired() or self._refer is not None:
            return False
        self._refer = refer
        talking.reschedule(0)
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
            self._equipment, self._journal, self._plan, self._transfers, agent, contact, refer
        )
        self._joint.part()
        try:
            async with alongside(self._contact_may_hang_up(contact)):
                target = await line.enter_async_context(transfer.target())
        except NotTransferred:
            if agent in self._gone:
                self._decide(Outcome.CONNECTED, EndedBy.AGENT)
                await self._tell_why(contact, Refusal.NO_ANSWER)
                return None
            self._agent = agent
            self._joint.join(agent, contact)
            return agent
        self._joint.join(target, contact)
        transfer.done()
        await line.enter_async_context(alongside(self._agent_may_hang_up(target)))
        await line.enter_async_context(alongside(self._dismiss(transfer)))
        await target.acknowledge(self._journal.transferred(target.record))
        return target

    async def _dismiss(self, transfer: Transfer) -> None:
        """Let the agent go who has handed over: others may ring it then."""
        await transfer.dismiss()
        user_id = transfer.agent.record.user_id
        if user_id is not None:
            self._agents.release(user_id)

    async def _attempt_is_marked(self) -> None:
        """Wait for the mark, mostly made long ago, after which nothing dials this call again."""
        marked = self._journal.attempt_marked
        assert marked is not None
        if not marked.done():
            await asyncio.wait((marked,), timeout=MARK_WITHIN_SECONDS)
        if not marked.done():
            raise NotRecorded
        marked.result()

    async def _tell_why(self, leg: CallLeg, refusal: Refusal) -> None:
        """Let whoever is on the line hear why the other was not reached, for a few seconds."""
        leg.media.port.play(self._tone(TONES[refusal]), loop=True)
        await asyncio.sleep(self._settings.tone_seconds)

    def _tone(self, tone: Tone) -> Playable:
        tones, country = self._equipment.tones, self._plan.contact.country
        if tone is Tone.SPECIAL_INFORMATION:
            return tones.special_information()
        return tones.busy(country) if tone is Tone.BUSY else tones.congestion(country)

    def _give_up_on_contact(self, refusal: Refusal) -> None:
        by = EndedBy.CONTACT if refusal in ENDS_ITSELF else EndedBy.SYSTEM
        self._decide(CONTACT_OUTCOMES[refusal], by, FAILURES.get(refusal))

    def _give_up_on_agents(self, nobody: NoAgent) -> None:
        refusal = nobody.refusal
        if refusal is None and self._plan.ring_group_id is not None:
            self._decide(Outcome.NO_AGENT_AVAILABLE, EndedBy.SYSTEM)
        elif refusal is None:
            # A user on another call is not rung at all.
            busy = self._plan.agents_busy
            outcome = Outcome.AGENT_BUSY if busy else Outcome.AGENT_UNREACHABLE
            self._decide(outcome, EndedBy.SYSTEM)
        else:
            by = EndedBy.AGENT if refusal in ENDS_ITSELF else EndedBy.SYSTEM
            self._decide(AGENT_OUTCOMES[refusal], by, FAILURES.get(refusal))

    def _decide_early(self, outcome: Outcome, ended_by: EndedBy) -> None:
        self._decide(Outcome.CONNECTED if self._journal.bridged else outcome, ended_by)

    def _decide(self, outcome: Outcome, ended_by: EndedBy, failure: str | None = None) -> None:
        """Say how the call ended; who speaks first is right."""
        if self._verdict is None:
            self._verdict = Verdict(outcome=outcome, ended_by=ended_by, failure=failure)
            self._journal.decided()

    def _fail(self, failure: str) -> None:
        self._decide(Outcome.FAILED, EndedBy.SYSTEM, failure)


async def _hung_up(contact: CallLeg) -> EndedBy:
    await contact.ended()
    return EndedBy.CONTACT


async def _fell_silent(leg: CallLeg, seconds: float) -> EndedBy:
    await leg.silent(seconds)
    return EndedBy.SYSTEM


def _in_words(error: Exception) -> str:
    """Say what went wrong on our side, for whoever reads the call's record."""
    cause: BaseException = error
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    if isinstance(cause, NoPortsLeft):
        return "no RTP port was free"
    if isinstance(cause, NotRecorded):
        return "the database did not take the attempt"
    if isinstance(cause, NotChecked):
        return "the database did not say whether the contact may still be called"
    return f"{type(cause).__name__}: {cause}"[:_MAX_FAILURE]
