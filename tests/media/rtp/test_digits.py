"""Digits of two legs that are joined: whatever way one far end sends them, the other is told."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from twoleg.media import dtmf, steady
from twoleg.media.codec import Codec
from twoleg.media.digit_sender import END_PACKETS, MAX_UNSENT
from twoleg.media.dtmf import DigitReceiver, event_payload

EVENT = 101


@pytest.fixture
async def call(plane, far_end):
    """Two connected legs that are joined: (left, right, agent, contact)."""
    agent, contact = far_end(ssrc=1), far_end(ssrc=2)
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream())
        right.connect(contact.stream())
        plane.bridge(left, right)
        yield left, right, agent, contact


def is_end(packet):
    return bool(packet.payload[1] & 0x80)


async def events(far, digits):
    """Receive until so many digits have ended; give all packets."""
    packets, ends = [], 0
    while ends < digits * END_PACKETS:
        packets.append(await far.receive())
        ends += packets[-1].payload_type == EVENT and is_end(packets[-1])
    return packets


def digits_of(packets) -> Iterator[str]:
    receiver = DigitReceiver()
    for packet in packets:
        digit = receiver.receive(packet.payload, packet.timestamp)
        if packet.payload_type == EVENT and digit is not None:
            yield digit


async def test_a_digit_by_info_goes_to_the_other_far_end_as_telephone_event(call):
    left, right, _agent, contact = call
    left.inject_digit("7")
    left.inject_digit("#")
    packets = await events(contact, 2)
    assert list(digits_of(packets)) == ["7", "#"]
    assert await left.digit() == "7"
    assert right.incoming.reception.received == 0
    first = packets[:7]
    assert [packet.marker for packet in first] == [True] + [False] * 6
    assert len({packet.timestamp for packet in first}) == 1
    numbers = [packet.sequence for packet in packets]
    assert numbers == [(numbers[0] + n) & 0xFFFF for n in range(len(numbers))]


async def test_the_audio_goes_on_after_a_digit_later_than_it(plane, call, until):
    left, right, agent, contact = call
    agent.send(left, b"a" * 160)
    before = await contact.receive()
    left.inject_digit("7")
    digit = await events(contact, 1)
    await until(lambda: right.playback is None)
    agent.send(left, b"b" * 160)
    after = await contact.receive()
    assert after.payload == b"b" * 160
    assert after.sequence == (digit[-1].sequence + 1) & 0xFFFF
    assert before.timestamp != digit[0].timestamp
    # The digit's 100 ms have passed by then.
    assert (after.timestamp - digit[0].timestamp) & 0xFFFFFFFF >= 5 * 160


async def test_a_far_end_without_telephone_event_is_told_by_signalling(plane, far_end, until):
    agent, gateway = far_end(ssrc=1), far_end(ssrc=2)
    carried = []
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream())
        right.connect(gateway.stream(dtmf_payload_type=None))
        right.listener = SimpleNamespace(send_digit=carried.append)
        plane.bridge(left, right)
        left.inject_digit("1")
        for _ in range(3):
            agent.send(left, event_payload("2", 160), payload_type=EVENT, ticks=0)
        await until(lambda: len(carried) == 2)
    assert carried == ["1", "2"]


async def test_a_telephone_event_is_passed_on_as_it_is_and_told_once(call):
    left, right, agent, contact = call
    carried = []
    right.listener = SimpleNamespace(send_digit=carried.append)
    agent.send(left, event_payload("5", 160), payload_type=EVENT)
    packet = await contact.receive()
    assert (packet.payload_type, packet.payload) == (EVENT, event_payload("5", 160))
    assert await left.digit() == "5"
    assert carried == []


async def test_a_press_that_is_told_by_event_and_by_info_is_one_digit(call):
    left, _right, agent, contact = call
    for _ in range(2):
        for duration in (160, 320, 480):
            payload = event_payload("5", duration, end=duration == 480)
            agent.send(left, payload, payload_type=EVENT, ticks=4800 if duration == 160 else 0)
        assert await left.digit() == "5"
        left.inject_digit("5")
    left.inject_digit("6")
    assert await left.digit() == "6"
    receiver, heard = DigitReceiver(), []
    while "6" not in heard:
        packet = await contact.receive()
        if (digit := receiver.receive(packet.payload, packet.timestamp)) is not None:
            heard.append(digit)
    assert heard == ["5", "5", "6"]


async def test_what_is_played_is_not_cut_by_a_digit(call, until):
    left, right, _agent, contact = call
    playing = right.play(steady((440,), 100), loop=True)
    left.inject_digit("7")
    assert (await contact.receive()).payload_type == 0
    playing.stop()
    assert await left.digit() == "7"


async def test_a_far_end_that_presses_without_end_fills_nothing(call):
    left, right, _agent, _contact = call
    for _ in range(10 * MAX_UNSENT):
        left.inject_digit("1")
    assert len(right.playback._digits) == MAX_UNSENT


async def test_digits_in_the_audio_are_found_while_somebody_listens(plane, far_end, received):
    agent = far_end()
    tones = dtmf("42").frames(Codec.PCMU)
    async with plane.open_port() as port:
        port.connect(agent.stream(dtmf_payload_type=None))
        for frame in tones:
            agent.send(port, bytes(frame))
        await received(port, len(tones))
        assert port.incoming.sink is None
        with port.listening():
            for frame in tones:
                agent.send(port, bytes(frame))
            assert [await port.digit(), await port.digit()] == ["4", "2"]
        assert port.incoming.sink is None


async def test_nothing_listens_to_the_audio_of_a_far_end_with_telephone_event(plane, far_end):
    agent = far_end()
    async with plane.open_port() as port:
        port.connect(agent.stream())
        with port.listening():
            assert port.incoming.sink is None
            port.connect(agent.stream(dtmf_payload_type=None))
            assert port.incoming.sink is not None


async def test_a_tap_hears_on_while_digits_are_looked_for(plane, far_end, received):
    agent, heard = far_end(), []
    async with plane.open_port() as port:
        port.connect(agent.stream(dtmf_payload_type=None))
        port.tap(lambda codec, payload: heard.append(codec))
        with port.listening():
            for frame in dtmf("9").frames(Codec.PCMU):
                agent.send(port, bytes(frame))
            assert await port.digit() == "9"
        agent.send(port)
        await received(port, 11)
        assert len(heard) == 11
