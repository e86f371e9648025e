"""A two-legged call, from its first ring to its record, as one coroutine to read aloud."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from twoleg.calls.agents import AgentSource, NoAgent, NobodyElse, agent_on_the_line
from twoleg.calls.answering import tell_who_answered
from twoleg.calls.call_leg import CallLeg
from twoleg.calls.concurrency import alongside
from twoleg.calls.contact import ContactNotReached, contact_on_the_line, first_invite
from twoleg.calls.decision import Decision
from twoleg.calls.failure_tones import TONE_SECONDS, tell_why
from twoleg.calls.joint import Joint
from twoleg.calls.journal import (
    SYSTEM_CLOCK,
    ClaimLost,
    Clock,
    Journal,
    RecordWriter,
)
from twoleg.calls.outcomes import EndedBy, Outcome, Refusal
from twoleg.calls.phrases import Phrase, language_for
from twoleg.calls.plan import CallPlan, OnMachine
from twoleg.calls.ports import (
    DialCheck,
    Equipment,
    NotChecked,
    Transfers,
)
from twoleg.calls.talk import Talk
from twoleg.calls.whisper import prepare_whisper, whisper
from twoleg.media import AnsweredBy, NoPortsLeft
from twoleg.media import Verdict as Heard

MARK_WITHIN_SECONDS: Final = 10.0
"""How long an agent on the line waits for a database that is away, before the contact is rung."""

SILENT_SECONDS: Final = 60.0
"""A leg without RTP for so long is dead."""

CHECK_AFTER_SECONDS: Final = 5.0
"""A call this old is checked again before it is dialled; a younger one was checked just now."""

_MAX_FAILURE: Final = 200
_NOBODY_ELSE: Final = NobodyElse()
_NOT_HEARD: Final = contextlib.nullcontext()

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


_DEFAULTS: Final = StorySettings()


class Story:
    """One call. `run` it once; `hang_up` ends it at any time, and so does cancelling `run`."""

    __slots__ = (
        "_agents",
        "_check",
        "_decision",
        "_equipment",
        "_joint",
        "_journal",
        "_plan",
        "_settings",
        "_talk",
    )

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
        self._agents = agents or _NOBODY_ELSE
        self._equipment = equipment
        self._journal = Journal(plan, writer, clock or SYSTEM_CLOCK)
        self._settings = settings or _DEFAULTS
        self._joint = Joint(equipment.plane)
        self._decision = Decision(plan, self._journal, equipment.limits)
        self._talk = Talk(
            plan=plan,
            equipment=equipment,
            journal=self._journal,
            joint=self._joint,
            decision=self._decision,
            agents=self._agents,
            transfers=transfers,
            silent_seconds=self._settings.silent_seconds,
            tone_seconds=self._settings.tone_seconds,
        )

    async def run(self) -> None:
        """Place the call and stay with it to its end; its record is closed whatever happens.

        Raises nothing but CancelledError: it was cancelled, as an engine that stops does.
        """
        try:
            if self._plan.hangup_requested:
                self.hang_up()
            elif self._plan.expired:
                self._decision.decide(Outcome.EXPIRED, EndedBy.SYSTEM)
            if self._decision.verdict is None:
                with self._decision.time as time:
                    if self._has_waited:
                        await self._check_again()
                    await self.tell()
                if time.expired:
                    # Whoever interrupted has decided; if nobody did, the time is up.
                    self._decision.interrupt(Outcome.EXPIRED, EndedBy.SYSTEM)
        except Blocked as blocked:
            self._decision.decide(Outcome.BLOCKED, EndedBy.SYSTEM, blocked.rule)
        except asyncio.CancelledError:
            self._decision.fail("the engine was stopped")
            raise
        except ClaimLost:
            _log.warning("another engine has the call", extra={"call_id": self._plan.call_id})
        except Exception as error:  # noqa: BLE001  # the record says so, whatever it is
            _log.exception("call failed", extra={"call_id": self._plan.call_id})
            self._decision.fail(_in_words(error))
        finally:
            # Without a verdict the record is another engine's to close.
            if self._decision.verdict is not None:
                self._journal.end(self._decision.verdict)

    def hang_up(self) -> None:
        """End the call because the API was asked to. Returns at once; idempotent."""
        self._decision.interrupt(Outcome.CANCELED, EndedBy.API)

    def disposed(self, disposition: str | None, notes: str | None) -> None:
        """Tell what people say that the call came to. Returns at once; idempotent."""
        self._journal.disposed(disposition, notes)

    def tell(self) -> Coroutine[Any, Any, None]:
        """Bring the two together, in the order that the plan has; `run` looks after the rest."""
        first = self._tell_contact_first if self._plan.contact_first else self._tell_agent_first
        return first() if self._plan.whisper_prompt_id is None else self._tell_with_whisper(first)

    async def _tell_with_whisper(self, first: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with alongside(prepare_whisper(self._equipment, self._plan)):
            await first()

    async def _tell_agent_first(self) -> None:
        """Ring an agent, ring the contact, let them talk."""
        try:
            async with agent_on_the_line(
                self._equipment, self._journal, self._plan, self._agents
            ) as agent:
                self._talk.agent_is(agent)
                self._foresee_contact()
                await agent.acknowledge(self._journal.agent_connected(agent.record))
                if self._plan.whisper_prompt_id is not None:
                    await whisper(self._equipment, self._plan, agent)
                await self._attempt_is_marked()
                await self._connect(agent)
        except NoAgent as nobody:
            self._decision.agents_missed(nobody)

    async def _tell_contact_first(self) -> None:
        """Ring the contact, ring an agent while it is comforted, let them talk."""
        journal = self._journal
        await self._contact_is_first()
        try:
            async with (
                contact_on_the_line(
                    self._equipment, journal, self._plan.contact, None, self._joint
                ) as contact,
                self._heard(contact),
                alongside(self._talk.contact_may_leave(contact)),
                alongside(self._comfort(contact)),
            ):
                await contact.acknowledge(journal.contact_answered(contact.record))
                await self._find_agent_for(contact)
        except ContactNotReached as missed:
            self._decision.contact_missed(missed.refusal)

    async def _find_agent_for(self, contact: CallLeg) -> None:
        journal, plan = self._journal, self._plan
        try:
            async with agent_on_the_line(
                self._equipment, journal, plan, self._agents, contact
            ) as agent:
                self._talk.agent_is(agent)
                if plan.whisper_prompt_id is not None:
                    await agent.acknowledge(journal.agent_answered(agent.record))
                    await whisper(self._equipment, plan, agent)
                with contextlib.ExitStack() as joined:
                    joined.callback(self._joint.part)
                    self._joint.join(agent, contact)
                    await agent.acknowledge(journal.agent_joined(agent.record))
                    await self._talk.go_on(agent, contact)
        except NoAgent as nobody:
            self._decision.agents_missed(nobody)
            await self._tell_why(contact, Refusal.NO_ANSWER)

    async def _comfort(self, contact: CallLeg) -> None:
        """Let a contact that waits for an agent hear a word, and then that it rings."""
        port, where = contact.media.port, self._plan.contact
        language = language_for(where.language, where.country)
        await port.play(self._equipment.phrases.phrase(Phrase.COMFORT, language)).finished()
        if self._decision.verdict is None and not self._journal.bridged:
            port.play(self._equipment.tones.ringback(where.country), loop=True)

    async def _connect(self, agent: CallLeg) -> None:
        journal = self._journal
        try:
            if self._has_waited:
                await self._check_again(agent)
            async with (
                contact_on_the_line(
                    self._equipment, journal, self._plan.contact, agent, self._joint
                ) as contact,
                self._heard(contact, agent),
            ):
                agent.record.invite = None  # the contact's, which has its answer
                await contact.acknowledge(journal.contact_connected(contact.record))
                await self._talk.go_on(agent, contact)
        except ContactNotReached as missed:
            self._decision.contact_missed(missed.refusal)
            await self._tell_why(agent, missed.refusal)
        except Blocked as blocked:
            self._decision.decide(Outcome.BLOCKED, EndedBy.SYSTEM, blocked.rule)
            await self._tell_why(agent, Refusal.BLOCKED)

    @property
    def _has_waited(self) -> bool:
        """Whether the call is to be looked at again before the contact is dialled."""
        return self._check is not None and self._journal.age_seconds >= CHECK_AFTER_SECONDS

    async def _check_again(self, agent: CallLeg | None = None) -> None:
        """Have a call that has waited looked at again. Raises Blocked, NotChecked."""
        assert self._check is not None
        rule = await self._check.objection(None if agent is None else agent.record.user_id)
        if rule is not None:
            raise Blocked(rule)

    def _heard(
        self, contact: CallLeg, agent: CallLeg | None = None
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Listen for who answered while the block lasts, if the call is to have that told."""
        if self._plan.on_machine is None:
            return _NOT_HEARD
        other = None if agent is None else agent.media.port
        return alongside(tell_who_answered(contact.media.port, self._told_who_answered, other))

    def _told_who_answered(self, heard: Heard) -> None:
        self._journal.contact_heard(heard)
        if heard.answered_by is not AnsweredBy.MACHINE or self._decision.verdict is not None:
            return
        if self._plan.on_machine is not OnMachine.HANG_UP:
            return
        if not self._talk.machine_answered() and not self._journal.bridged:
            self._decision.interrupt(Outcome.CONTACT_VOICEMAIL, EndedBy.SYSTEM)

    def _foresee_contact(self) -> None:
        """Decide what another engine would have to know to cancel the contact's INVITE."""
        self._journal.contact_invite = first_invite(self._equipment, self._plan.contact)

    async def _contact_is_first(self) -> None:
        """Mark that the contact is to be rung before any agent."""
        self._foresee_contact()
        self._journal.contact_is_first()
        await self._attempt_is_marked()

    async def _attempt_is_marked(self) -> None:
        """Wait for the mark, mostly made long ago, after which nothing dials this call again."""
        marked = self._journal.attempt_marked
        assert marked is not None
        if marked.done():
            marked.result()
            return
        with self._equipment.limits.within(MARK_WITHIN_SECONDS):
            await marked
            return
        raise NotRecorded

    async def _tell_why(self, leg: CallLeg, refusal: Refusal) -> None:
        tones, country = self._equipment.tones, self._plan.contact.country
        await tell_why(tones, country, leg, refusal, self._settings.tone_seconds)


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
