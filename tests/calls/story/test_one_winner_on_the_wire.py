"""The same crowds over the real SIP stack: two phones, and a network that is late and loses."""

import asyncio
import os
import random
from collections import Counter

import pytest
from calls.in_memory import (
    Answers,
    HangsUp,
    LoopClock,
    MemoryPlane,
    MemoryWriter,
    NamedPhrases,
    NamedTones,
    Refuses,
    Rings,
    leg_plan,
)
from calls.story.crowds import CONTACT, RING_SECONDS, crowd
from calls.story.test_one_winner import ELSEWHERE, ONLY, named, users_who_decline
from calls.wire import HOST, Plug, WiredLoop

from twoleg.calls.outcomes import Outcome
from twoleg.calls.ports import Equipment
from twoleg.calls.story import Story, StorySettings
from twoleg.sip import PCMU, AudioSession, Destination, LocalAudio, Transport
from twoleg.sip_io import KnownAddresses, Listen, Phone, PhoneConfig

CHUNKS = 3
RUNS = int(os.environ.get("TWOLEG_WINNER_RUNS", "20000")) // 50 // CHUNKS
LISTEN = (Listen(Transport.UDP, HOST),)
ALL_OVER_SECONDS = 120.0
"""Longer than any exchange goes on, retransmissions and all (RFC 3261 17.1.1.2: 32 s)."""


class Far:
    """All the agents and the contact, behind one phone."""

    def __init__(self, phone, behaviours):
        self.phone = phone
        self.behaviours = behaviours
        self.ends = {}

    async def serve(self):
        async with asyncio.TaskGroup() as calls:
            async for call in self.phone.incoming():
                calls.create_task(self._take(call))

    async def _take(self, call):
        name = call.request.uri.user
        assert name not in self.ends, "rung twice"
        self.ends[name] = None
        acting = asyncio.create_task(self._act(call, self.behaviours[name]))
        self.ends[name] = await call.ended()
        acting.cancel()
        await asyncio.wait((acting,))

    async def _act(self, call, behaviour):
        at = 0.0
        for act in behaviour:
            await asyncio.sleep(act.after - at)
            at = act.after
            match act:
                case Rings():
                    call.ring()
                case Answers():
                    audio = LocalAudio("192.0.2.7", 40000, (PCMU,))
                    call.accept(AudioSession(audio, 9).answer_offer(call.offer)[0])
                case Refuses():
                    call.reject(act.status)
                case HangsUp():
                    call.hang_up()


class Told:
    """What a crowd's call came to."""

    def __init__(self, loop, drawn):
        self.loop = loop
        self.drawn = drawn
        self.plane = MemoryPlane(100)
        self.writer = MemoryWriter()
        self.far = None

    async def tell(self):
        config = PhoneConfig(listen=LISTEN, accept_calls=True, max_incoming=64)
        async with (
            Phone.open(config, KnownAddresses({HOST})) as far_phone,
            Phone.open(PhoneConfig(listen=LISTEN), KnownAddresses({HOST})) as phone,
        ):
            self.far = Far(far_phone, self.drawn.behaviours)
            serving = asyncio.create_task(self.far.serve())
            await self._run(phone, far_phone)
            serving.cancel()
            await asyncio.wait((serving,))
        self.writer.close()
        assert not self.plane.open
        assert not self.plane.bridges

    async def _run(self, phone, far_phone):
        ((_, there),) = far_phone.addresses
        to_far = (Destination(Transport.UDP, there.host, there.port),)
        drawn = crowd(
            self.drawn.seed,
            lambda name: leg_plan(name, destinations=to_far),
            screened=False,
        )
        plan = drawn.plan(leg_plan(CONTACT, trunk_id=1, destinations=to_far), max_seconds=60.0)
        equipment = Equipment(phone, self.plane, NamedTones(), NamedPhrases())
        settings = StorySettings(tone_seconds=1.0, silent_seconds=None)
        clock = LoopClock(self.loop)
        story = Story(plan, equipment, self.writer, clock=clock, settings=settings)
        task = asyncio.create_task(story.run())
        timers = []
        if drawn.hang_up_at is not None:
            timers.append(self.loop.call_at(drawn.hang_up_at, story.hang_up))
        if drawn.stop_at is not None:
            timers.append(self.loop.call_at(drawn.stop_at, task.cancel))
        await asyncio.wait((task,))
        for timer in timers:
            timer.cancel()
        async with asyncio.timeout(ALL_OVER_SECONDS):
            while phone.legs or far_phone.legs:  # noqa: ASYNC110  nobody tells of it
                await asyncio.sleep(0.5)


