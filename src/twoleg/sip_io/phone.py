"""A phone for programs: calls, requests, a registrar, over every transport, behind one face."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Self

from twoleg.sip import (
    Address,
    Credentials,
    Destination,
    DestinationFailed,
    DialogIdentity,
    Event,
    Invitation,
    InviteIdentity,
    LocalProtocolError,
    NameAddr,
    OutOfDialogRequest,
    Reason,
    RequestCompleted,
    RequestReceived,
    Response,
    ResponseSpec,
    SipUri,
    Transport,
    UserAgent,
    UserAgentConfig,
    destination_of,
)
from twoleg.sip import (
    Counters as CoreCounters,
)
from twoleg.sip_io.config import PhoneConfig, advertised_host, reachable_kinds
from twoleg.sip_io.core_loop import CoreLoop
from twoleg.sip_io.counters import Counters
from twoleg.sip_io.errors import PhoneClosed
from twoleg.sip_io.gatekeeper import Gatekeeper, KnownAddresses, ShutOuts
from twoleg.sip_io.incoming import IncomingCall, IncomingCalls
from twoleg.sip_io.leg import NO_CHANGES, Leg, LegRefused, Session
from twoleg.sip_io.legs import Legs
from twoleg.sip_io.next_hops import are_settled, next_hops
from twoleg.sip_io.reception import Reception
from twoleg.sip_io.registrar import BindingStore, Registrar
from twoleg.sip_io.requests import Requests
from twoleg.sip_io.resolver import Resolver, UnresolvedHost
from twoleg.sip_io.tokens import Tokens
from twoleg.sip_io.transports import Transports


class Phone:
    """Places, takes and ends calls for one process. Made by `Phone.open`."""

    def __init__(
        self, config: PhoneConfig, gatekeeper: Gatekeeper, bindings: BindingStore | None
    ) -> None:
        self._config = config
        self._advertised: dict[Transport, Address] = {}
        self._bound: list[tuple[Transport, Address]] = []
        self._closing = False
        self.counters = Counters()
        self._tokens = Tokens()
        self._core = UserAgent(
            UserAgentConfig(
                addresses=self._advertised,
                user_agent=config.user_agent,
                t1=config.t1,
                t2=config.t2,
                accept_invites=config.accept_calls,
                handled_methods=config.dialog_methods
                | (frozenset() if bindings is None else frozenset({"REGISTER"})),
            ),
            self._tokens,
        )
        self._running = CoreLoop(self._core, self._tell, self.counters)
        self._reception = Reception(
            self._running, gatekeeper, ShutOuts(config.shut_out), self.counters
        )
        self._resolver = Resolver(reachable_kinds(config))
        self._incoming = IncomingCalls(config.max_incoming)
        self._legs = Legs(self._running, self._incoming, self.counters)
        self._requests = Requests(self._running, self._resolver)
        self._registrar: Registrar | None = None
        if bindings is not None:
            self._registrar = Registrar(
                config, bindings, self.counters, self._respond, self._reception.strike
            )
            self._reception.on_flow_lost = self._registrar.flow_lost
        self._handlers: dict[type, Callable[[Any], None]] = {
            **self._legs.handlers,
            RequestReceived: self._on_request,
            RequestCompleted: self._requests.on_completed,
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
            Transports.open(
                phone._reception, config, phone._resolver, phone.counters
            ) as transports,
        ):
            phone._bound = list(transports.bound)
            for transport, address in transports.bound:
                host = advertised_host(config, address.host)
                phone._advertised.setdefault(transport, Address(host, address.port))
            phone._running.start(transports.send)
            try:
                yield phone
            finally:
                try:
                    await phone._close()
                finally:
                    phone._running.stop()

    @property
    def addresses(self) -> list[tuple[Transport, Address]]:
        """What is listened on, in the order of the configuration."""
        return list(self._bound)

    @property
    def advertised(self) -> dict[Transport, Address]:
        """What Via and Contact name, by transport."""
        return dict(self._advertised)

    @property
    def core_counters(self) -> CoreCounters:
        """What the core turned away or sent again."""
        return self._core.counters

    @property
    def legs(self) -> int:
        """Legs whose signalling is not over yet."""
        return len(self._legs)

    @asynccontextmanager
    async def ring(
        self, invitation: Invitation, session: Session = NO_CHANGES
    ) -> AsyncIterator[Leg]:
        """Ring a far end: `async with phone.ring(invitation, session) as leg`.

        Entering sends the INVITE (after DNS, where it is needed). Leaving hangs up whatever is
        left of the leg, and does not wait for the far end.
        """
        leg = await self.place(invitation, session)
        try:
            yield leg
        finally:
            leg.hang_up()

    def identify(
        self,
        target: SipUri,
        from_: NameAddr,
        to: NameAddr,
        destinations: tuple[Destination, ...] = (),
        routes: tuple[NameAddr, ...] = (),
    ) -> InviteIdentity | None:
        """Decide how the INVITE of a later `Invitation` will be known, which is given this.

        It is that over the first of the destinations; one that is a name is still to be looked up.
        None where there is no way to send it.
        """
        hop = routes[0].uri if routes else target
        there = destinations[0] if destinations else destination_of(hop, Transport.UDP)
        if there is None:
            return None
        try:
            return self._core.identify(target, from_, to, routes, there)
        except LocalProtocolError:
            return None

    async def place(self, invitation: Invitation, session: Session = NO_CHANGES) -> Leg:
        """Send the INVITE. The caller hangs the leg up; `ring` sees to that by itself.

        Without destinations and a flow those of the first route, or of the target, are looked up,
        and so are names among them (RFC 3263). `session` hears what the far end wants later.
        """
        if invitation.flow is None and not are_settled(invitation.destinations):
            try:
                found = await next_hops(
                    self._resolver,
                    invitation.destinations,
                    invitation.routes,
                    invitation.target,
                )
            except UnresolvedHost as error:
                return self._legs.unreachable(session, str(error))
            invitation = replace(invitation, destinations=found)
        return self._legs.invite(invitation, session)

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

        Raises InvalidValue, LocalProtocolError (nowhere to send it), PhoneClosed.
        """
        if self._closing:
            raise PhoneClosed
        leg = self._legs.end_dialog(identity, credentials, reason)
        try:
            await leg.ended()
        except LegRefused:
            raise PhoneClosed from None

    async def cancel_invite(self, invite: InviteIdentity, reason: Reason | None = None) -> Response:
        """Take back the INVITE of another process; give the response to the CANCEL.

        Raises LocalProtocolError (its transport is not listened on), RequestFailed, PhoneClosed.
        """
        return await self._requests.cancel(invite, reason)

    async def request(self, request: OutOfDialogRequest) -> Response:
        """Send a request outside of a call and wait for its final response, whatever it says.

        Raises RequestFailed, UnresolvedHost, PhoneClosed.
        """
        return await self._requests.send(request)

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

    def _tell(self, event: Event) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:  # OfferRefused changes nothing: the session goes on as it was
            handler(event)

    def _on_request(self, event: RequestReceived) -> None:
        if event.request.method != "REGISTER":
            self._legs.on_request(event)
        elif self._registrar is None or self._closing:
            self._respond(event.transaction, ResponseSpec(503))
        else:
            self._registrar.receive(event)

    def _on_destination_failed(self, event: DestinationFailed) -> None:
        self._resolver.failed(event.destination)

    def _respond(self, transaction: int, response: ResponseSpec) -> None:
        self._core.respond(transaction, response, self._running.now())
        self._running.turn()

    async def _close(self) -> None:
        """Hang up everything, and give the far ends a moment to answer."""
        self._closing = True
        self._requests.close()
        self._legs.close()
        if self._registrar is not None:
            await self._registrar.close()
        await self._running.drain(self._config.drain_seconds)
