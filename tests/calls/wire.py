"""A network in virtual time under real phones: UDP between them, late, doubled and lost."""

import asyncio
import random
from dataclasses import dataclass

from calls.virtual_time import VirtualTimeLoop

from twoleg.sip import Address, Flow, Transport

HOST = "127.0.0.1"
DELAYS = (0.01, 0.01, 0.01, 0.02, 0.1, 0.3)
LOST = 0.04
DOUBLED = 0.04


@dataclass(frozen=True)
class Sent:
    """A datagram as it left."""

    at: float
    source: Address
    target: Address
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


class Plug:
    """The end of the wire that one phone has, in place of its `UdpEndpoint`."""

    def __init__(self, wire, inbox, local):
        self.wire = wire
        self.inbox = inbox
        self.local = local

    @classmethod
    def open(cls, inbox, host, port):
        """Plug in: the event loop is the wire."""
        return asyncio.get_running_loop().plugged(inbox)

    def send(self, data, host, port):
        self.wire.carry(data, self.local, Address(host, port))
        return True

    def receive(self, data, source):
        self.inbox.datagrams([(data, Flow(Transport.UDP, self.local, source))])

    def close(self):
        del self.wire.plugs[self.local]


class WiredLoop(VirtualTimeLoop):
    """Has a wire to `Plug` phones into. `sent` is what left on it."""

    def __init__(self, seed):
        super().__init__(seed)
        self.plugs = {}
        self.sent = []
        self._draw = random.Random(seed)
        self._ports = iter(range(5060, 6000))

    def plugged(self, inbox):
        local = Address(HOST, next(self._ports))
        plug = self.plugs[local] = Plug(self, inbox, local)
        return plug

    def carry(self, data, source, target):
        self.sent.append(Sent(self.time(), source, target, data))
        if self._draw.random() < LOST:
            return
        for _ in range(2 if self._draw.random() < DOUBLED else 1):
            self.call_later(self._draw.choice(DELAYS), self._arrive, data, source, target)

    def _arrive(self, data, source, target):
        plug = self.plugs.get(target)
        if plug is not None:
            plug.receive(data, source)
