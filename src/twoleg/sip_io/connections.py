"""TCP, TLS, WebSocket: the table of connections, opened when needed, reused, closed when idle."""

import asyncio
import itertools
from collections import Counter, OrderedDict
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from twoleg.sip import Address, Destination, Flow, Outgoing, Transport
from twoleg.sip.values import immutable
from twoleg.sip_io.connection import Connection, Peer
from twoleg.sip_io.counters import Counters
from twoleg.sip_io.inbox import Inbox
from twoleg.sip_io.tls import TlsContexts, WrongCertificate, require_identity
from twoleg.sip_io.websocket import WebSocketConnection

MAX_WAITING = 1024
"""Messages that may wait for one connection to be opened."""

MAX_IDENTITIES = 4096
CONNECT_SECONDS = 8.0
CLOSE_SECONDS = 1.0
SWEEP_SECONDS = 10.0


@immutable(kw_only=True)
class ConnectionLimits:
    """How many connections there may be, and how long one may be silent, in seconds.

    `idle_seconds` should be above the keep-alive pause of the phones (RFC 5626 4.4.1: two
    minutes); `unproven_seconds` holds until an accepted connection has brought a message.
    `origins` are those of the web pages that may open a WebSocket (RFC 6454); None: any, and
    whoever names none.
    """

    connections: int = 4096
    accepted_of_one_host: int = 256
    idle_seconds: float = 900.0
    unproven_seconds: float = 30.0
    origins: frozenset[str] | None = None


