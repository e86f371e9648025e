"""UDP: one endpoint for each address that we listen on."""

import asyncio
import contextlib
import select
import socket
from typing import Any, Final, Self

from twoleg.sip import Address, Flow, Transport
from twoleg.sip_io.inbox import Inbox
from twoleg.sip_io.undelivered import report_undelivered, undelivered

BUFFER_BYTES: Final = 4 * 1024 * 1024
"""That the system may hold each way while it or we are busy; it may give less."""

BATCH: Final = 64
"""Datagrams in one go, so that other work of the event loop waits only milliseconds."""

MAX_DATAGRAM: Final = 1 << 16
MAX_FLOWS: Final = 4096
SENDING_TRIES: Final = 3


class UdpEndpoint:
    """A bound socket; what it receives goes to the inbox within the same call.

    Where the system says by ICMP that nobody is where a datagram went, the inbox is told. Made by
    `open`, in the event loop that it serves.
    """

    def __init__(self, inbox: Inbox, bound: socket.socket) -> None:
        self._inbox = inbox
        self._socket = bound
        self._loop = asyncio.get_running_loop()
        self._flows: dict[tuple[Any, ...], Flow] = {}
        self._buffer = bytearray(MAX_DATAGRAM)
        self._later: asyncio.Handle | None = None
        host, port = bound.getsockname()[:2]
        self.local = Address(host, port)
        # An event loop takes an ICMP error for the end of a socket, unless it watches it by this.
        self._ready = select.epoll()
        self._ready.register(bound, select.EPOLLIN)
        self._loop.add_reader(self._ready.fileno(), self._on_ready)

    @classmethod
    def open(cls, inbox: Inbox, host: str, port: int) -> Self:
        """Bind; port 0 takes a free one. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            for size in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                with contextlib.suppress(OSError):
                    bound.setsockopt(socket.SOL_SOCKET, size, BUFFER_BYTES)
            report_undelivered(bound)
            bound.bind((host, port))
            return cls(inbox, bound)
        except BaseException:
            bound.close()
            raise

    @property
    def is_read_in_goes(self) -> bool:
        """Whether so much comes that it is read by the clock."""
        return self._later is not None

    def send(self, data: bytes, host: str, port: int) -> bool:
        """Send one datagram; False when it certainly did not leave."""
        for _ in range(SENDING_TRIES):
            try:
                self._socket.sendto(data, (host, port))
            except BlockingIOError:
                return True  # lost, as any may be: its transaction sends it again
            except (OSError, ValueError):
                if not self._tell_undelivered():
                    return False
                # The error was of an earlier datagram, and this one has not been tried.
            else:
                return True
        return False

    def close(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        else:
            self._loop.remove_reader(self._ready.fileno())
        self._ready.close()
        self._socket.close()

    def _on_ready(self) -> None:
        """Read at once; under load leave off, and read by the clock from then on."""
        pause = self._hand_on(self._receive())
        if pause:
            self._loop.remove_reader(self._ready.fileno())
            self._later = self._loop.call_later(pause, self._on_clock)

    def _on_clock(self) -> None:
        received, pause = self._receive(), 0.0
        try:
            pause = self._hand_on(received)
        finally:
            self._read_again(pause, at_once=len(received) == BATCH)

    def _read_again(self, pause: float, *, at_once: bool) -> None:
        if at_once:
            self._later = self._loop.call_soon(self._on_clock)
        elif pause:
            self._later = self._loop.call_later(pause, self._on_clock)
        else:
            self._later = None
            self._loop.add_reader(self._ready.fileno(), self._on_ready)

    def _hand_on(self, received: list[tuple[bytes, Flow]]) -> float:
        if not received:
            self._tell_undelivered()
        return self._inbox.datagrams(received)

    def _receive(self) -> list[tuple[bytes, Flow]]:
        buffer, flows, receive = self._buffer, self._flows, self._socket.recvfrom_into
        received = []
        for _ in range(BATCH):
            try:
                size, source = receive(buffer)
            except BlockingIOError:
                break
            except OSError:
                self._tell_undelivered()
                continue
            flow = flows.get(source) or self._new_flow(source)
            received.append((bytes(memoryview(buffer)[:size]), flow))
        return received

    def _tell_undelivered(self) -> bool:
        """Tell of what could not be delivered; False: there is no such thing."""
        found = undelivered(self._socket)
        for beginning in found:
            self._inbox.undelivered(beginning)
        return bool(found)

    def _new_flow(self, source: tuple[Any, ...]) -> Flow:
        if len(self._flows) >= MAX_FLOWS:
            self._flows.clear()
        flow = Flow(Transport.UDP, self.local, Address(source[0], source[1]), None)
        self._flows[source] = flow
        return flow
