"""STUN as ICE uses it: RFC 8489, with the example of RFC 5769."""

import hmac
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media.webrtc.stun import (
    MAX_ATTRIBUTES,
    MAX_BYTES,
    ROLE_CONFLICT,
    UNKNOWN_ATTRIBUTE,
    BindingRequest,
    MalformedMessage,
    error,
    success,
)

# RFC 5769 2.1: "Sample Request".
SAMPLE = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
SAMPLE_PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"

PASSWORD = b"a password of ours"
COOKIE = b"\x21\x12\xa4\x42"
TRANSACTION = bytes(range(12))
USERNAME = (0x0006, b"ours:theirs")
PRIORITY = (0x0024, b"\x6e\x00\x01\xff")
CONTROLLING = (0x802A, bytes(8))
USE_CANDIDATE = (0x0025, b"")


def written(kind, value):
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def message(*attributes, password=PASSWORD, kind=1, after=()):
    """Write a message with its integrity and its fingerprint."""

    def head(length):
        return kind.to_bytes(2, "big") + length.to_bytes(2, "big") + COOKIE + TRANSACTION

    body = b"".join(written(*each) for each in attributes)
    body += written(8, hmac.digest(password, head(len(body) + 24) + body, "sha1"))
    body += b"".join(written(*each) for each in after)
    whole = head(len(body) + 8) + body
    return whole + written(0x8028, (crc32(whole) ^ 0x5354554E).to_bytes(4, "big"))


def attributes_of(data):
    """Read the attributes of a message, with the integrity and the fingerprint checked."""
    assert int.from_bytes(data[2:4], "big") + 20 == len(data)
    found, at = {}, 20
    while at < len(data):
        kind, length = (
            int.from_bytes(data[at : at + 2], "big"),
            int.from_bytes(data[at + 2 : at + 4], "big"),
        )
        if kind == 8:
            covered = data[:2] + (at + 24 - 20).to_bytes(2, "big") + data[4:at]
            assert data[at + 4 : at + 24] == hmac.digest(PASSWORD, covered, "sha1")
        if kind == 0x8028:
            crc = crc32(data[:at]) ^ 0x5354554E
            assert data[at + 4 :] == crc.to_bytes(4, "big")
        found[kind] = data[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4
    assert list(found)[-2:] == [8, 0x8028]
    return found


def test_the_sample_request_of_rfc_5769_is_read_and_proved():
    request = BindingRequest.parse(SAMPLE)
    assert request.username == b"evtj:h6vY"
    assert request.is_controlled
    assert not request.nominates
    assert request.unknown == ()
    assert request.is_from(SAMPLE_PASSWORD)
    assert not request.is_from(PASSWORD)


def test_a_check_that_nominates_is_told_from_one_that_does_not():
    assert BindingRequest.parse(message(USERNAME, PRIORITY, CONTROLLING, USE_CANDIDATE)).nominates
    assert not BindingRequest.parse(message(USERNAME, PRIORITY, CONTROLLING)).nominates


def test_what_follows_the_integrity_is_not_believed():
    request = BindingRequest.parse(message(USERNAME, after=(USE_CANDIDATE,)))
    assert request.is_from(PASSWORD)
    assert not request.nominates


def test_attributes_that_must_be_known_are_named():
    request = BindingRequest.parse(message(USERNAME, (0x7FFE, b"abc"), (0xFFFE, b"abc")))
    assert request.unknown == (0x7FFE,)
    answer = attributes_of(error(request, UNKNOWN_ATTRIBUTE, PASSWORD))
    assert answer[9][2:4] == bytes((4, 20))
    assert answer[10] == b"\x7f\xfe"


@pytest.mark.parametrize(
    ("source", "hidden"),
    [
        (("192.0.2.1", 32853), "0001a147e112a643"),
        # RFC 5769 2.3, with its transaction's first twelve octets for ours.
        (("2001:db8::1", 32853, 0, 0), "0002a1470113a9fa" + "00010203040506070809" + "0a0a"),
    ],
)
def test_the_answer_tells_where_the_check_came_from(source, hidden):
    request = BindingRequest.parse(message(USERNAME))
    answer = success(request, source, PASSWORD)
    assert answer[:2] == b"\x01\x01"
    assert answer[8:20] == TRANSACTION
    assert attributes_of(answer)[0x20].hex() == hidden


def test_a_role_conflict_is_told():
    request = BindingRequest.parse(message(USERNAME))
    answer = error(request, ROLE_CONFLICT, PASSWORD)
    assert answer[:2] == b"\x01\x11"
    assert attributes_of(answer)[9] == bytes((0, 0, 4, 87)) + b"Role Conflict"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SAMPLE[:19],
        SAMPLE[:-1],
        SAMPLE + bytes(4),
        SAMPLE[:-1] + b"\x00",
        b"\x01" + SAMPLE[1:],
        SAMPLE[:4] + bytes(4) + SAMPLE[8:],
        message(USERNAME, kind=0x0011),
        message(PRIORITY),
        message(USERNAME, (0x8022, bytes(MAX_BYTES))),
        message(USERNAME, *[(0x8022, b"")] * MAX_ATTRIBUTES),
    ],
)
def test_what_ice_does_not_send_is_refused(data):
    with pytest.raises(MalformedMessage):
        BindingRequest.parse(data)


@given(st.binary(max_size=MAX_BYTES + 100))
def test_whatever_comes_is_read_or_refused(data):
    try:
        request = BindingRequest.parse(data)
    except MalformedMessage:
        return
    assert not request.is_from(PASSWORD)


@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255))
def test_no_octet_of_a_check_can_be_changed(place, change):
    changed = bytearray(SAMPLE)
    changed[place] ^= change
    try:
        request = BindingRequest.parse(bytes(changed))
    except MalformedMessage:
        return
    assert not request.is_from(SAMPLE_PASSWORD)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=12))
def test_well_formed_attributes_of_any_kind_are_read_or_refused(attributes):
    try:
        request = BindingRequest.parse(message(USERNAME, *attributes))
    except MalformedMessage:
        return
    assert request.username == USERNAME[1]
