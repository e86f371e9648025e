"""Ports, bridges and recordings that keep what was played, joined and recorded."""

import asyncio
from collections import deque
from contextlib import asynccontextmanager, contextmanager, suppress

from twoleg.calls.in_turn import InTurn
from twoleg.media import Codec, KeyAgreement, NoPortsLeft, OwnEnd, Quality
from twoleg.media.rtpengine import NoNodeLeft
from twoleg.media.rtpengine.descriptions import UnusableDescription

FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)


class MemoryPlayback:
    def __init__(self, port, seconds):
        self._loop = port.plane.loop
        self._ends_at = self._loop.time() + seconds
        self._port = port
        self._stopped = False
        self._cut_off = asyncio.Event()

    async def finished(self):
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._ends_at):
                await self._cut_off.wait()
        return not self._cut_off.is_set()

    def cut_off(self):
        if self._loop.time() < self._ends_at:
            self._cut_off.set()

    def stop(self):
        if not self._stopped and self._loop.time() < self._ends_at:
            self._port.cut_off_at.append(self._loop.time())
        self._stopped = True
        self.cut_off()


class MemoryPort:
    """`heard` tells what its far end was given to hear, one after another."""

    def __init__(self, plane, number):
        self.address = "192.0.2.1"
        self.port = number
        self.plane = plane
        self.given = None
        """What a media server would have made for it."""

        self.remote = None
        self.heard = []
        self.digits = deque()
        self.pressed = asyncio.Event()
        self.listeners = 0
        self.cut_off_at = []
        self.playing = None
        self.listener = None
        self.sink = None
        self.peer = None
        self.first = asyncio.Event()
        self.audio_stopped = asyncio.Event()

    def own_end(self, agreement):
        if self.given is not None:
            return self.given
        return OwnEnd(FINGERPRINT) if agreement is KeyAgreement.DTLS else OwnEnd()

    def connect(self, remote):
        self.remote = remote

    def play(self, audio, *, loop=False):
        assert self.remote is not None
        parts = (audio.first, audio.second) if isinstance(audio, InTurn) else (audio,)
        self.heard.extend(getattr(part, "audio", part) for part in parts)
        if self.playing is not None:
            self.playing.cut_off()
        seconds = sum(getattr(part, "seconds", 1.0) for part in parts)
        self.playing = MemoryPlayback(self, 1e6 if loop else seconds)
        return self.playing

    @contextmanager
    def listening(self):
        self.listeners += 1
        try:
            yield
        finally:
            self.listeners -= 1

    def stop_playing(self):
        self.heard.append("silence")

    async def digit(self):
        while not self.digits:
            self.pressed.clear()
            await self.pressed.wait()
        return self.digits.popleft()

    def inject_digit(self, digit):
        self.digits.append(digit)
        self.pressed.set()

    def tap(self, sink):
        self.sink = sink

    def record(self, track):
        self.track = track

    def hear(self):
        self.first.set()

    def receive(self, payload):
        if self.sink is not None:
            self.sink(Codec.PCMU, payload)

    async def first_packet(self):
        await self.first.wait()

    async def silent(self, seconds):
        await self.audio_stopped.wait()
        await asyncio.sleep(seconds)

    def quality(self):
        return Quality(
            packets_received=50, packets_lost=1, jitter_ms=1.23456, round_trip_ms=None, mos=4.1
        )


class MemoryBridge:
    def __init__(self, plane, left, right):
        self.plane = plane
        self.ends = (left, right)
        left.heard.append("far end")
        right.heard.append("far end")
        plane.bridges.append(self)
        self.made_at = plane.loop.time()
        self.made_in_step = plane.loop.steps

    def close(self):
        if self in self.plane.bridges:
            self.plane.bridges.remove(self)
            self.plane.closed_bridges.append(self)


class MemoryPlane:
    encrypts = True

    def __init__(self, ports):
        self.loop = asyncio.get_running_loop()
        self.open = {}
        self.used = []
        self.bridges = []
        self.closed_bridges = []
        self._next = 30000
        self._ports = ports

    @asynccontextmanager
    async def open_port(self, beside=None, agreement=None):
        await asyncio.sleep(0)
        if agreement is not None and not self.encrypts:
            raise NoNodeLeft([UnusableDescription("the node does not encrypt")])
        if len(self.open) == self._ports:
            raise NoPortsLeft(range(30000, 30002))
        self._next += 2
        port = self.open[self._next] = MemoryPort(self, self._next)
        self.used.append(port)
        try:
            yield port
        finally:
            del self.open[port.port]

    def bridge(self, left, right):
        return MemoryBridge(self, left, right)


class MemoryRecordings:
    """Keeps when each call was recorded, and by which ports."""

    def __init__(self):
        self.begun = []
        self.ended = []
        self.agents = []
        self.observer = None

    def begin(self, call_id, account_id, agent, contact, observer):
        self.observer = observer
        now = asyncio.get_running_loop().time()
        left = None if agent is None else agent.port
        self.begun.append((call_id, account_id, left, contact.port, now))

    def use_agent(self, call_id, agent):
        self.agents.append(None if agent is None else agent.port)

    def end(self, call_id):
        self.ended.append((call_id, asyncio.get_running_loop().time()))
