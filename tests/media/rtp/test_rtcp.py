"""RTCP packets (RFC 3550 section 6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media.rtcp import (
    Goodbye,
    MalformedPacket,
    Report,
    ReportBlock,
    SenderInfo,
    build_compound,
    middle,
    ntp_time,
    parse_compound,
    round_trip_seconds,
)

u32 = st.integers(0, 0xFFFFFFFF)
blocks = st.builds(
    ReportBlock,
    ssrc=u32,
    fraction_lost=st.integers(0, 255),
    lost=st.integers(-0x800000, 0x7FFFFF),
    highest_sequence=u32,
    jitter=u32,
    last_report=u32,
    delay=u32,
)
senders = st.builds(
    SenderInfo, ntp=st.integers(0, 2**64 - 1), timestamp=u32, packets=u32, octets=u32
)
reports = st.builds(
    Report,
    ssrc=u32,
    sender=st.none() | senders,
    blocks=st.lists(blocks, max_size=3).map(tuple),
)


@given(reports, st.text(max_size=40), st.booleans())
def test_what_is_built_is_read_back(report, cname, goodbye):
    data = build_compound(report, cname, goodbye=goodbye)
    assert len(data) % 4 == 0
    expected = [report, Goodbye(ssrcs=(report.ssrc,))] if goodbye else [report]
    assert parse_compound(data) == expected


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(data):
    try:
        parse_compound(data)
    except MalformedPacket:
        pass


@given(reports, st.binary(min_size=1, max_size=50), st.integers(0, 100))
def test_a_broken_end_leaves_what_came_before_it(report, garbage, cut):
    data = build_compound(report, "x")
    assert parse_compound(data + garbage)[0] == report
    try:
        parse_compound(data[: max(0, len(data) - cut)] + garbage)
    except MalformedPacket:
        pass


def test_the_round_trip_is_what_the_far_end_did_not_spend_itself():
    sent = ntp_time(1_700_000_000.0)
    block = ReportBlock(ssrc=1, last_report=middle(sent), delay=2 * 65536)
    assert round_trip_seconds(block, ntp_time(1_700_000_002.125)) == pytest.approx(0.125, abs=1e-3)


def test_no_round_trip_is_told_before_the_far_end_had_a_report():
    assert round_trip_seconds(ReportBlock(ssrc=1), ntp_time(1_700_000_000.0)) is None


def test_a_far_end_that_counts_its_delay_too_long_makes_no_negative_round_trip():
    sent = ntp_time(1_700_000_000.0)
    block = ReportBlock(ssrc=1, last_report=middle(sent), delay=65536)
    assert round_trip_seconds(block, ntp_time(1_700_000_000.9)) == 0.0
