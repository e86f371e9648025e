"""One leg of a call as something to await: a thin view of the core's events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from twoleg.sip import (
    Answered,
    DialogIdentity,
    Ended,
    Established,
    HeaderFields,
    InviteIdentity,
    Progress,
    Reason,
    RefusalCause,
    Refused,
    Request,
    SessionRejected,
)
from twoleg.sip.values import immutable

if TYPE_CHECKING:
    from twoleg.sip_io.legs import Legs

FORBIDDEN: Final = 403


@immutable()
class Answer:
    """A 2xx to our INVITE: its SDP, and what a later BYE needs."""

    status: int
    body: bytes
    identity: DialogIdentity


@immutable()
class LegEnd:
    """How an answered leg ended. `vanished`: the far end sent no BYE, it is just gone."""

    by_remote: bool
    status: int | None
    q850: int | None
    reason: str | None
    vanished: bool = False


@immutable()
class Info:
    """A SIP INFO within the call (RFC 6086), as DTMF comes from some phones."""

    content_type: str
    body: bytes


class Session:
    """How what the far end wants later is dealt with: this one goes on as it was agreed on."""

    __slots__ = ()

    def answer_offer(self, offer: bytes) -> bytes:
        """Answer an offer of the far end's: hold, a change of codec. Raises SessionRejected."""
        del offer
        raise SessionRejected("the session is not to be changed")

    def make_offer(self) -> bytes:
        """Make the offer that the far end asks for. Raises SessionRejected, LocalProtocolError."""
        raise SessionRejected("the session is not to be changed")

    def accept_answer(self, answer: bytes) -> None:
        """Take what the far end answers to an offer of ours. Raises SessionRejected."""

    def take_info(self, info: Info) -> None:
        """Take an INFO, which has been answered by then."""

    def take_request(self, request: Request) -> int:
        """Take a request of `PhoneConfig.dialog_methods`; give the status that answers it."""
        del request
        return FORBIDDEN


NO_CHANGES: Final = Session()


