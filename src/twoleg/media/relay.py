"""The hot path: packets of all ports, from their sockets to the next leg's."""

import asyncio
import select
import socket
from collections.abc import Callable
from time import monotonic
from typing import Final

from twoleg.media.incoming import Incoming
from twoleg.media.protection import Protection
from twoleg.media.reception import RESTARTED
from twoleg.media.rtp import HEADER, HEADER_BYTES, MAX_PACKET_BYTES, PLAIN_FIRST_BYTE
from twoleg.media.socket_pair import SocketPair

BATCH: Final = 64
"""Packets in one go, so that other work of the event loop waits less than a millisecond."""

_BUFFER_BYTES = 2048


class Relay:
    """Drains all ports' RTP sockets through one epoll descriptor in the event loop.

    One descriptor for all costs less than a reader or transport for each: the loop wakes once for
    a batch, and a packet is one `recv_into` and one `send` on a shared buffer.

    A port has two sockets: the one that is bound, to which anybody can send, and once its far end
    is known a direct one, connected to that. What comes to the first is always handled in full, by
    its pair: its entry has no stream.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._entries: dict[int, tuple[Callable[[bytearray], int], Incoming | None]] = {}
        self._buffer = bytearray(_BUFFER_BYTES)
        loop.add_reader(self._epoll.fileno(), self.drain)

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def add(self, pair: SocketPair) -> None:
        self._add(pair.rtp, pair.receive, None)

    def add_direct(
        self, connected: socket.SocketType, stream: Incoming, protection: Protection | None = None
    ) -> None:
        """Receive from the far end; what is encrypted is plain before it is looked at."""
        if protection is None:
            self._add(connected, connected.recv_into, stream)
            return
        source = connected.getpeername()

        def receive(buffer: bytearray) -> int:
            return protection.open(buffer, connected.recv_into(buffer), source)

        self._add(connected, receive, stream)

    def remove(self, opened: socket.SocketType) -> None:
        descriptor = opened.fileno()
        if self._entries.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def drain(self) -> None:
        """Receive a packet of each ready socket, and pass it on. Never raises.

        One long function on purpose: a call more for each packet would cost a tenth of it. The
        epoll is level-triggered: what is left in a socket comes up again.
        """
        entries = self._entries
        buffer = self._buffer
        view = memoryview(buffer)
        unpack = HEADER.unpack_from
        pack = HEADER.pack_into
        clock = monotonic
        for descriptor, _ in self._epoll.poll(0, BATCH):
            entry = entries.get(descriptor)
            if entry is None:
                continue  # closed by what an earlier packet of this batch led to
            receive, stream = entry
            try:
                size = receive(buffer)
            except OSError:
                continue
            if stream is None or not size:
                continue
            now = clock()
            first, second, sequence, timestamp, ssrc = unpack(buffer)
            sent_type = stream.types[second & 0x7F]
            if (
                ssrc != stream.ssrc
                or sent_type > 0x7F
                or first != PLAIN_FIRST_BYTE
                or not HEADER_BYTES < size <= MAX_PACKET_BYTES
            ):
                source = stream.source
                if source is not None:
                    stream.receive_unusual(view[:size], source, now)
                continue
            stream.heard_at = now
            step = stream.reception.arrived(sequence, timestamp, now)
            if not 0 < step < RESTARTED or stream.sink is not None:
                payload = view[HEADER_BYTES:size]
                stream.pass_on(second, sequence, timestamp, payload, step, now)
                continue
            if stream.recording is not None:
                stream.recording.take(view[HEADER_BYTES:size], timestamp, now)
            outgoing = stream.target
            if outgoing is None or outgoing.send is None:
                continue
            translation = stream.translation
            if translation is not None:
                buffer[HEADER_BYTES:size] = buffer[HEADER_BYTES:size].translate(translation)
            sequence = (sequence + stream.sequence_offset) & 0xFFFF
            timestamp = (timestamp + stream.timestamp_offset) & 0xFFFFFFFF
            outgoing.sequence = sequence
            outgoing.timestamp = timestamp
            outgoing.sent_at = now
            outgoing.packets += 1
            outgoing.octets += size - HEADER_BYTES
            second = second & 0x80 | sent_type
            pack(buffer, 0, PLAIN_FIRST_BYTE, second, sequence, timestamp, outgoing.ssrc)
            try:
                outgoing.send(view[:size])
            except OSError:
                continue

    def _add(
        self,
        opened: socket.SocketType,
        receive: Callable[[bytearray], int],
        stream: Incoming | None,
    ) -> None:
        descriptor = opened.fileno()
        self._epoll.register(descriptor, select.EPOLLIN)
        self._entries[descriptor] = (receive, stream)


class ControlRelay:
    """Drains all ports' RTCP sockets in the same way; a few packets a second."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._pairs: dict[int, SocketPair] = {}
        self._buffer = bytearray(_BUFFER_BYTES)
        loop.add_reader(self._epoll.fileno(), self.drain)

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def add(self, pair: SocketPair) -> None:
        descriptor = pair.rtcp.fileno()
        self._epoll.register(descriptor, select.EPOLLIN)
        self._pairs[descriptor] = pair

    def remove(self, pair: SocketPair) -> None:
        descriptor = pair.rtcp.fileno()
        if self._pairs.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def drain(self) -> None:
        """Have a packet of each ready socket handled. Never raises."""
        for descriptor, _ in self._epoll.poll(0, BATCH):
            pair = self._pairs.get(descriptor)
            if pair is None:
                continue  # closed by what an earlier packet of this batch led to
            try:
                pair.receive_control(self._buffer)
            except OSError:
                continue
