"""RTP packets: what is built is read back, and nothing that a peer sends raises anything else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twoleg.media.rtp import MalformedPacket, RtpPacket

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=1400),
)


@given(packets)
def test_what_is_built_is_read_back(packet):
    assert RtpPacket.parse(packet.to_bytes()) == packet


@given(st.binary(max_size=1600))
@example(b"\x9f" + bytes(20))
@example(b"\xa0" + bytes(11))
def test_garbage_is_refused_and_nothing_else(data):
    try:
        RtpPacket.parse(data)
    except MalformedPacket:
        pass


def test_sources_extension_and_padding_are_no_part_of_the_payload():
    header = b"\xb2\x80\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03"
    sources = bytes(8)
    extension = b"\xbe\xde\x00\x01abcd"
    packet = RtpPacket.parse(header + sources + extension + b"voice" + b"\x00\x00\x03")
    assert packet.payload == b"voice"
    assert packet.marker


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x00" + bytes(9),
        b"\x40\x00" + bytes(10),
        b"\x90\x00" + bytes(10) + b"\xbe\xde\xff\xff",
        b"\xa0\x00" + bytes(10) + b"\x09",
        b"\xa0\x00" + bytes(10) + b"\x00",
        b"\x80\x00" + bytes(1600),
    ],
    ids=["short", "version 1", "long extension", "long padding", "no padding", "too large"],
)
def test_broken_headers_are_refused(data):
    with pytest.raises(MalformedPacket):
        RtpPacket.parse(data)
