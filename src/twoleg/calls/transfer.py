"""Blind transfer: an agent's phone hands the contact over to somebody else (RFC 3515)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

from twoleg.calls.agents import NoAgent, agent_on_the_line
from twoleg.calls.call_leg import CallLeg
from twoleg.calls.journal import Journal
from twoleg.calls.outcomes import Refusal
from twoleg.calls.plan import CallPlan
from twoleg.calls.ports import Equipment, Transfers, TransferTarget
from twoleg.media import NoPortsLeft
from twoleg.sip import SIPFRAG, Reason, Refer, refer_news

TRYING: Final = 100
RINGING: Final = 180
DONE: Final = 200
NOT_FOUND: Final = 404

_STATUSES: Final = {
    Refusal.NO_ANSWER: 408,
    Refusal.BUSY: 486,
    Refusal.DECLINED: 603,
    Refusal.UNREACHABLE: 480,
    Refusal.INVALID_NUMBER: 404,
    Refusal.NOT_CONFIRMED: 480,
    Refusal.BLOCKED: 503,
}
"""What an agent's phone is told of why nobody took the call over."""

GOODBYE_SECONDS: Final = 2.0
"""How long a phone that has handed its call over may take for its BYE."""

FIND_SECONDS: Final = 5.0
"""How long the target is looked for."""

TRANSFERRED: Final = Reason("SIP", 200, "Call transferred")


class NotTransferred(Exception):
    """Nobody took the call over; the phone that asked has been told."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


@dataclass(slots=True, eq=False)
class Transfer:
    """One REFER of an agent's phone, and what becomes of it."""

    equipment: Equipment
    journal: Journal
    plan: CallPlan
    transfers: Transfers | None
    agent: CallLeg
    contact: CallLeg
    refer: Refer
    _rang: bool = field(default=False, init=False)

    @asynccontextmanager
    async def target(self) -> AsyncIterator[CallLeg]:
        """Ring whom the phone named, while the contact hears it ring; their leg lasts as the body.

        Its answer may still have to be acknowledged. Raises NotTransferred.
        """
        self._tell(TRYING)
        ringback = self.equipment.tones.ringback(self.plan.contact.country)
        self.contact.media.port.play(ringback, loop=True)
        found = await self._find()
        if found is None:
            self._fail(NOT_FOUND)
            raise NotTransferred(Refusal.INVALID_NUMBER)
        plan = replace(self.plan, rounds=())
        ringing = agent_on_the_line(
            self.equipment, self.journal, plan, found, self.contact, self._rings
        )
        taken = False
        try:
            async with ringing as target:
                taken = True
                yield target
        except NoAgent as nobody:
            if taken:
                raise
            refusal = nobody.refusal or found.nobody
            self._fail(_STATUSES[refusal])
            raise NotTransferred(refusal) from None
        except (NoPortsLeft, OSError):
            if taken:
                raise
            self._fail(_STATUSES[Refusal.BLOCKED])
            raise NotTransferred(Refusal.BLOCKED) from None
        finally:
            if not taken:
                found.give_up()

    def done(self) -> None:
        """Tell the phone that it is out of the call."""
        self._tell(DONE)

    async def dismiss(self) -> None:
        """Wait for the phone's BYE, and send ours if it has none."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self.agent.ended()
        self.agent.hang_up(TRANSFERRED)
        self.agent.close_record()
        self.journal.leg_changed(self.agent.record)

    async def _find(self) -> TransferTarget | None:
        if self.transfers is None:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(FIND_SECONDS):
                return await self.transfers.find(self.refer.wanted, self.agent.record.user_id)
        return None

    def _rings(self) -> None:
        if not self._rang:
            self._rang = True
            self._tell(RINGING)

    def _fail(self, status: int) -> None:
        self._tell(status)
        self.journal.note("call.transfer_failed", {"status": status})

    def _tell(self, status: int) -> None:
        headers, body = refer_news(self.refer, status)
        self.agent.signalling.send_request("NOTIFY", headers, body, SIPFRAG)
