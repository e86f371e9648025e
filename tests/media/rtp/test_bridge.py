"""Two legs joined: each far end hears the other, with numbers that never break."""

import asyncio
from itertools import pairwise

import pytest

from twoleg.media import Codec, CodecMismatch
from twoleg.media.dtmf import event_payload
from twoleg.media.g711 import ALAW_TO_ULAW, ULAW_TO_ALAW
from twoleg.media.rtp import RtpPacket


class Frames:
    """Audio of so many frames, each filled with its number."""

    def __init__(self, count):
        self.count = count

    def frames(self, codec):
        return [bytes([number]) * codec.frame_bytes for number in range(self.count)]


@pytest.fixture
async def call(plane, far_end):
    """Two connected legs, not bridged yet: (left, right, agent, contact)."""
    agent, contact = far_end(ssrc=1), far_end(ssrc=2)
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream())
        right.connect(contact.stream())
        yield left, right, agent, contact


def elapsed(packets):
    """Steps of sequence number and timestamp from each packet to the next."""
    pairs = list(pairwise(packets))
    return (
        [(b.sequence - a.sequence) & 0xFFFF for a, b in pairs],
        [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairs],
    )


async def test_each_far_end_hears_the_other(plane, call):
    left, right, agent, contact = call
    plane.bridge(left, right)
    for number in range(3):
        agent.send(left, bytes([number]) * 160)
        contact.send(right, bytes([100 + number]) * 160)
        assert (await contact.receive()).payload == bytes([number]) * 160
        assert (await agent.receive()).payload == bytes([100 + number]) * 160


async def test_mu_law_and_a_law_are_translated_into_each_other(plane, far_end):
    agent, contact = far_end(ssrc=1), far_end(ssrc=2)
    every_code = bytes(range(256))
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream(Codec.PCMU))
        right.connect(contact.stream(Codec.PCMA))
        plane.bridge(left, right)
        for _ in range(2):
            agent.send(left, every_code, payload_type=0)
            heard = await contact.receive()
            assert (heard.payload_type, heard.payload) == (8, ULAW_TO_ALAW)
            contact.send(right, every_code, payload_type=8)
            heard = await agent.receive()
            assert (heard.payload_type, heard.payload) == (0, ALAW_TO_ULAW)


async def test_g722_passes_as_it_is(plane, far_end):
    agent, contact = far_end(), far_end()
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream(Codec.G722))
        right.connect(contact.stream(Codec.G722))
        plane.bridge(left, right)
        agent.send(left, b"w" * 160, payload_type=9)
        heard = await contact.receive()
        assert (heard.payload_type, heard.payload) == (9, b"w" * 160)


async def test_codecs_without_a_table_between_them_are_refused(plane, far_end):
    agent, contact = far_end(), far_end()
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream(Codec.G722))
        right.connect(contact.stream(Codec.PCMU))
        with pytest.raises(CodecMismatch):
            plane.bridge(left, right)
        assert left.bridge is None


async def test_a_listener_hears_one_stream_whatever_its_source(plane, call):
    left, right, agent, contact = call
    plane.bridge(left, right)
    contact.send(right)
    contact.send(right)
    heard = [await agent.receive(), await agent.receive()]
    playback = left.play(Frames(3))
    await playback.finished()
    heard += [await agent.receive() for _ in range(3)]
    contact.send(right)
    contact.send(right)
    heard += [await agent.receive(), await agent.receive()]
    sequences, timestamps = elapsed(heard)
    assert sequences == [1] * 6
    assert {packet.ssrc for packet in heard} == {left.outgoing.ssrc}
    assert [packet.marker for packet in heard] == [True, False, True, False, False, True, False]
    within_prompt = timestamps[2:4]
    assert within_prompt == [160, 160]
    assert all(step >= 160 for step in timestamps)


