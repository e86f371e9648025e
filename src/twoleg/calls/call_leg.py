"""A leg of a call: its signalling, its media and its record, opened and closed together."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from twoleg.calls.journal import Journal, LegRecord, Role
from twoleg.calls.leg_media import LegMedia, info_of
from twoleg.calls.plan import LegPlan
from twoleg.calls.ports import Equipment, Leg
from twoleg.media import Codec, KeyAgreement, Quality
from twoleg.sip import (
    Invitation,
    InviteIdentity,
    Progress,
    Reason,
    SessionRejected,
)
from twoleg.sip_io import LegEnd, LegRefused

RINGING: Final = 180
"""The first status that says that whom we ring has been found (RFC 3261 21.1.2)."""

ACKNOWLEDGE_WITHIN_SECONDS: Final = 0.2
"""How long an ACK waits for the database: far below the answering side's first retransmission."""

_NOT_ACCEPTABLE: Final = Reason("SIP", 488, "Not Acceptable Here")
_FRACTIONS: Final = ("jitter_ms", "round_trip_ms", "mos", "far_jitter_ms")
_MAX_REASON: Final = 200
"""Characters of a far end's reason that the record keeps."""


@dataclass(slots=True, eq=False)
class CallLeg:
    """A far end: `ring` it once, `leave` it whatever comes of that."""

    equipment: Equipment
    journal: Journal
    role: Role
    plan: LegPlan
    user_id: int | None = None
    stored_invite: InviteIdentity | None = None
    """The INVITE that another engine would find stored, in this leg's record or before it.

    Given where it is stored before the leg is rung, and then as it will be known.
    """

    record: LegRecord = field(init=False)
    media: LegMedia = field(init=False)
    signalling: Leg = field(init=False)

    rang: bool = False
    """Whether we were told that its phone rings."""

    on_progress: Callable[[Progress], None] | None = None
    """Told of each word of its ringing, once we have taken it."""

    acknowledged: bool = False
    """Whether the ACK of its answer has left."""

    failure: str | None = None
    """Why it has no audio, which is why we have ended it."""

    gone: bool = False
    """Whether it is over, if that was to be told."""

    _tell_end: Callable[["CallLeg", LegEnd], None] | None = field(default=None, init=False)
    _is_placed: bool = field(default=False, init=False)
    _spans: tuple[AbstractAsyncContextManager[Any], ...] = field(default=(), init=False)
    """The place on the trunk, and the port: left in the reverse order, after the signalling."""

    async def ring(self, codecs: tuple[Codec, ...], other: "CallLeg | None" = None) -> None:
        """Ring the far end; `other` is the leg on the line that it may be joined to.

        Raises TrunkFull, and what the media plane has to say when it has no port: NoPortsLeft,
        OSError.
        """
        equipment, plan = self.equipment, self.plan
        if plan.is_limited and plan.trunk_id is not None and equipment.trunks is not None:
            place = equipment.trunks.place(plan.trunk_id, self.journal.plan.call_id)
            await place.__aenter__()
            self._spans += (place,)
        agreement = _agreement(plan)
        opening = equipment.plane.open_port(None if other is None else other.media.port, agreement)
        port = await opening.__aenter__()
        self._spans += (opening,)
        media = self.media = LegMedia(port, codecs, agreement)
        self.signalling = await equipment.phone.place(self._invitation(media.make_offer()), media)
        self._is_placed = True
        self.record = self.journal.open_leg(self.role, plan, self.user_id)
        if self.note_invite():
            self.journal.changed(self.record)
        port.listener = self
        self.signalling.when_progress(self.progressed)

    def _invitation(self, offer: bytes) -> Invitation:
        plan = self.plan
        return Invitation(
            target=plan.target,
            from_=plan.from_,
            to=plan.to,
            body=offer,
            destinations=plan.destinations,
            routes=plan.routes,
            flow=plan.flow,
            headers=plan.headers,
            credentials=plan.credentials,
            follow_redirects=plan.max_redirects,
            response_seconds=plan.response_seconds,
            secure=plan.encrypted,
            identity=self.stored_invite,
        )

    async def leave(self) -> None:
        """Close the record, hang up and leave all that was entered, whatever goes wrong at one.

        Idempotent.
        """
        try:
            if self._is_placed:
                self._is_placed = False
                try:
                    if self._tell_end is not None:
                        # What the signalling calls back would keep the leg, and itself, in a ring.
                        self._tell_end = None
                        self.signalling.when_ended(None)
                    self.close_record()
                finally:
                    self.signalling.hang_up()
            while self._spans:
                span, self._spans = self._spans[-1], self._spans[:-1]
                await span.__aexit__(None, None, None)
        finally:
            if self._spans:
                await self.leave()

    def progressed(self, progress: Progress) -> None:
        """Take a word of its ringing; the signalling says so."""
        if self.note_invite():
            self.journal.leg_changed(self.record)
        if progress.status >= RINGING:
            self.rang = True
            if self.record.trunk_id is not None:
                self.equipment.health.works(self.record.trunk_id)
        if self.on_progress is not None:
            self.on_progress(progress)

    def note_invite(self) -> bool:
        """Keep the INVITE that rings now, if it is not stored: a challenge, say, makes a new one.

        Tells whether the record is to be written.
        """
        invite, stored = self.signalling.invite, self.stored_invite
        if invite is None or (stored is not None and invite.branch == stored.branch):
            return False
        self.stored_invite = invite
        self.record.invite = invite.to_json()
        return True

    async def answered(self) -> None:
        """Wait for the answer and connect the media. Raises LegRefused, SessionRejected.

        `acknowledge` must follow.
        """
        record = self.record
        try:
            answer = await self.signalling.answered()
            record.invite = self.stored_invite = None
            record.sip_status = answer.status
            if record.trunk_id is not None:
                self.equipment.health.works(record.trunk_id)
            self.media.accept_answer(answer.body)
        except LegRefused as refused:
            record.invite = self.stored_invite = None
            record.sip_status = refused.status
            record.q850_cause = refused.q850
            record.reason = self.failure or refused.reason[:_MAX_REASON] or None
            if record.trunk_id is not None:
                self.equipment.health.refused(record.trunk_id, refused)
            raise
        except SessionRejected as rejected:
            self.hang_up(_NOT_ACCEPTABLE)
            record.reason = rejected.reason[:_MAX_REASON]
            raise
        codec = self.media.codec
        record.answered_at = self.journal.clock.now()
        record.codec = None if codec is None else codec.encoding
        record.dialog = answer.identity.to_json()
        self.journal.changed(record)
        if self.journal.is_followed:
            self.journal.log_leg("leg is answered", record, sip_call_id=answer.identity.call_id)

    async def acknowledge(self, stored: asyncio.Future[None]) -> None:
        """ACK the answer once what a BYE needs is stored; a database that is away ends no call.

        An answer that was acknowledged before is not again. Raises what `stored` does.
        """
        if stored.done():
            stored.result()
        else:
            with self.equipment.limits.within(ACKNOWLEDGE_WITHIN_SECONDS):
                await stored
        if not self.acknowledged:
            self.acknowledged = True
            self.signalling.acknowledge()

    async def ended(self) -> LegEnd:
        """Wait until the answered leg is over, by whichever side."""
        return self._noted(await self.signalling.ended())

    def when_ended(self, tell: Callable[["CallLeg", LegEnd], None]) -> None:
        """Have `tell` called at the end of the answered leg, or soon, if it is over.

        It is not told of a leg that we have left.
        """
        self._tell_end = tell
        self.signalling.when_ended(self._ended)

    def _ended(self, end: LegEnd) -> None:
        self.gone = True
        end = self._noted(end)
        if self._tell_end is not None:
            self._tell_end(self, end)

    def _noted(self, end: LegEnd) -> LegEnd:
        if self.failure is not None:
            end = LegEnd(
                by_remote=False, status=None, q850=None, reason=self.failure, vanished=True
            )
        self.record.q850_cause = end.q850
        self.record.reason = (end.reason or "")[:_MAX_REASON] or None
        return end

    async def silent(self, seconds: float) -> None:
        """Wait until no audio came for so long, although some should."""
        await self.media.port.silent(seconds)
        self.record.reason = f"no audio for {seconds:g} s"

    def send_digit(self, digit: str) -> None:
        """Tell the far end of a digit by INFO, as gateways without telephone-event take it."""
        content_type, body = info_of(digit)
        self.signalling.send_info(content_type, body)

    def media_failed(self, why: str) -> None:
        """End the leg because it has no audio; the port says so."""
        self.failure = why[:_MAX_REASON]
        self.hang_up(Reason("SIP", _NOT_ACCEPTABLE.cause, self.failure))

    def hang_up(self, reason: Reason) -> None:
        """End the leg now, if it is rung, and say why; `leave` ends it without a reason."""
        if self._is_placed:
            self.record.reason = reason.text
            self.signalling.hang_up(reason)

    def close_record(self) -> None:
        """Note the leg's end in its record, which is written with the call's next change.

        A leg whose end was noted before keeps it.
        """
        record = self.record
        if record.ended_at is not None:
            return
        record.ended_at = self.journal.clock.now()
        record.invite = record.dialog = None
        if record.sip_status is None and record.reason is None:
            record.reason = "Canceled"
        if record.answered_at is not None:
            record.quality = _figures(self.media.port.quality())
        self.journal.changed(record)
        if self.journal.is_followed:
            told = {"sip_status": record.sip_status, "reason": record.reason}
            self.journal.log_leg("leg is over", record, **told)


def _agreement(plan: LegPlan) -> KeyAgreement | None:
    """Say how a leg comes by the keys of its audio; None: it is plain RTP."""
    if plan.is_browser:
        return KeyAgreement.DTLS
    return KeyAgreement.SDES if plan.encrypted else None


def _figures(quality: Quality) -> dict[str, Any]:
    figures = quality._asdict()
    for name in _FRACTIONS:
        if figures[name]:
            figures[name] = round(figures[name], 3)
    return figures
