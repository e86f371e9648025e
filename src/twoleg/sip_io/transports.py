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
            endpoint = await UdpEndpoint.open(self._inbox, host, port)
        except OSError as error:
            where = str(Address(host, port))
            problem = error.strerror or str(error)
            raise AddressInUse(transport.value, where, problem) from error
        stack.push_async_callback(endpoint.close)
        self._udp.append(endpoint)
        return endpoint.local

    @property
    def connections(self) -> int:
        return len(self._connections)

    def send(self, sent: Outgoing) -> None:
        """Send by flow or destination; what cannot be sent is told to the inbox."""
        self._counters.sent += 1
        destination = sent.destination
        if sent.flow is not None and sent.flow.connection is not None:
            self._connections.send(sent)
        elif destination.port is None or not is_address(destination.host):
            self._send_when_resolved(sent)
        elif destination.transport is not Transport.UDP:
            self._connections.send(sent)
        elif not self._send_datagram(sent, destination.host, destination.port):
            self._counters.send_failures += 1
            self._inbox.send_failed(sent)

    def _send_datagram(self, sent: Outgoing, host: str, port: int) -> bool:
        endpoints = self._udp
        if sent.flow is not None:
            for endpoint in endpoints:
                if endpoint.local == sent.flow.local:
                    return endpoint.send(sent.data, host, port)
        for endpoint in endpoints:
            if (":" in host) == (":" in endpoint.local.host):
                return endpoint.send(sent.data, host, port)
        return False

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
        self.send(replace(sent, destination=destinations[0]))

    async def _stop_resolving(self) -> None:
        resolving = list(self._resolving)
        for task in resolving:
            task.cancel()
        await asyncio.gather(*resolving, return_exceptions=True)