async def test_the_timestamp_at_a_joint_advances_by_the_time_that_passed(plane, call):
    left, right, agent, contact = call
    bridge = plane.bridge(left, right)
    loop = asyncio.get_running_loop()
    began = loop.time()
    contact.send(right)
    before = await agent.receive()
    bridge.close()
    await asyncio.sleep(0.2)
    plane.bridge(left, right)
    contact.send(right)
    after = await agent.receive()
    passed = loop.time() - began
    step = (after.timestamp - before.timestamp) & 0xFFFFFFFF
    assert 0.19 * 8000 <= step <= (passed + 0.1) * 8000
    assert after.marker


async def test_a_far_end_that_begins_a_new_stream_goes_on_in_ours(plane, call):
    left, right, agent, contact = call
    plane.bridge(left, right)
    contact.send(right)
    contact.send(right)
    contact.ssrc, contact.sequence, contact.timestamp = 99, 40_000, 7
    contact.send(right)
    contact.send(right)
    heard = [await agent.receive() for _ in range(4)]
    assert elapsed(heard)[0] == [1, 1, 1]
    assert [packet.marker for packet in heard] == [True, False, True, False]
    assert left.outgoing.packets == 4
    assert right.quality().packets_lost == 0


async def test_loss_and_reordering_show_in_what_is_passed_on(plane, call):
    left, right, agent, contact = call
    plane.bridge(left, right)
    contact.send(right)
    first = await agent.receive()
    base = contact.sequence
    for offset in (1, 4, 3, 3, 5):
        contact.sequence, contact.timestamp = base + offset - 1, 160 * (base + offset - 1)
        contact.send(right, bytes([offset]) * 160)
    heard = [await agent.receive() for _ in range(4)]
    assert [(p.sequence - first.sequence) & 0xFFFF for p in heard] == [1, 4, 3, 5]
    assert [p.payload[0] for p in heard] == [1, 4, 3, 5]


async def test_digits_pass_with_the_other_legs_payload_type_and_in_step(plane, far_end):
    agent, contact = far_end(ssrc=1), far_end(ssrc=2)
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream(dtmf_payload_type=101))
        right.connect(contact.stream(dtmf_payload_type=96))
        plane.bridge(left, right)
        agent.send(left)
        voice = await contact.receive()
        start = agent.timestamp + 160
        agent.send(left, event_payload("7", 160), payload_type=101, marker=True)
        for duration in (320, 480):
            agent.send(left, event_payload("7", duration), payload_type=101, ticks=0)
        events = [await contact.receive() for _ in range(3)]
        assert [event.payload_type for event in events] == [96] * 3
        assert [event.marker for event in events] == [True, False, False]
        assert {event.timestamp for event in events} == {(voice.timestamp + 160) & 0xFFFFFFFF}
        assert [(e.sequence - voice.sequence) & 0xFFFF for e in events] == [1, 2, 3]
        assert start == agent.timestamp
        assert await left.digit() == "7"


async def test_digits_that_the_other_leg_does_not_take_leave_no_gap(plane, far_end):
    agent, contact = far_end(ssrc=1), far_end(ssrc=2)
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream())
        right.connect(contact.stream(dtmf_payload_type=None))
        plane.bridge(left, right)
        agent.send(left)
        for duration in (160, 320):
            agent.send(left, event_payload("7", duration), payload_type=101, ticks=0)
        agent.send(left)
        heard = [await contact.receive(), await contact.receive()]
        assert elapsed(heard)[0] == [1]
        assert await left.digit() == "7"


@pytest.mark.parametrize("agreed", [True, False])
async def test_comfort_noise_passes_only_to_a_leg_that_agreed_on_it(plane, far_end, agreed):
    agent, contact = far_end(ssrc=1), far_end(ssrc=2)
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream())
        right.connect(contact.stream(comfort_noise=agreed))
        plane.bridge(left, right)
        agent.send(left)
        agent.send(left, b"\x40", payload_type=13)
        agent.send(left)
        heard = [await contact.receive() for _ in range(3 if agreed else 2)]
        assert [p.payload_type for p in heard] == ([0, 13, 0] if agreed else [0, 0])
        assert set(elapsed(heard)[0]) == {1}


