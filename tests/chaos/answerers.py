"""Everybody who is rung in a chaos run, behind one address: what they do, and what they saw."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sessions import Scripted

from twoleg.sip import PCMU, AudioSession, LocalAudio, SessionRejected, Transport
from twoleg.sip_io import IncomingCall, KnownAddresses, Listen, Phone, PhoneConfig

LOOPBACK = "127.0.0.1"
AGENTS, CONTACTS = "+4143", "+4144"
MAX_CALLS = 5000


@dataclass(eq=False)
class RungLeg:
    """One INVITE, and what became of it; times are of the monotonic clock."""

    number: str
    engine_port: int
    rang_at: float
    has_answered: bool = False
    up_at: float | None = None
    over_at: float | None = None
    ended_by_caller: bool = False
    is_left: bool = False
    """Its engine was killed, or ended, while it was there."""

    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_known(self) -> bool:
        """Whether another engine can end it: one whose answer gets no ACK gives up by itself.

        RFC 3261 13.3.1.4: it repeats its answer for 32 s, then ends the dialog.
        """
        return self.up_at is not None or not self.has_answered

    @property
    def is_over(self) -> bool:
        return self.over_at is not None


@dataclass(frozen=True)
class Fate:
    """What comes of an INVITE; None stands for ever."""

    ring_seconds: float | None
    talk_seconds: float | asyncio.Event | None = None
    """Or what ends the talk."""

    is_busy: bool = False


@dataclass
class Answerers:
    """Answer, refuse, or let it ring, as a seeded chance has it."""

    fate_of: Callable[[str], Fate]
    legs: list[RungLeg] = field(default_factory=list)
    rung: Counter[str] = field(default_factory=Counter)
    port: int = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, fate_of: Callable[[str], Fate]) -> AsyncIterator[Answerers]:
        """Take calls; `fate_of` is asked about the number of each INVITE as it comes."""
        config = PhoneConfig(
            listen=(Listen(Transport.UDP, LOOPBACK),), accept_calls=True, max_incoming=MAX_CALLS
        )
        async with Phone.open(config, KnownAddresses({LOOPBACK})) as phone:
            [(_, address)] = phone.addresses
            answerers = cls(fate_of, port=address.port)
            taking = asyncio.create_task(answerers._take_calls(phone))
            try:
                yield answerers
            finally:
                taking.cancel()
                await asyncio.gather(taking, return_exceptions=True)

    async def _take_calls(self, phone: Phone) -> None:
        async with asyncio.TaskGroup() as calls:
            async for call in phone.incoming():
                number = user_of(str(call.request.uri))
                self.rung[number] += 1
                leg = RungLeg(number, call.flow.remote.port, time.monotonic())
                self.legs.append(leg)
                calls.create_task(self._take(call, leg))

    async def _take(self, call: IncomingCall, leg: RungLeg) -> None:
        over = asyncio.ensure_future(call.ended())
        try:
            behaving = asyncio.ensure_future(self._behave(call, leg))
            await asyncio.wait({over, behaving}, return_when=asyncio.FIRST_COMPLETED)
            behaving.cancel()
            await asyncio.gather(behaving, return_exceptions=True)
            leg.ended_by_caller = over.done()
        finally:
            leg.over_at = time.monotonic()
            leg.over.set()
            over.cancel()
            call.hang_up()

    async def _behave(self, call: IncomingCall, leg: RungLeg) -> None:
        fate = self.fate_of(leg.number)
        call.ring()
        await _lasts(fate.ring_seconds)
        if fate.is_busy:
            call.reject(486)
            return
        try:
            self._answer(call)
        except SessionRejected:
            call.reject(488)
            return
        leg.has_answered = True
        if await call.leg.established():
            leg.up_at = time.monotonic()
            await _lasts(fate.talk_seconds)

    @staticmethod
    def _answer(call: IncomingCall) -> None:
        session = AudioSession(LocalAudio(LOOPBACK, 9, (PCMU,)), random.getrandbits(62))
        body, _ = session.answer_offer(call.offer)
        call.accept(body, Scripted(answer_offer=lambda offer: session.answer_offer(offer)[0]))


def user_of(uri: str) -> str:
    """Give the user part of a URI, or of a name and address."""
    return uri.partition("sip:")[2].partition("@")[0]


def seeded(chance: random.Random) -> Callable[[str], Fate]:
    """Leave it to chance: most answer, and every other contact hangs up by itself."""

    def fate_of(number: str) -> Fate:
        fate, ring, talk = chance.random(), chance.uniform(0.1, 2.0), chance.uniform(1.0, 12.0)
        if fate < 0.04:
            return Fate(None)
        waits = number.startswith(AGENTS) or fate < 0.5
        return Fate(ring, None if waits else talk, is_busy=fate < 0.08)

    return fate_of


async def _lasts(seconds: float | asyncio.Event | None) -> None:
    if seconds is None:
        await asyncio.Event().wait()
    elif isinstance(seconds, asyncio.Event):
        await seconds.wait()
    else:
        await asyncio.sleep(seconds)