class LegRefused(Exception):
    """The far end did not take the call; `retry_after` is in seconds."""

    def __init__(
        self,
        status: int,
        reason: str,
        cause: RefusalCause,
        q850: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.cause = cause
        self.q850 = q850
        self.retry_after = retry_after


class Leg:
    """A call to one far end, from INVITE to BYE.

    Every wait may be given up at any time, and several tasks may wait at once. Nothing here
    blocks except the coroutines, and those end with the leg.
    """

    __slots__ = (
        "_answer",
        "_end",
        "_established",
        "_invite",
        "_legs",
        "_refusal",
        "_tell_end",
        "_tell_progress",
        "_waiters",
        "number",
        "session",
    )

    def __init__(self, legs: Legs, number: int, session: Session) -> None:
        self._legs = legs
        self._waiters: tuple[asyncio.Future[None], ...] = ()
        self._answer: Answer | None = None
        self._refusal: Refused | None = None
        self._end: LegEnd | None = None
        self._invite: InviteIdentity | None = None
        self._established: DialogIdentity | None = None
        self._tell_end: Callable[[LegEnd], None] | None = None
        self._tell_progress: Callable[[Progress], None] | None = None
        self.number = number
        self.session = session

    @property
    def identity(self) -> DialogIdentity | None:
        """What a later BYE needs; None until the leg is answered."""
        return self._answer.identity if self._answer else self._established

    @property
    def invite(self) -> InviteIdentity | None:
        """What a CANCEL from another process needs; None unless the far end is being rung.

        Of several INVITEs (a challenge, another destination) it is that of the newest progress.
        """
        if self._invite is None:
            self._invite = self._legs.invite_of(self)
        return self._invite

    def when_progress(self, tell: Callable[[Progress], None]) -> None:
        """Have `tell` called with each provisional response above 100 in the moment it comes.

        Nobody waits for those: what counts in the end is the answer.
        """
        self._tell_progress = tell

    async def answered(self) -> Answer:
        """Wait for the answer; `acknowledge` must follow. Raises LegRefused."""
        while self._answer is None:
            refusal = self._refusal
            if refusal is not None:
                raise LegRefused(
                    refusal.status,
                    refusal.reason,
                    refusal.cause,
                    refusal.q850,
                    refusal.retry_after,
                )
            await self._change()
        return self._answer

    async def ended(self) -> LegEnd:
        """Wait for the end of the call, by whichever side. Raises LegRefused if never answered."""
        while self._end is None:
            if self._refusal is not None:
                await self.answered()
            await self._change()
        return self._end

    def when_ended(self, tell: Callable[[LegEnd], None] | None) -> None:
        """Have `tell` called in the moment of the answered leg's end, or soon, if it is over.

        For who does something else meanwhile: `ended` takes a task. None: nobody is told.
        """
        self._tell_end = tell
        if self._end is not None and tell is not None:
            asyncio.get_running_loop().call_soon(self._has_ended, self._end)

    def acknowledge(self) -> None:
        """Let the ACK of the answer leave. Call it once, after `answered`."""
        self._legs.acknowledge(self)

    def hang_up(self, reason: Reason | None = None) -> None:
        """End the leg, whatever state it is in: CANCEL, BYE, or nothing. Never blocks."""
        self._legs.hang_up(self, reason)

    def send_info(self, content_type: str, body: bytes) -> None:
        """Send an INFO; what comes of it is nobody's concern. A leg that is over sends none."""
        self._legs.send_info(self, content_type, body)

    def send_request(
        self, method: str, headers: HeaderFields, body: bytes = b"", content_type: str = ""
    ) -> None:
        """Send any request within the call, as `send_info` does."""
        self._legs.send_request(self, method, headers, body, content_type)

    def on_progress(self, event: Progress) -> None:
        if self._invite is not None and self._invite.branch != event.response.branch:
            self._invite = None
        if self._tell_progress is not None:
            self._tell_progress(event)

    def on_answered(self, event: Answered) -> None:
        self._answer = Answer(event.status, event.body, event.identity)
        self._invite = self._tell_progress = None  # it rings no more
        self._wake()

    def on_established(self, event: Established) -> None:
        self._established = event.identity
        self._wake()

    def on_refused(self, event: Refused) -> None:
        if not self.over:
            self._refuse(event)
        self._wake()

    def on_ended(self, event: Ended) -> None:
        if self._end is None:
            self._has_ended(
                LegEnd(event.by_remote, event.status, event.q850, event.reason, event.vanished)
            )
        self._wake()

    def abandon(self) -> None:
        """Note that we hang up: nobody need wait for the far end's last word."""
        if self._answer is not None or self._established is not None:
            self._has_ended(LegEnd(False, None, None, None))
        else:
            self._refuse(Refused(self.number, 487, "Canceled", RefusalCause.CANCELED))
        self._wake()

    async def established(self) -> bool:
        """Wait until the caller has acknowledged our answer; False: it never will."""
        while self._established is None:
            if self.over:
                return False
            await self._change()
        return True

    def offer(self, body: bytes) -> None:
        """Offer a new session: hold, resume. The answer goes to the session's `accept_answer`.

        Raises LegGone, LocalProtocolError.
        """
        self._legs.offer(self, body)

    @property
    def over(self) -> bool:
        """Whether nothing of this leg is left to hang up."""
        return self._end is not None or self._refusal is not None

    def _refuse(self, refusal: Refused) -> None:
        self._refusal = refusal
        self._invite = self._tell_progress = None  # it rings no more

    def _has_ended(self, end: LegEnd) -> None:
        self._end = end
        tell, self._tell_end = self._tell_end, None
        if tell is not None:
            tell(end)

    def _change(self) -> asyncio.Future[None]:
        """Give what is done at the next word of the far end's but its ringing; await it at once."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Whoever has given up waiting is done too.
        self._waiters = (*[each for each in self._waiters if not each.done()], waiter)
        return waiter

    def _wake(self) -> None:
        if not self._waiters:
            return
        waiters, self._waiters = self._waiters, ()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