async def test_a_leg_on_hold_gets_nothing_and_goes_on_afterwards(plane, call, received):
    left, right, agent, contact = call
    plane.bridge(left, right)
    contact.send(right)
    before = await agent.receive()
    left.connect(agent.stream(sending=False))
    for _ in range(3):
        contact.send(right)
    await received(right, 4)
    agent.send(left, b"a" * 160)
    assert (await contact.receive()).payload == b"a" * 160
    assert agent.waiting() == []
    left.connect(agent.stream())
    contact.send(right, b"z" * 160)
    after = await agent.receive()
    assert after.payload == b"z" * 160
    assert elapsed([before, after])[0] == [1]
    assert after.marker


async def test_a_far_end_that_should_be_still_is_not_passed_on(plane, call, received):
    left, right, agent, contact = call
    plane.bridge(left, right)
    right.connect(contact.stream(receiving=False))
    contact.send(right)
    await received(right, 1)
    assert agent.waiting() == []


async def test_a_codec_change_in_the_middle_of_a_call_is_followed(plane, call):
    left, right, agent, contact = call
    plane.bridge(left, right)
    agent.send(left, b"\xff" * 160)
    first = await contact.receive()
    right.connect(contact.stream(Codec.PCMA))
    agent.send(left, b"\xff" * 160)
    second = await contact.receive()
    assert (first.payload_type, second.payload_type) == (0, 8)
    assert second.payload == b"\xff".translate(ULAW_TO_ALAW) * 160
    assert elapsed([first, second])[0] == [1]


async def test_extensions_and_sources_are_taken_off(plane, call):
    left, right, agent, contact = call
    plane.bridge(left, right)
    plain = RtpPacket(payload_type=0, sequence=1, timestamp=2, ssrc=1, payload=b"").to_bytes()
    extended = b"\x91" + plain[1:] + bytes(4) + b"\xbe\xde\x00\x01abcd" + b"v" * 160
    agent.rtp.sendto(extended, (left.address, left.port))
    heard = await contact.receive()
    assert heard.payload == b"v" * 160


async def test_other_payload_types_and_garbage_are_dropped_and_counted(plane, call):
    left, right, agent, contact = call
    plane.bridge(left, right)
    agent.send(left, payload_type=77)
    for garbage in (b"", b"x", bytes(12), b"\x80", b"\xff" * 1600, b"\x9f\x00" + bytes(11)):
        agent.rtp.sendto(garbage, (left.address, left.port))
    agent.send(left, b"v" * 160)
    assert (await contact.receive()).payload == b"v" * 160
    assert left.quality().packets_rejected == 7


async def test_a_bridge_ends_what_is_played(plane, call):
    left, right, agent, contact = call
    playback = left.play(Frames(100), loop=True)
    await agent.receive()
    plane.bridge(left, right)
    await playback.finished()
    agent.waiting()
    contact.send(right, b"c" * 160)
    assert (await agent.receive()).payload == b"c" * 160


async def test_a_port_bridged_anew_leaves_its_old_bridge(plane, call, far_end):
    left, right, agent, contact = call
    other = far_end(ssrc=3)
    plane.bridge(left, right)
    async with plane.open_port() as third:
        third.connect(other.stream())
        plane.bridge(left, third)
        agent.send(left, b"a" * 160)
        assert (await other.receive()).payload == b"a" * 160
        assert contact.waiting() == []
        assert right.bridge is None


async def test_closing_a_port_closes_its_bridge(plane, far_end):
    agent, contact = far_end(ssrc=1), far_end(ssrc=2)
    async with plane.open_port() as left:
        left.connect(agent.stream())
        async with plane.open_port() as right:
            right.connect(contact.stream())
            bridge = plane.bridge(left, right)
        assert left.bridge is None
        bridge.close()
        agent.send(left)
        async with asyncio.timeout(5):
            await left.first_packet()
        assert contact.waiting() == []
