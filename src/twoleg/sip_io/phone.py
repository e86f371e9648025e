"""The asyncio shell of the SIP core: sockets, one timer, and legs to await."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

from twoleg.sip import (
    Address,
    Answered,
    Credentials,
    Destination,
    DestinationFailed,
    DialogIdentity,
    Ended,
    Established,
    Flow,
    InfoReceived,
    Invitation,
    Invited,
    LocalProtocolError,
    NameAddr,
    OfferAnswered,
    Offered,
    OfferWanted,
    Outgoing,
    OutOfDialogRequest,
    Progress,
    Reason,
    RefusalCause,
    Refused,
    RemoteProtocolError,
    Request,
    RequestCompleted,
    RequestReceived,
    Response,
    ResponseSpec,
    SessionRejected,
    SipUri,
    Transport,
    UserAgent,
    UserAgentConfig,
    parse_message,
)
from twoleg.sip_io.config import PhoneConfig, advertised_host
from twoleg.sip_io.counters import Counters
from twoleg.sip_io.errors import PhoneClosed, RequestFailed
from twoleg.sip_io.gatekeeper import Gatekeeper, KnownAddresses, ShutOuts, Verdict
from twoleg.sip_io.incoming import IncomingCall, IncomingCalls
from twoleg.sip_io.leg import Leg, RingRequest, Session
from twoleg.sip_io.registrar import BindingStore, Registrar
from twoleg.sip_io.resolver import Resolver, UnresolvedHost, is_address
from twoleg.sip_io.transports import Transports

TIMER_GRAIN: Final = 0.001
"""Seconds that the timer may be late, so that deadlines close together are met in one go."""

_NOT_ACCEPTABLE: Final = Reason("SIP", 488, "Not Acceptable Here")
_NEVER_JUDGED: Final = frozenset({"ACK", "CANCEL"})

_log = logging.getLogger(__name__)


class Phone:
    """Places, takes and ends calls for one process. Made by `Phone.open`."""

    def __init__(
        self, config: PhoneConfig, gatekeeper: Gatekeeper, bindings: BindingStore | None
    ) -> None:
        self._config = config
        self._gatekeeper = gatekeeper
        self._loop = asyncio.get_running_loop()
        self._resolver = Resolver(config.resolver)
        self._advertised: dict[Transport, Address] = {}
        self._core = UserAgent(
            UserAgentConfig(
                addresses=self._advertised,
                user_agent=config.user_agent,
                accept_invites=config.accept_calls,
                handled_methods=frozenset() if bindings is None else frozenset({"REGISTER"}),
            ),
            secrets.token_hex,
        )
        self.counters = Counters()
        self._registrar: Registrar | None = None
        if bindings is not None:
            self._registrar = Registrar(config, bindings, self.counters, self._respond, self.strike)
        self._transports: Transports | None = None
        self._legs: dict[int, Leg] = {}
        self._requests: dict[int, asyncio.Future[Response]] = {}
        self._shut_outs = ShutOuts(config.shut_out)
        self._incoming = IncomingCalls(config.max_incoming)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._pumping = False
        self._closing = False
        self._idle: asyncio.Future[None] | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
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
            RequestReceived: self._on_request,
            RequestCompleted: self._on_request_completed,
            DestinationFailed: self._on_destination_failed,
        }

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        config: PhoneConfig,
        gatekeeper: Gatekeeper | None = None,
        bindings: BindingStore | None = None,
    ) -> AsyncIterator[Self]:
        """Listen, and be ready for calls; leaving hangs up every leg and closes the sockets.

        With `bindings` the phone is the registrar of those users. Raises AddressInUse when an
        address cannot be bound, ValueError when TLS has no certificate.
        """
        phone = cls(config, gatekeeper or KnownAddresses(), bindings)
        async with (
            phone._resolver,
            Transports.open(phone, config, phone._resolver, phone.counters) as transports,
        ):
            phone._transports = transports
            for transport, address in transports.bound:
                host = advertised_host(config, address.host)
                phone._advertised.setdefault(transport, Address(host, address.port))
            try:
                yield phone
            finally:
                await phone._close()

    @property
    def addresses(self) -> list[tuple[Transport, Address]]:
        """What is listened on, in the order of the configuration."""
        return list(self._transports.bound) if self._transports else []

    @property
    def advertised(self) -> dict[Transport, Address]:
        """What Via and Contact name, by transport."""
        return dict(self._advertised)

    @property
    def legs(self) -> int:
        """Legs whose signalling is not over yet."""
        return len(self._legs)

    # Calls.

    def ring(self, request: RingRequest) -> Ringing:
        """Ring a far end: `async with phone.ring(request) as leg`.

        Entering sends the INVITE (after DNS, where it is needed). Leaving hangs up whatever is
        left of the leg, and does not wait for the far end.
        """
        return Ringing(self, request)

    async def place(self, request: RingRequest) -> Leg:
        """Send the INVITE. The caller hangs the leg up; `ring` sees to that by itself."""
        session = Session(request.answer_offer, request.make_offer, request.accept_answer)
        call_id = secrets.token_hex(16)
        self.counters.calls_placed += 1
        destinations = request.destinations
        if request.flow is None and not all(map(_is_settled, destinations or (None,))):
            hop = request.routes[0].uri if request.routes else request.target
            try:
                destinations = await self._resolved(destinations, hop)
            except UnresolvedHost as error:
                return self._unreachable(call_id, session, str(error))
        if self._closing:
            return self._unreachable(call_id, session, "the phone is closed")
        invitation = Invitation(
            target=request.target,
            from_=request.from_,
            to=request.to,
            destinations=destinations,
            flow=request.flow,
            routes=request.routes,
            headers=request.headers,
            body=request.offer,
            credentials=request.credentials,
            follow_redirects=request.max_redirects,
            call_id=call_id,
        )
        try:
            number = self._core.invite(invitation, self._loop.time())
        except LocalProtocolError as error:
            return self._unreachable(call_id, session, str(error))
        leg = self._legs[number] = Leg(self, number, call_id, session)
        self._pump()
        return leg

    async def incoming(self) -> AsyncIterator[IncomingCall]:
        """Give calls to us, as they come; `PhoneConfig.accept_calls` lets them."""
        while True:
            yield await self._incoming.get()

    async def hang_up_dialog(
        self,
        identity: DialogIdentity,
        credentials: Credentials | None = None,
        reason: Reason | None = None,
    ) -> None:
        """End a dialog of another process with BYE; returns once that is answered or given up.

        Raises InvalidValue, PhoneClosed.
        """
        if self._closing:
            raise PhoneClosed
        number = self._core.adopt(identity, self._loop.time(), credentials)
        leg = self._legs[number] = Leg(self, number, identity.call_id, Session())
        self._core.hang_up(number, self._loop.time(), reason)
        self._pump()
        await leg.ended()

    # Requests outside of calls.

    async def request(self, request: OutOfDialogRequest) -> Response:
        """Send a request outside of a call and wait for its final response, whatever it says.

        Raises RequestFailed, UnresolvedHost, PhoneClosed.
        """
        settled = all(map(_is_settled, request.destinations or (None,)))
        if request.flow is None and not settled:
            hop = request.routes[0].uri if request.routes else request.target
            found = await self._resolved(request.destinations, hop)
            request = replace(request, destinations=found)
        if self._closing:
            raise PhoneClosed
        number = self._core.request(request, self._loop.time())
        completed: asyncio.Future[Response] = self._loop.create_future()
        self._requests[number] = completed
        try:
            self._pump()
            return await completed
        finally:
            self._requests.pop(number, None)

    async def options(self, target: SipUri, destinations: tuple[Destination, ...] = ()) -> Response:
        """Ask a far end what it can (RFC 3261 11): whether it is there. Raises as `request`."""
        transport = destinations[0].transport if destinations else Transport.UDP
        ours = self._advertised.get(transport) or next(iter(self._advertised.values()))
        return await self.request(
            OutOfDialogRequest(
                method="OPTIONS",
                target=target,
                from_=NameAddr(SipUri("sip", None, None, ours.host, ours.port)),
                to=NameAddr(target),
                destinations=destinations,
                headers=(("Accept", "application/sdp"),),
            )
        )

    async def addresses_of(self, destination: Destination) -> frozenset[str]:
        """Find every IP address that a destination stands for. Raises UnresolvedHost."""
        found = await self._resolver.resolve(destination)
        return frozenset([each.host for each in found])

    def strike(self, host: str) -> None:
        """Note that a source was refused; one that keeps trying is not listened to for a while."""
        if not self._gatekeeper.trusts(host) and self._shut_outs.strike(host, self._loop.time()):
            self.counters.sources_shut_out += 1
            _log.warning("source shut out", extra={"source": host})

    # What legs and incoming calls ask for.

    def acknowledge(self, leg: Leg) -> None:
        self._core.acknowledge(leg.number, self._loop.time())
        self._pump()

    def hang_up(self, leg: Leg, reason: Reason | None) -> None:
        if leg.number in self._legs and not leg.over:
            leg.abandon()
            self._core.hang_up(leg.number, self._loop.time(), reason)
            self._pump()

    def ring_back(self, leg: Leg, status: int, body: bytes | None) -> None:
        self._core.ring_back(leg.number, self._loop.time(), status, body)
        self._pump()

    def accept(self, leg: Leg, answer: bytes) -> None:
        self._core.accept(leg.number, self._loop.time(), answer)
        self._pump()

    def reject(self, leg: Leg, status: int, reason: str) -> None:
        self._core.reject(leg.number, self._loop.time(), status, reason)
        self._pump()

    def offer(self, leg: Leg, body: bytes) -> None:
        self._core.offer(leg.number, self._loop.time(), body)
        self._pump()

    # What the transports tell.

    def datagram(self, data: bytes, flow: Flow) -> None:
        if self._shut_outs.any_shut and not self.admits(flow.remote.host):
            self.counters.dropped_sources += 1
            return
        self.counters.datagrams_received += 1
        try:
            message: Request | Response | RemoteProtocolError = parse_message(data)
        except RemoteProtocolError as error:
            message = error
        self._receive(message, flow)

    def message(self, message: Request | Response | RemoteProtocolError, flow: Flow) -> None:
        self.counters.messages_received += 1
        self._receive(message, flow)

    def send_failed(self, sent: Outgoing) -> None:
        self._core.transport_failed(sent, self._loop.time())
        self._pump()

    def admits(self, host: str) -> bool:
        return not self._shut_outs.is_shut(host, self._loop.time())

    def _receive(self, message: Request | Response | RemoteProtocolError, flow: Flow) -> None:
        if isinstance(message, Request) and not self._may_pass(message, flow):
            return
        self._core.receive_message(message, flow, self._loop.time())
        self._pump()

    def _may_pass(self, request: Request, flow: Flow) -> bool:
        """Have the gatekeeper judge what would open something new."""
        if request.method in _NEVER_JUDGED or request.to.tag is not None:
            return True
        verdict = self._gatekeeper.judge(request, flow)
        if verdict is Verdict.ALLOW:
            return True
        self.counters.forbidden += 1
        self.strike(flow.remote.host)
        if verdict is Verdict.FORBID:
            refusal = RemoteProtocolError(403, "Forbidden", request)
            self._core.receive_message(refusal, flow, self._loop.time())
            self._pump()
        return False

    # The core's wishes.

    def _pump(self) -> None:
        """Send what the core wants sent, tell what it tells, and set the timer."""
        if self._pumping or self._transports is None:
            return
        self._pumping = True
        core, send = self._core, self._transports.send
        try:
            while True:
                outgoing = core.datagrams_to_send()
                for sent in outgoing:
                    send(sent)
                event = core.next_event()
                if event is not None:
                    self._tell(event)
                elif not outgoing:
                    break
        finally:
            self._pumping = False
        self._set_timer()
        if self._idle is not None and core.is_idle and not self._idle.done():
            self._idle.set_result(None)

    def _tell(self, event: object) -> None:
        try:
            self._handlers.get(type(event), _ignore)(event)
        except Exception:  # noqa: BLE001
            # A callback of whoever uses us; the stack itself must go on.
            self.counters.callback_errors += 1
            _log.exception("callback failed", extra={"event": type(event).__name__})

    def _set_timer(self) -> None:
        deadline = self._core.next_deadline()
        timer = self._timer
        if deadline is None:
            return  # one that is still set finds nothing to do
        if timer is not None:
            if self._timer_at <= deadline + TIMER_GRAIN:
                return  # it comes first, and is set anew then
            timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._core.handle_timeout(self._loop.time())
        self._pump()

    def _on_progress(self, event: Progress) -> None:
        leg = self._legs.get(event.leg)
        if leg is not None:
            leg.on_progress(event)

    def _on_answered(self, event: Answered) -> None:
        self.counters.calls_answered += 1
        leg = self._legs.get(event.leg)
        if leg is not None:
            leg.on_answered(event)

    def _on_established(self, event: Established) -> None:
        leg = self._legs.get(event.leg)
        if leg is not None:
            leg.on_established(event)

    def _on_refused(self, event: Refused) -> None:
        self.counters.calls_refused += 1
        leg = self._legs.pop(event.leg, None)
        if leg is not None:
            leg.on_refused(event)

    def _on_ended(self, event: Ended) -> None:
        leg = self._legs.pop(event.leg, None)
        if leg is not None:
            leg.on_ended(event)

    def _on_offered(self, event: Offered) -> None:
        leg = self._legs.get(event.leg)
        answer = None
        if leg is not None and leg.session.answer_offer is not None:
            try:
                answer = leg.session.answer_offer(event.body)
            except (SessionRejected, LocalProtocolError):
                answer = None
        now = self._loop.time()
        if answer is None:
            self._core.refuse_offer(event.leg, now, 488)
        else:
            self._core.answer_offer(event.leg, now, answer)

    def _on_offer_wanted(self, event: OfferWanted) -> None:
        leg = self._legs.get(event.leg)
        offer = None
        if leg is not None and leg.session.make_offer is not None:
            try:
                offer = leg.session.make_offer()
            except LocalProtocolError:
                offer = None
        now = self._loop.time()
        if offer is None:
            self._core.refuse_offer(event.leg, now, 488)
        else:
            self._core.answer_offer(event.leg, now, offer)

    def _on_offer_answered(self, event: OfferAnswered) -> None:
        leg = self._legs.get(event.leg)
        if leg is None or leg.session.accept_answer is None:
            return
        try:
            leg.session.accept_answer(event.body)
        except SessionRejected:
            self._core.hang_up(event.leg, self._loop.time(), _NOT_ACCEPTABLE)

    def _on_info(self, event: InfoReceived) -> None:
        leg = self._legs.get(event.leg)
        if leg is not None:
            leg.on_info(event)

    def _on_invited(self, event: Invited) -> None:
        leg = Leg(self, event.leg, event.request.call_id, Session())
        call = IncomingCall(self, leg, event.request, event.flow)
        if self._closing or not self._incoming.put(call):
            self.counters.calls_overflowed += 1
            self._core.reject(event.leg, self._loop.time(), 486)
            return
        self.counters.calls_incoming += 1
        self._legs[event.leg] = leg

    def _on_request(self, event: RequestReceived) -> None:
        if self._registrar is None or self._closing:
            self._core.respond(event.transaction, ResponseSpec(503), self._loop.time())
        else:
            self._registrar.receive(event)

    def _on_request_completed(self, event: RequestCompleted) -> None:
        completed = self._requests.get(event.request)
        if completed is None or completed.done():
            return
        if event.response is None:
            completed.set_exception(RequestFailed(event.cause))
        else:
            completed.set_result(event.response)

    def _on_destination_failed(self, event: DestinationFailed) -> None:
        self._resolver.failed(event.destination)

    def _respond(self, transaction: int, response: ResponseSpec) -> None:
        self._core.respond(transaction, response, self._loop.time())
        self._pump()

    # Finding, and closing.

    async def _resolved(
        self, destinations: tuple[Destination, ...], hop: object
    ) -> tuple[Destination, ...]:
        """Find the addresses of destinations by name, or of the next hop (RFC 3263).

        Raises UnresolvedHost, only where nothing was found at all.
        """
        if not destinations:
            if not isinstance(hop, SipUri):
                raise UnresolvedHost(str(hop), "it names no host", temporary=False)
            return await self._resolver.resolve_uri(hop)
        found: list[Destination] = []
        problem: UnresolvedHost | None = None
        for destination in destinations:
            try:
                found += await self._resolver.resolve(destination)
            except UnresolvedHost as error:
                problem = error
        if not found and problem is not None:
            raise problem
        return tuple(found)

    def _unreachable(self, call_id: str, session: Session, why: str) -> Leg:
        leg = Leg(self, 0, call_id, session)
        leg.on_refused(Refused(0, 503, why, RefusalCause.TRANSPORT))
        return leg

    async def _close(self) -> None:
        """Hang up everything, and give the far ends a moment to answer."""
        self._closing = True
        if self._registrar is not None:
            await self._registrar.close()
        for leg in list(self._legs.values()):
            self.hang_up(leg, None)
        for completed in list(self._requests.values()):
            if not completed.done():
                completed.set_exception(PhoneClosed())
        self._idle = self._loop.create_future()
        self._pump()
        await asyncio.wait((self._idle,), timeout=self._config.drain_seconds)
        self._idle.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._transports = None


class Ringing:
    """The span of one leg: entering rings, leaving hangs up."""

    __slots__ = ("_leg", "_phone", "_request")

    def __init__(self, phone: Phone, request: RingRequest) -> None:
        self._phone = phone
        self._request = request
        self._leg: Leg | None = None

    async def __aenter__(self) -> Leg:
        self._leg = await self._phone.place(self._request)
        return self._leg

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._leg is not None:
            self._leg.hang_up()


def _is_settled(destination: Destination | None) -> bool:
    """Tell whether a destination needs no DNS."""
    return destination is not None and destination.port is not None and is_address(destination.host)


def _ignore(event: object) -> None:
    """Take note of nothing: OfferRefused, the session goes on as it was."""
