"""Getting the contact on the line, and what the agent hears until then."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.concurrency import cancelled
from twoleg.calls.joint import Joint
from twoleg.calls.journal import Journal, Role
from twoleg.calls.leg_media import contact_codecs
from twoleg.calls.outcomes import Refusal, is_trunk_failure, refusal_of
from twoleg.calls.plan import ContactPlan, LegPlan
from twoleg.calls.ports import Equipment, TrunkFull
from twoleg.media import Codec
from twoleg.sip import InviteIdentity, Progress, SessionRejected
from twoleg.sip_io import LegRefused


class ContactNotReached(Exception):
    """The contact did not take the call."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


def first_invite(equipment: Equipment, plan: ContactPlan) -> InviteIdentity | None:
    """Decide how the INVITE over the first trunk will be known, so that it can be stored ahead."""
    if not plan.trunks:
        return None
    trunk = plan.trunks[0]
    return equipment.phone.identify(
        trunk.target, trunk.from_, trunk.to, trunk.destinations, trunk.routes
    )


def contact_on_the_line(
    equipment: Equipment,
    journal: Journal,
    plan: ContactPlan,
    agent: CallLeg | None,
    joint: Joint,
) -> AbstractAsyncContextManager[CallLeg]:
    """Ring the contact while the agent waits; its leg, and the bridge, last as long as the body.

    Without an agent yet there is no bridge.

    The body begins in the same turn of the event loop as the contact's answer, and the two hear
    each other by then. The answer is still to be acknowledged. Entering raises ContactNotReached.
    """
    return _Ringing(equipment, journal, plan, agent, joint)


@dataclass(slots=True, eq=False)
class _Ringing:
    """The contact being rung over one trunk after another, until one of them rings it.

    `_contact` is the leg that is rung now, `_joined` says whether its bridge is there. `_early`
    waits for what the network plays before the answer.
    """

    equipment: Equipment
    journal: Journal
    plan: ContactPlan
    agent: CallLeg | None
    joint: Joint
    _contact: CallLeg | None = field(default=None, init=False)
    _early: asyncio.Task[None] | None = field(default=None, init=False)
    _joined: bool = field(default=False, init=False)

    async def __aenter__(self) -> CallLeg:
        # From now on, and not from the first 180: nothing frightens like silence.
        if self.agent is not None:
            ringback = self.equipment.tones.ringback(self.plan.country)
            self.agent.media.port.play(ringback, loop=True)
        try:
            with self.equipment.limits.within(self.plan.ring_seconds):
                return await self._ring_over_trunks()
        except BaseException:
            await self._leave()
            raise
        await self._leave()
        raise ContactNotReached(Refusal.NO_ANSWER if self._rang else Refusal.UNREACHABLE)

    def __aexit__(self, *error: object) -> Coroutine[Any, Any, None]:
        return self._leave()

    async def _leave(self) -> None:
        """Part the two, and hang up what is left of the contact's leg. Idempotent."""
        try:
            if self._joined:
                self._joined = False
                self.joint.part()
        finally:
            if self._contact is not None:
                await self._contact.leave()

    async def _ring_over_trunks(self) -> CallLeg:
        refusal = Refusal.UNREACHABLE
        for trunk in self.plan.trunks:
            try:
                return await self._ring(trunk)
            except LegRefused as refused:
                refusal = refusal_of(refused, rang=self._rang)
                if self._rang or not is_trunk_failure(refused):
                    break
            except TrunkFull:
                refusal = Refusal.BLOCKED
            except SessionRejected:
                # It was answered: another attempt would ring the contact twice.
                refusal = Refusal.UNREACHABLE
                break
            await self._leave()
        raise ContactNotReached(refusal)

    async def _ring(self, trunk: LegPlan) -> CallLeg:
        codecs = trunk.codecs
        if self.agent is not None:
            codecs = contact_codecs(self.agent.media.codec or Codec.PCMU, codecs)
        # Known ahead is the first INVITE alone.
        invite, self.journal.contact_invite = self.journal.contact_invite, None
        contact = self._contact = CallLeg(
            self.equipment, self.journal, Role.CONTACT, trunk, stored_invite=invite
        )
        await contact.ring(codecs, self.agent)
        self.journal.contact_ringing()
        # Until it answers, what the network plays is passed on.
        contact.on_progress = self._progressed
        try:
            await contact.answered()
        finally:
            contact.on_progress = None
            if self._early is not None:
                await cancelled((self._early,))
        if self._early is not None and not self._early.cancelled():
            self._early.result()
        self._join(contact)
        return contact

    def _progressed(self, progress: Progress) -> None:
        contact = self._contact
        if contact is None or not progress.body:
            return
        if contact.media.accept_early_answer(progress.body) and self._early is None:
            self._early = asyncio.create_task(self._play_early(contact))

    @property
    def _rang(self) -> bool:
        return self._contact is not None and self._contact.rang

    async def _play_early(self, contact: CallLeg) -> None:
        # Many networks describe a stream and then send none (RFC 3960 3.2).
        await contact.media.port.first_packet()
        self._join(contact)

    def _join(self, contact: CallLeg) -> None:
        if self.agent is not None and not self._joined:
            self._joined = True
            self.joint.join(self.agent, contact)
