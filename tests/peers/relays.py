"""What may lie between two phones: a front that speaks TLS, a network that loses packets."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager

from foreign_peers.ports import LOOPBACK

from twoleg.sip import Destination, Transport


class TlsFront:
    """Takes TLS connections and passes what comes over to a TCP port, `behind`."""

    def __init__(self):
        self.behind = 0
        self.connections = 0
        self.port = 0

    @property
    def destination(self):
        return Destination(Transport.TLS, LOOPBACK, self.port)

    async def serve(self, reader, writer):
        self.connections += 1
        inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, self.behind)
        try:
            await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))
        finally:
            inner_writer.close()
            writer.close()


async def _pass(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def tls_front(context):
    front = TlsFront()
    server = await asyncio.start_server(front.serve, LOOPBACK, 0, ssl=context)
    front.port = server.sockets[0].getsockname()[1]
    async with server:
        yield front


class LossyNetwork(asyncio.DatagramProtocol):
    """Passes datagrams between a caller and a callee, loses some, doubles some others."""

    def __init__(self, seed=0, loss=0, doubled=0, lose_first=()):
        self._chance = random.Random(seed)
        self._loss = loss
        self._doubled = doubled
        self._lose_first = list(lose_first)
        self._caller = None
        self.behind = 0
        self.lost = 0
        self.port = 0

    @property
    def destination(self):
        return Destination(Transport.UDP, LOOPBACK, self.port)

    def connection_made(self, transport):
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, addr):
        if addr[1] == self.behind:
            there = self._caller
        else:
            self._caller, there = addr, (LOOPBACK, self.behind)
        if self._chance.random() < self._loss or self._is_first(data):
            self.lost += 1
            return
        self._transport.sendto(data, there)
        if self._chance.random() < self._doubled:
            self._transport.sendto(data, there)

    def _is_first(self, data):
        for start in self._lose_first:
            if data.startswith(start):
                self._lose_first.remove(start)
                return True
        return False


@asynccontextmanager
async def lossy_network(**faults):
    """Give a network that loses the part `loss` at random, and the first that starts as told."""
    loop = asyncio.get_running_loop()
    transport, network = await loop.create_datagram_endpoint(
        lambda: LossyNetwork(**faults), local_addr=(LOOPBACK, 0)
    )
    try:
        yield network
    finally:
        transport.close()