def tell(seed):
    loop = WiredLoop(seed)
    try:
        asyncio.set_event_loop(loop)

        async def main():
            told = Told(loop, crowd(seed, screened=False))
            await told.tell()
            return told

        told = loop.run_until_complete(main())
        assert not asyncio.all_tasks(loop)
        return told
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def assert_ended_on_the_wire(exchange, ours):
    """Each INVITE came to a final response that was acknowledged, each dialog to a BYE."""
    whats = {sent.what for sent in exchange}
    finals = {what[0] for what in whats if what[1:] == ("INVITE",) and what[0] >= 200}
    if not finals:
        # It never arrived, or was given up: nothing may be left to answer.
        assert "ACK" not in whats
        assert "CANCEL" in whats or not [sent for sent in exchange if sent.source != ours]
        return False
    assert "ACK" in whats
    answered = any(final < 300 for final in finals)
    if answered:
        assert "BYE" in whats
        assert any(what[1:] == ("BYE",) for what in whats)
    return answered


def dialled(exchange):
    """The name that an INVITE went to."""
    return exchange[0].data.split(b" ")[1].decode().partition("@")[0].removeprefix("sip:")


def assert_one_has_it(told):
    sent, writer = told.loop.sent, told.writer
    ours = next(each.source for each in sent if each.what == "INVITE") if sent else None
    exchanges = {}
    for each in sent:
        exchanges.setdefault(each.header("Call-ID"), []).append(each)
    answered, elsewhere = set(), set()
    for exchange in exchanges.values():
        name = dialled(exchange)
        if assert_ended_on_the_wire(exchange, ours):
            answered.add(name)
        reasons = {each.header("Reason") for each in exchange if each.source == ours}
        if ELSEWHERE in reasons:
            elsewhere.add(name)
    connected = [each for each in writer.changes if str(each.status) == "agent_connected"]
    assert len(connected) <= 1
    winner = None
    if connected:
        row = writer.legs[connected[0].event.data["leg"]]
        winner = row.to_uri.removeprefix("sip:").partition("@")[0]
        assert winner in answered
        assert told.drawn.users[winner] == row.user_id == connected[0].event.data["user_id"]
        for name in answered - {winner, CONTACT}:
            # Whoever else was answered had hung up, or is ended with its ACK.
            exchange = next(each for each in exchanges.values() if dialled(each) == name)
            ends = [each for each in exchange if each.what == "BYE"]
            acknowledged_at = next(each.at for each in exchange if each.what == "ACK")
            assert any(each.source != ours or each.at - acknowledged_at < 0.01 for each in ends)
            too_late = acknowledged_at - exchange[0].at >= RING_SECONDS
            declined = told.drawn.users[name] in users_who_decline(told.drawn)
            hung_up = any(each.source != ours for each in ends)
            assert name in elsewhere or too_late or declined or hung_up
    assert winner not in elsewhere
    assert CONTACT not in elsewhere
    joined = {port for bridge in told.plane.closed_bridges for port in bridge.ends}
    assert len(joined) in (0, 2)
    assert (CONTACT in told.far.ends) <= (winner is not None)
    ending = writer.ending
    assert (ending.outcome is Outcome.CONNECTED) <= (CONTACT in answered and bool(joined))
    assert ending.answered_by == (None if winner is None else told.drawn.users[winner])
    for row in writer.legs.values():
        assert row.ended_at is not None
        assert row.dialog is None
    assert all(end is not None for end in told.far.ends.values())
    return answered & elsewhere


@pytest.fixture(autouse=True)
def wired(monkeypatch):
    monkeypatch.setattr("twoleg.sip_io.transports.UdpEndpoint", Plug)


@pytest.fixture
def same_tokens(monkeypatch):
    """Identifiers are drawn from the seed too, so that a run is the same again."""

    def draw_from(seed):
        draw = random.Random(seed)
        monkeypatch.setattr("secrets.token_hex", lambda size=32: draw.randbytes(size).hex())

    return draw_from


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_on_the_wire_every_leg_but_the_winners_is_ended_properly(chunk, same_tokens):
    seen = Counter()
    seeds = range(chunk * RUNS, (chunk + 1) * RUNS)
    if ONLY is not None:
        seeds = [int(ONLY)] if chunk == 0 else []
    for seed in seeds:
        with named(seed):
            same_tokens(seed)
            told = tell(seed)
            crossed = assert_one_has_it(told)
        seen[told.writer.ending.outcome] += 1
        seen["answered elsewhere"] += bool(crossed)
    if ONLY is None and RUNS >= 100:
        assert seen[Outcome.CONNECTED] > 0
        assert seen[Outcome.CANCELED] > 0
        assert seen["answered elsewhere"] > 0
