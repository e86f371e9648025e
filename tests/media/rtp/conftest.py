"""Phones on loopback sockets, and a plane between them."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from twoleg.media import Codec, EmbeddedPlane, MediaPort, RemoteStream
from twoleg.media.rtp import RtpPacket

PORTS = range(20_000, 60_000)
LOOPBACK = "127.0.0.1"


class FarEnd:
    """A phone's media side: one RTP and one RTCP socket, which it reads when asked."""

    def __init__(self, *, ssrc: int = 0x1234, host: str = LOOPBACK) -> None:
        self.rtp = self._bind(host)
        self.rtcp = self._bind(host)
        self.host, self.port = self.rtp.getsockname()[:2]
        self.ssrc = ssrc
        self.sequence = 1000
        self.timestamp = 5000

    def stream(self, codec: Codec = Codec.PCMU, **changes: object) -> RemoteStream:
        fields: dict[str, object] = {
            "host": self.host,
            "port": self.port,
            "rtcp": self.rtcp.getsockname()[:2],
            "codec": codec,
            "payload_type": codec.payload_type,
            "dtmf_payload_type": 101,
        }
        return RemoteStream(**(fields | changes))  # type: ignore[arg-type]

    def send(
        self,
        port: MediaPort,
        payload: bytes = bytes(160),
        *,
        payload_type: int = 0,
        marker: bool = False,
        advance: int = 1,
        ticks: int = 160,
    ) -> None:
        """Send the next packet of the stream; `advance` above 1 leaves packets out."""
        self.sequence = (self.sequence + advance) & 0xFFFF
        self.timestamp = (self.timestamp + ticks * advance) & 0xFFFFFFFF
        packet = RtpPacket(
            payload_type=payload_type,
            marker=marker,
            sequence=self.sequence,
            timestamp=self.timestamp,
            ssrc=self.ssrc,
            payload=payload,
        )
        self.send_packet(port, packet)

    def send_packet(self, port: MediaPort, packet: RtpPacket) -> None:
        self.rtp.sendto(packet.to_bytes(), (port.address, port.port))

    async def receive(self) -> RtpPacket:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            return RtpPacket.parse(await loop.sock_recv(self.rtp, 2048))

    async def receive_control(self) -> bytes:
        async with asyncio.timeout(5):
            return await asyncio.get_running_loop().sock_recv(self.rtcp, 2048)

    def waiting(self) -> list[RtpPacket]:
        """What has come and was not read yet."""
        packets = []
        while True:
            try:
                packets.append(RtpPacket.parse(self.rtp.recv(2048)))
            except BlockingIOError:
                return packets

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    @staticmethod
    def _bind(host: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        bound.bind((host, 0))
        return bound


@pytest.fixture
async def plane() -> AsyncIterator[EmbeddedPlane]:
    async with EmbeddedPlane.open(host=LOOPBACK, ports=PORTS) as plane:
        yield plane
        assert plane.ports_open == 0


@pytest.fixture
def plane_of() -> Callable[..., AbstractAsyncContextManager[EmbeddedPlane]]:
    """A plane with just so many pairs, which are free now."""

    def open_plane(*, pairs: int) -> AbstractAsyncContextManager[EmbeddedPlane]:
        first = _free_ports(2 * pairs)
        return EmbeddedPlane.open(host=LOOPBACK, ports=range(first, first + 2 * pairs))

    return open_plane


@pytest.fixture
def free_ports() -> Callable[[int], range]:
    """Find a range of so many ports that are free now, which begins with an even one."""

    def find(count: int) -> range:
        first = _free_ports(count)
        return range(first, first + count)

    return find


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Wait for what the plane does by itself, in the same event loop."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0)

    return wait


@pytest.fixture
def received(
    until: Callable[[Callable[[], bool]], Awaitable[None]],
) -> Callable[[MediaPort, int], Awaitable[None]]:
    """Wait until a port has taken so many packets."""

    async def wait(port: MediaPort, packets: int) -> None:
        await until(lambda: port.incoming.reception.received >= packets)

    return wait


@pytest.fixture
def open_files() -> Callable[[], int]:
    """How many descriptors this process has open."""
    return lambda: sum(1 for _ in Path("/proc/self/fd").iterdir())


def _free_ports(count: int) -> int:
    for first in random.sample(range(20_000, 60_000, 2), 100):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    stack.enter_context(bound).bind((LOOPBACK, port))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports on this machine")


@pytest.fixture
async def far_end() -> AsyncIterator[Callable[..., FarEnd]]:
    made: list[FarEnd] = []

    def make(**options: object) -> FarEnd:
        made.append(FarEnd(**options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for end in made:
        end.close()
