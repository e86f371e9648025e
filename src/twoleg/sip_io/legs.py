"""The legs of a phone: what they ask of the core, and what the core tells them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twoleg.sip import (
    Answered,
    Credentials,
    DialogIdentity,
    Ended,
    Established,
    HeaderFields,
    InfoReceived,
    Invitation,
    Invited,
    InviteIdentity,
    LegGone,
    LocalProtocolError,
    OfferAnswered,
    Offered,
    OfferWanted,
    Progress,
    Reason,
    RefusalCause,
    Refused,
    RequestReceived,
    ResponseSpec,
    SessionRejected,
)
from twoleg.sip_io.core_loop import CoreLoop
from twoleg.sip_io.counters import Counters
from twoleg.sip_io.incoming import IncomingCall, IncomingCalls
from twoleg.sip_io.leg import NO_CHANGES, Info, Leg, Session

_NOT_ACCEPTABLE: Final = Reason("SIP", 488, "Not Acceptable Here")


class Legs:
    """All legs whose signalling is not over, by the core's number."""

    def __init__(self, running: CoreLoop, incoming: IncomingCalls, counters: Counters) -> None:
        self._running = running
        self._core = running.core
        self._incoming = incoming
        self._counters = counters
        self._legs: dict[int, Leg] = {}
        self._closed = False
        self.handlers: dict[type, Callable[[Any], None]] = {
            Progress: self._on_progress,
            Answered: self._on_answered,
            Established: self._on_established,
            Refused: self._on_refused,
            Ended: self._on_ended,
            Offered: self._on_offered,
            OfferWanted: self._on_offer_wanted,
            OfferAnswered: self._on_offer_answered,
            InfoReceived: self._on_info,
            Invited: self._on_invited,
        }

    def __len__(self) -> int:
        return len(self._legs)

    # What the phone asks for.

    def invite(self, invitation: Invitation, session: Session) -> Leg:
        """Send an INVITE. What cannot be sent gives a leg that is refused already."""
        self._counters.calls_placed += 1
        if self._closed:
            return self.unreachable(session, "the phone is closed")
        try:
            number = self._core.invite(invitation, self._running.now())
        except LocalProtocolError as error:
            return self.unreachable(session, str(error))
        leg = self._legs[number] = Leg(self, number, session)
        self._running.turn()
        return leg

    def unreachable(self, session: Session, why: str) -> Leg:
        """Give a leg that was refused before anything was sent."""
        leg = Leg(self, 0, session)
        leg.on_refused(Refused(0, 503, why, RefusalCause.TRANSPORT))
        return leg

    def end_dialog(
        self, identity: DialogIdentity, credentials: Credentials | None, reason: Reason | None
    ) -> Leg:
        """Send the BYE of another process's dialog. Raises InvalidValue, LocalProtocolError."""
        now = self._running.now()
        number = self._core.adopt(identity, now, credentials)
        leg = self._legs[number] = Leg(self, number, NO_CHANGES)
        self._core.hang_up(number, now, reason)
        self._running.turn()
        return leg

    def close(self) -> None:
        """Hang up every leg, and take no more."""
        self._closed = True
        for leg in list(self._legs.values()):
            self.hang_up(leg)

    # What a leg, or whoever takes an incoming call, asks for.

    def acknowledge(self, leg: Leg) -> None:
        self._core.acknowledge(leg.number, self._running.now())
        self._running.turn()

    def hang_up(self, leg: Leg, reason: Reason | None = None) -> None:
        if leg.number in self._legs and not leg.over:
            leg.abandon()
            self._core.hang_up(leg.number, self._running.now(), reason)
            self._running.turn()

    def invite_of(self, leg: Leg) -> InviteIdentity | None:
        return self._core.invite_under_way(leg.number)

    def ring_back(self, leg: Leg, status: int, body: bytes | None) -> None:
        self._core.ring_back(leg.number, self._running.now(), status, body)
        self._running.turn()

    def accept(self, leg: Leg, answer: bytes) -> None:
        self._core.accept(leg.number, self._running.now(), answer)
        self._running.turn()

    def reject(self, leg: Leg, status: int, reason: str) -> None:
        self._core.reject(leg.number, self._running.now(), status, reason)
        self._running.turn()

    def offer(self, leg: Leg, body: bytes) -> None:
        self._core.offer(leg.number, self._running.now(), body)
        self._running.turn()

    def send_info(self, leg: Leg, content_type: str, body: bytes) -> None:
        with suppress(LegGone):
            self._core.send_info(leg.number, self._running.now(), content_type, body)
            self._running.turn()

    def send_request(
        self, leg: Leg, method: str, headers: HeaderFields, body: bytes, content_type: str
    ) -> None:
        with suppress(LegGone):
            now = self._running.now()
            self._core.send_request(leg.number, now, method, headers, body, content_type)
            self._running.turn()

    # What the core tells.

    def _on_progress(self, event: Progress) -> None:
        leg = self._legs.get(event.leg)
        if leg is not None:
            leg.on_progress(event)

    def _on_answered(self, event: Answered) -> None:
        self._counters.calls_answered += 1
        leg = self._legs.get(event.leg)
        if leg is not None:
            leg.on_answered(event)

    def _on_established(self, event: Established) -> None:
        leg = self._legs.get(event.leg)
        if leg is None:
            return
        leg.on_established(event)
        if event.body:
            self._take_answer(leg, event.body)

    def _on_refused(self, event: Refused) -> None:
        self._counters.calls_refused += 1
        leg = self._legs.pop(event.leg, None)
        if leg is not None:
            leg.on_refused(event)

    def _on_ended(self, event: Ended) -> None:
        leg = self._legs.pop(event.leg, None)
        if leg is not None:
            leg.on_ended(event)

    def _on_offered(self, event: Offered) -> None:
        session = self._session_of(event.leg)
        self._describe(event.leg, lambda: session.answer_offer(event.body))

    def _on_offer_wanted(self, event: OfferWanted) -> None:
        self._describe(event.leg, self._session_of(event.leg).make_offer)

    def _session_of(self, number: int | None) -> Session:
        leg = None if number is None else self._legs.get(number)
        return NO_CHANGES if leg is None else leg.session

    def _describe(self, number: int, describe: Callable[[], bytes]) -> None:
        """Answer a peer that changes the session with what `describe` gives, or refuse it."""
        body, status = None, 500
        try:
            body = describe()
        except (SessionRejected, LocalProtocolError):
            status = 488
        finally:
            now = self._running.now()
            with suppress(LocalProtocolError):  # the callback may have hung up
                if body is None:
                    self._core.refuse_offer(number, now, status)
                else:
                    self._core.answer_offer(number, now, body)
            self._running.turn()

    def _on_offer_answered(self, event: OfferAnswered) -> None:
        leg = self._legs.get(event.leg)
        if leg is not None:
            self._take_answer(leg, event.body)

    def _take_answer(self, leg: Leg, body: bytes) -> None:
        """Hand over the answer to an offer of ours; one that is of no use ends the call."""
        try:
            leg.session.accept_answer(body)
        except SessionRejected:
            self.hang_up(leg, _NOT_ACCEPTABLE)

    def _on_info(self, event: InfoReceived) -> None:
        self._session_of(event.leg).take_info(Info(event.content_type, event.body))

    def on_request(self, event: RequestReceived) -> None:
        """Have the leg that a request came in say how it is answered."""
        status = 500
        try:
            status = self._session_of(event.leg).take_request(event.request)
        finally:
            self._core.respond(event.transaction, ResponseSpec(status), self._running.now())
            self._running.turn()

    def _on_invited(self, event: Invited) -> None:
        leg = Leg(self, event.leg, NO_CHANGES)
        call = IncomingCall(self, leg, event.request, event.flow)
        if self._closed or not self._incoming.put(call):
            self._counters.calls_overflowed += 1
            self._core.reject(event.leg, self._running.now(), 486)
            self._running.turn()
            return
        self._counters.calls_incoming += 1
        self._legs[event.leg] = leg
