"""All transports of a phone behind one `send`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Self

from twoleg.sip import Address, Outgoing, Transport
from twoleg.sip_io.config import Listen, PhoneConfig
from twoleg.sip_io.connections import Connections
from twoleg.sip_io.counters import Counters
from twoleg.sip_io.errors import AddressInUse
from twoleg.sip_io.inbox import Inbox
from twoleg.sip_io.resolver import Resolver, UnresolvedHost, is_address
from twoleg.sip_io.tls import TlsContexts
from twoleg.sip_io.udp import UdpEndpoint


class Transports:
    """UDP endpoints and the table of connections. Made by `Transports.open`."""

    def __init__(
        self, inbox: Inbox, config: PhoneConfig, resolver: Resolver, counters: Counters
    ) -> None:
        self._inbox = inbox
        self._config = config
        self._resolver = resolver
        self._counters = counters
        self._udp: list[UdpEndpoint] = []
        self._udp_by_kind: dict[bool, UdpEndpoint] = {}
        """The first socket for IPv6, by True, and the first for IPv4."""

        self._connections = Connections(
            inbox, TlsContexts(config.tls), config.connections, counters
        )
        self._resolving: set[asyncio.Task[None]] = set()
        self.bound: list[tuple[Transport, Address]] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls, inbox: Inbox, config: PhoneConfig, resolver: Resolver, counters: Counters
    ) -> AsyncIterator[Self]:
        """Listen on what the configuration names. Raises AddressInUse, ValueError."""
        transports = cls(inbox, config, resolver, counters)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(transports._connections)
            for listen in config.listen:
                address = await transports._listen(listen, stack)
                transports.bound.append((listen.transport, address))
            stack.push_async_callback(transports._stop_resolving)
            yield transports

    async def _listen(self, listen: Listen, stack: AsyncExitStack) -> Address:
        transport, host, port = listen.transport, listen.host, listen.port
        try:
            if transport is not Transport.UDP:
                return await self._connections.listen(transport, host, port)
            endpoint = UdpEndpoint.open(self._inbox, host, port)
        except OSError as error:
            where = str(Address(host, port))
            problem = error.strerror or str(error)
            raise AddressInUse(transport.value, where, problem) from error
        stack.callback(endpoint.close)
        self._udp.append(endpoint)
        self._udp_by_kind.setdefault(":" in endpoint.local.host, endpoint)
        return endpoint.local

    def send(self, sent: Outgoing) -> None:
        """Send by flow, else to the destination; what cannot be sent is told to the inbox.

        A flow whose connection is gone gives way to the destination: a reply then goes to
        where the Via says (RFC 3261 18.2.2).
        """
        self._counters.sent += 1
        flow = sent.flow
        if flow is not None:
            if flow.transport is Transport.UDP:
                remote = flow.remote
                self._send_datagram(sent, remote.host, remote.port, self._bound_to(flow.local))
                return
            if self._connections.send_by(flow, sent):
                return
        self._send_to(sent)

    def _send_to(self, sent: Outgoing) -> None:
        destination = sent.destination
        if destination.transport.by_websocket:
            # Its host is none (RFC 7118 5.2): the phone has to come back.
            self._counters.send_failures += 1
            self._inbox.send_failed(sent)
            return
        if not is_address(destination.host):
            self._send_when_resolved(sent)
            return
        port = destination.port
        if port is None:
            port = destination.transport.default_port
            sent = replace(sent, destination=replace(destination, port=port))
        if destination.transport is Transport.UDP:
            self._send_datagram(sent, destination.host, port)
        else:
            self._connections.send(sent)

    def _send_datagram(
        self, sent: Outgoing, host: str, port: int, by: UdpEndpoint | None = None
    ) -> None:
        endpoint = by or self._udp_by_kind.get(":" in host)
        if endpoint is None or not endpoint.send(sent.data, host, port):
            self._counters.send_failures += 1
            self._inbox.send_failed(sent)

    def _bound_to(self, local: Address) -> UdpEndpoint | None:
        """Find the socket that a flow came by."""
        for endpoint in self._udp:
            if endpoint.local is local or endpoint.local == local:
                return endpoint
        return None

    def _send_when_resolved(self, sent: Outgoing) -> None:
        if len(self._resolving) >= self._config.max_resolving:
            self._counters.send_failures += 1
            self._inbox.send_failed(sent)
            return
        task = asyncio.get_running_loop().create_task(self._resolve_and_send(sent))
        self._resolving.add(task)
        task.add_done_callback(self._resolving.discard)

    async def _resolve_and_send(self, sent: Outgoing) -> None:
        try:
            destinations = await self._resolver.resolve(sent.destination)
        except UnresolvedHost:
            self._counters.send_failures += 1
            self._inbox.send_failed(sent)
            return
        if sent.token is not None:
            # One sent again goes where it went, and its ACK too (RFC 3263 4): the core remembers.
            self._inbox.resolved(sent, destinations)
        else:
            turn = sent.turn % len(destinations)
            self._send_to(replace(sent, destination=destinations[turn]))

    async def _stop_resolving(self) -> None:
        resolving = list(self._resolving)
        for task in resolving:
            task.cancel()
        await asyncio.gather(*resolving, return_exceptions=True)
