"""Symmetric RTP: a phone behind a NAT is found, and nobody else gets its stream."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media.latch import (
    MAX_CANDIDATES,
    PACKETS_TO_LEARN,
    RELATCH_SILENCE_SECONDS,
    Latch,
    socket_address,
)

SIGNALLED = ("192.0.2.1", 4000)
PHONE = ("198.51.100.7", 31_000)
THIEF = ("203.0.113.66", 6666)
SILENT = RELATCH_SILENCE_SECONDS


def latch_on(signalled=SIGNALLED):
    latch = Latch()
    latch.open(signalled)
    return latch


def sends(latch, source, *, ssrc=1, packets=PACKETS_TO_LEARN, first=100, silent=0.0):
    """Whether the last of so many packets in a row is accepted."""
    accepted = False
    for sequence in range(first, first + packets):
        accepted = latch.accepts(source, ssrc, sequence & 0xFFFF, silent_seconds=silent)
    return accepted


def test_the_signalled_address_counts_at_once():
    latch = latch_on()
    assert sends(latch, SIGNALLED, packets=1)
    assert latch.destination == SIGNALLED


def test_another_address_is_learned_from_packets_in_order():
    latch = latch_on()
    assert not sends(latch, PHONE, packets=PACKETS_TO_LEARN - 1)
    assert latch.destination == SIGNALLED
    assert sends(latch, PHONE, packets=1, first=100 + PACKETS_TO_LEARN - 1)
    assert latch.destination == PHONE


def test_packets_out_of_order_prove_nothing():
    latch = latch_on()
    for sequence in (1, 500, 7, 9000, 3, 60_000):
        assert not latch.accepts(PHONE, 1, sequence, silent_seconds=0)


def test_changing_ssrcs_prove_nothing():
    latch = latch_on()
    for number in range(10):
        assert not latch.accepts(PHONE, number, number, silent_seconds=0)


def test_a_third_party_cannot_take_a_latched_stream():
    latch = latch_on()
    sends(latch, PHONE)
    assert not sends(latch, THIEF, ssrc=9, packets=50)
    assert not sends(latch, THIEF, ssrc=1, packets=50)
    assert latch.destination == PHONE


def test_a_third_party_cannot_take_a_silent_stream_without_its_ssrc():
    latch = latch_on()
    sends(latch, PHONE, ssrc=1)
    assert not sends(latch, THIEF, ssrc=9, packets=50, silent=SILENT)


def test_a_phone_whose_nat_gave_it_a_new_port_is_found_again_after_silence():
    latch = latch_on()
    sends(latch, PHONE, ssrc=1)
    moved = (PHONE[0], 32_000)
    assert not sends(latch, moved, ssrc=1, silent=0.1)
    assert sends(latch, moved, ssrc=1, silent=SILENT)


def test_the_signalled_address_outranks_one_that_was_learned():
    latch = latch_on()
    sends(latch, THIEF)
    assert sends(latch, SIGNALLED, packets=1)
    assert not sends(latch, THIEF, packets=50)


def test_a_new_offer_with_the_same_address_keeps_the_learned_one_from_third_parties():
    latch = latch_on()
    sends(latch, PHONE)
    latch.open(SIGNALLED)
    assert latch.destination == PHONE
    assert not sends(latch, THIEF, ssrc=9)
    assert sends(latch, THIEF, ssrc=9, silent=SILENT), "the old one is gone, and we were told so"


def test_a_new_offer_with_another_address_learns_anew():
    latch = latch_on()
    sends(latch, PHONE)
    latch.open(("192.0.2.9", 4000))
    assert latch.destination == ("192.0.2.9", 4000)


def test_a_flood_of_candidates_does_not_grow_memory():
    latch = latch_on()
    for number in range(1000):
        latch.accepts(("203.0.113.1", 1024 + number), number, 1, silent_seconds=0)
    assert len(latch._candidates) <= MAX_CANDIDATES


@given(
    st.lists(
        st.tuples(
            st.sampled_from([THIEF, ("203.0.113.67", 6666)]),
            st.integers(0, 3),
            st.integers(0, 20),
        ),
        max_size=60,
    )
)
def test_no_sequence_of_packets_takes_over_a_stream_that_is_heard(packets):
    latch = latch_on()
    sends(latch, PHONE, ssrc=1)
    for source, ssrc, sequence in packets:
        assert not latch.accepts(source, ssrc, sequence, silent_seconds=0.02)
    assert latch.destination == PHONE


@pytest.mark.parametrize("host", ["phone.example.net", "0.0.0.0", "::", "239.1.2.3", "", "1.2.3"])
def test_what_is_no_single_reachable_address_is_not_sent_to(host):
    assert socket_address(host, 4000) is None


def test_port_nought_is_not_sent_to():
    assert socket_address("192.0.2.1", 0) is None


async def test_a_thief_on_the_wire_neither_hears_nor_is_heard(plane, far_end, until):
    phone, thief, other = far_end(ssrc=1), far_end(ssrc=1), far_end(ssrc=2)
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(phone.stream())
        right.connect(other.stream())
        plane.bridge(left, right)
        phone.send(left, b"p" * 160)
        assert (await other.receive()).payload == b"p" * 160
        for _ in range(20):
            thief.send(left, b"t" * 160)
        phone.send(left, b"q" * 160)
        assert (await other.receive()).payload == b"q" * 160
        other.send(right, b"o" * 160)
        assert (await phone.receive()).payload == b"o" * 160
        assert thief.waiting() == []
        await until(lambda: left.quality().packets_rejected == 20)
        assert thief.waiting() == []


async def test_a_phone_behind_a_nat_is_heard_and_hears(plane, far_end):
    phone, other = far_end(ssrc=1), far_end(ssrc=2)
    async with plane.open_port() as left, plane.open_port() as right:
        unreachable = {"host": "127.0.0.2", "port": 9, "rtcp": None}
        left.connect(phone.stream(**unreachable))
        right.connect(other.stream())
        plane.bridge(left, right)
        for _ in range(PACKETS_TO_LEARN):
            phone.send(left)
        async with asyncio.timeout(5):
            await left.first_packet()
        await other.receive()
        other.send(right, b"o" * 160)
        assert (await phone.receive()).payload == b"o" * 160
