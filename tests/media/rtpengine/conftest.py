"""A real rtpengine, a plane on it, and phones whose sound is measured."""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from foreign_peers.rtpengine import Rtpengine

from twoleg.media import Codec, Decoder, EmbeddedPlane, RemoteStream, dominant_tone, steady
from twoleg.media import MediaPort as Phone
from twoleg.media.rtpengine import RtpenginePlane, RtpenginePort

LOOPBACK = "127.0.0.1"
PORTS = range(20_000, 60_000)
EVENT = 101
TONES = (330, 440, 620, 800, 1200)
FRAMES = 10
"""A fifth of a second tells which tone it is."""


class Line:
    """A phone that sends a tone of its own, connected to a leg's port at a node."""

    def __init__(self, phone: Phone, hertz: int) -> None:
        self.phone = phone
        self.hertz = hertz
        self.frames = 0
        self._last: deque[array[int]] = deque(maxlen=FRAMES)
        self._decoder = Decoder(Codec.PCMU)
        phone.tap(self._take)

    def connect(
        self, leg: RtpenginePort, codec: Codec = Codec.PCMU, *, event: int | None = EVENT
    ) -> None:
        """Agree on a codec, and begin to send the tone."""
        self.decode(codec)
        self.phone.connect(self._stream(leg.address, leg.port, codec, event))
        leg.connect(self.stream(codec, event=event))
        self.speak()

    def stream(
        self, codec: Codec = Codec.PCMU, *, event: int | None = EVENT, **changes: Any
    ) -> RemoteStream:
        """The phone, as the leg is told of it."""
        return self._stream(self.phone.address, self.phone.port, codec, event, **changes)

    def decode(self, codec: Codec) -> None:
        """Take what comes for a codec's."""
        self._decoder = Decoder(codec)

    def speak(self) -> None:
        self.phone.play(steady((self.hertz,), 1000), loop=True)

    async def hears(self, hertz: int) -> None:
        """Wait until that tone is what comes."""
        self._last.clear()
        await until(lambda: self._tone() == hertz)

    async def hears_nothing(self) -> None:
        """Wait until nothing comes for a while."""
        while True:
            before = self.frames
            await asyncio.sleep(FRAMES * 0.02)
            if self.frames == before:
                return

    def _tone(self) -> float | None:
        if len(self._last) < FRAMES:
            return None
        samples = array("h")
        for frame in self._last:
            samples.extend(frame)
        return dominant_tone(samples, self._decoder.codec.sample_rate, TONES)

    def _take(self, codec: Codec, payload: bytes) -> None:
        self.frames += 1
        self._last.append(self._decoder.decode(payload))

    @staticmethod
    def _stream(
        host: str, port: int, codec: Codec, event: int | None, **changes: Any
    ) -> RemoteStream:
        return RemoteStream(
            host=host, port=port, codec=codec, payload_type=codec.payload_type,
            dtmf_payload_type=event, **changes,
        )  # fmt: skip


async def until(condition) -> None:
    """Wait for what a node does, a moment after it was told to."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def shared_node() -> Iterator[Rtpengine]:
    with Rtpengine() as node:
        yield node
        assert node.is_running


@pytest.fixture
def node(shared_node: Rtpengine) -> Rtpengine:
    """A node for tests that leave it as it was."""
    assert shared_node.is_running
    return shared_node


@pytest.fixture
async def here() -> AsyncIterator[EmbeddedPlane]:
    """Ports of this process: the phones', and those that a plane hears with."""
    async with EmbeddedPlane.open(host=LOOPBACK, ports=PORTS) as here:
        yield here
        await until(lambda: here.ports_open == 0)


@asynccontextmanager
async def plane_at(here: EmbeddedPlane, *nodes: Rtpengine) -> AsyncIterator[RtpenginePlane]:
    async with RtpenginePlane.open([node.place for node in nodes], here) as plane:
        yield plane
        assert plane.ports_open == 0


@pytest.fixture
async def plane(node: Rtpengine, here: EmbeddedPlane) -> AsyncIterator[RtpenginePlane]:
    async with plane_at(here, node) as plane:
        yield plane


@pytest.fixture
async def agent(here: EmbeddedPlane) -> AsyncIterator[Line]:
    async with here.open_port() as phone:
        yield Line(phone, 440)


@pytest.fixture
async def contact(here: EmbeddedPlane) -> AsyncIterator[Line]:
    async with here.open_port() as phone:
        yield Line(phone, 620)