class Connections:
    """All connections of a phone.

    An async context manager: leaving it closes listeners, connections and openings.
    """

    def __init__(
        self, inbox: Inbox, contexts: TlsContexts, limits: ConnectionLimits, counters: Counters
    ) -> None:
        self.inbox = inbox
        self.counters = counters
        self._contexts = contexts
        self._limits = limits
        self._numbers = itertools.count(1)
        self._servers: list[asyncio.Server] = []
        self._connections: dict[int, Connection] = {}
        self._by_peer: dict[Peer, Connection] = {}
        self._accepted_of: Counter[str] = Counter()
        self._opening: dict[Peer, tuple[asyncio.Task[None], list[Outgoing]]] = {}
        self._proved_domains: OrderedDict[tuple[str, int], str] = OrderedDict()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for server in self._servers:
            server.close()
        openings = [task for task, _ in self._opening.values()]
        for task in openings:
            task.cancel()
        await asyncio.gather(*openings, return_exceptions=True)
        await self._close_connections()
        for server in self._servers:
            await server.wait_closed()

    async def _close_connections(self) -> None:
        """Let what is written leave, but not for longer than a moment."""
        connections = list(self._connections.values())
        for connection in connections:
            connection.close()
        closed = [connection.closed for connection in connections]
        if not closed:
            return
        await asyncio.wait(closed, timeout=CLOSE_SECONDS)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*closed)

    async def listen(self, transport: Transport, host: str, port: int) -> Address:
        """Accept connections; port 0 takes a free one. Raises OSError, ValueError."""
        context = self._contexts.server() if transport.secure else None
        server = await asyncio.get_running_loop().create_server(
            lambda: self._accepted(transport),
            host,
            port,
            ssl=context,
            ssl_handshake_timeout=CONNECT_SECONDS if context else None,
        )
        self._servers.append(server)
        bound = server.sockets[0].getsockname()
        return Address(bound[0], bound[1])

    def _accepted(self, transport: Transport) -> Connection:
        number = next(self._numbers)
        if transport.by_websocket:
            return WebSocketConnection(self, number, transport, self._limits.origins)
        return Connection(self, number, transport, None)

    def send_by(self, flow: Flow, sent: Outgoing) -> bool:
        """Send by the very connection that a flow names; False when it is gone."""
        connection = self._connections.get(flow.connection or 0)
        # Numbers begin anew with each process, and a flow may have been stored by another.
        return connection is not None and connection.flow == flow and connection.send(sent)

    def send(self, sent: Outgoing) -> None:
        """Send by a connection to the destination, whose host is an address and has a port.

        What cannot be sent is told to the inbox.
        """
        port = sent.destination.port
        if port is None or self._closing:
            self._failed(sent)
            return
        peer = self._peer(sent.destination, port)
        connection = self._by_peer.get(peer)
        if connection is None or not connection.send(sent):
            self._wait_for_connection(peer, sent)

    def resend(self, connection: Connection, sent: Outgoing) -> None:
        """See to a request that a connection may have broken under before it was read.

        Over a new connection, if this one was of use before; its branch tells the peer if it
        has read it after all. Otherwise the sender is told (RFC 3261 18.4).
        """
        if connection.peer is not None and connection.heard and not self._closing:
            self._wait_for_connection(connection.peer, sent)
        else:
            self._failed(sent)

    def admit(self, connection: Connection, certificate: Mapping[str, Any]) -> bool:
        """Take in a connection before anything is read from it, or refuse it."""
        if self._closing or connection.flow is None:
            return False
        if connection.peer is None:
            admitted = self._accept(connection.flow.remote.host)
        else:
            admitted = self._prove(connection.peer, certificate)
            if admitted:
                self.counters.connections_opened += 1
                self._by_peer[connection.peer] = connection
        if admitted:
            self._connections[connection.number] = connection
            self._arm_sweeper()
        return admitted

    def _accept(self, host: str) -> bool:
        if not self.inbox.admits(host):
            self.counters.dropped_sources += 1
            return False
        if (
            len(self._connections) >= self._limits.connections
            or self._accepted_of[host] >= self._limits.accepted_of_one_host
        ):
            self.counters.connections_refused += 1
            return False
        self.counters.connections_accepted += 1
        self._accepted_of[host] += 1
        return True

    def _prove(self, peer: Peer, certificate: Mapping[str, Any]) -> bool:
        """Check that the far end is who the request is for (RFC 5922 7.3)."""
        if not peer.transport.secure or not peer.verify:
            return True
        domain = peer.domain or peer.host
        try:
            require_identity(certificate, domain)
        except WrongCertificate:
            self.counters.wrong_certificates += 1
            return False
        self._proved_domains[(peer.host, peer.port)] = domain
        self._proved_domains.move_to_end((peer.host, peer.port))
        if len(self._proved_domains) > MAX_IDENTITIES:
            self._proved_domains.popitem(last=False)
        return True

    def forget(self, connection: Connection) -> None:
        """Called once when a connection has ended."""
        if self._connections.pop(connection.number, None) is None or connection.flow is None:
            return
        if connection.peer is None:
            host = connection.flow.remote.host
            self._accepted_of[host] -= 1
            if not self._accepted_of[host]:
                del self._accepted_of[host]
            if connection.flow.transport.by_websocket and not self._closing:
                self.inbox.flow_lost(connection.flow)
        elif self._by_peer.get(connection.peer) is connection:
            del self._by_peer[connection.peer]

    def _peer(self, destination: Destination, port: int) -> Peer:
        if not destination.transport.secure:
            return Peer(destination.transport, destination.host, port, None, False)
        host, domain, verify = destination.host, destination.domain, destination.verify
        if domain is None and verify:
            # A request within a dialog knows its peer's address only (from the Contact); the
            # domain that was proved there before must be proved again.
            domain = self._proved_domains.get((host, port), host)
        return Peer(destination.transport, host, port, domain, verify)

    def _wait_for_connection(self, peer: Peer, sent: Outgoing) -> None:
        opening = self._opening.get(peer)
        if opening is None:
            if len(self._connections) + len(self._opening) >= self._limits.connections:
                self.counters.connections_refused += 1
                self._failed(sent)
                return
            waiting = [sent]
            task = asyncio.get_running_loop().create_task(self._open(peer, waiting))
            self._opening[peer] = (task, waiting)
        elif len(opening[1]) < MAX_WAITING:
            opening[1].append(sent)
        else:
            self._failed(sent)

    async def _open(self, peer: Peer, waiting: list[Outgoing]) -> None:
        connection: Connection | None = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await self._connect(peer)
        except (OSError, ValueError):  # a host that TLS cannot name is a ValueError
            self.counters.connections_failed += 1
        finally:
            del self._opening[peer]
            for sent in waiting:
                if connection is None or not connection.send(sent):
                    self._failed(sent)

    async def _connect(self, peer: Peer) -> Connection:
        """Open one connection. Raises OSError (SSLError and TimeoutError are such), ValueError."""
        connection = Connection(self, next(self._numbers), peer.transport, peer)
        secure: dict[str, Any] = {}
        if peer.transport.secure:
            secure["ssl"] = self._contexts.client(verify=peer.verify)
            secure["server_hostname"] = peer.domain or peer.host
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, peer.host, peer.port, **secure)
        if not connection.usable:
            raise ConnectionResetError
        return connection

    def _failed(self, sent: Outgoing) -> None:
        self.counters.send_failures += 1
        if not self._closing:
            self.inbox.send_failed(sent)

    def _arm_sweeper(self) -> None:
        if self._sweeper is None and not self._closing:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what has been silent for too long."""
        self._sweeper = None
        now = asyncio.get_running_loop().time()
        for connection in list(self._connections.values()):
            allowed = (
                self._limits.idle_seconds if connection.proven else self._limits.unproven_seconds
            )
            if now - connection.last_used > allowed or not connection.keep_alive(now):
                self.counters.connections_idle_closed += 1
                connection.abort()
        if self._connections:
            self._arm_sweeper()
