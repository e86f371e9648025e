"""A network in virtual time under real phones: UDP between them, late, doubled and lost."""

import asyncio
import random
from dataclasses import dataclass

from calls.virtual_time import VirtualTimeLoop

HOST = "127.0.0.1"
DELAYS = (0.01, 0.01, 0.01, 0.02, 0.1, 0.3)
LOST = 0.04
DOUBLED = 0.04


@dataclass(frozen=True)
class Sent:
    """A datagram as it left."""

    at: float
    source: tuple
    target: tuple
    data: bytes

    @property
    def what(self):
        """The method of a request; of a response its status and the method that it answers."""
        first = self.data.partition(b"\r\n")[0].decode().split(" ")
        if first[0] != "SIP/2.0":
            return first[0]
        return int(first[1]), self.header("CSeq").split()[1]

    def header(self, name):
        for line in self.data.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
            field, _, value = line.partition(":")
            if field.lower() == name.lower():
                return value.strip()
        return None


class _Plug(asyncio.DatagramTransport):
    def __init__(self, wire, protocol, address):
        super().__init__({"sockname": address})
        self.wire = wire
        self.protocol = protocol
        self.address = address
        self.closed = False

    def sendto(self, data, addr=None):
        self.wire.carry(bytes(data), self.address, addr)

    def is_closing(self):
        return self.closed

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def close(self):
        if not self.closed:
            self.closed = True
            self.wire.plugs.pop(self.address)
            self.protocol.connection_lost(None)


class WiredLoop(VirtualTimeLoop):
    """Every UDP socket that is opened is plugged into the wire. `sent` is what left on it."""

    def __init__(self, seed):
        super().__init__(seed)
        self.plugs = {}
        self.sent = []
        self._draw = random.Random(seed)
        self._ports = iter(range(5060, 6000))

    async def create_datagram_endpoint(self, protocol_factory, **options):
        options["sock"].close()
        protocol = protocol_factory()
        address = (HOST, next(self._ports))
        plug = self.plugs[address] = _Plug(self, protocol, address)
        protocol.connection_made(plug)
        return plug, protocol

    def carry(self, data, source, target):
        self.sent.append(Sent(self.time(), source, target, data))
        if self._draw.random() < LOST:
            return
        for _ in range(2 if self._draw.random() < DOUBLED else 1):
            self.call_later(self._draw.choice(DELAYS), self._arrive, data, source, target)

    def _arrive(self, data, source, target):
        plug = self.plugs.get(target)
        if plug is not None:
            plug.protocol.datagram_received(data, source)
