"""Bencode: what is written is read, and nothing that comes does harm."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoleg.media.rtpengine.bencode import MAX_DEPTH, MalformedBencode, decode, encode

NUMBERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    st.binary(max_size=9) | NUMBERS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_written_is_read(value):
    assert decode(encode(value)) == value


@given(st.binary(max_size=200))
def test_nothing_but_bencode_is_read(data):
    try:
        value = decode(data)
    except MalformedBencode:
        return
    assert encode(value)


@settings(max_examples=50)
@given(VALUES, st.data())
def test_what_is_cut_short_is_refused(value, data):
    whole = encode(value)
    size = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MalformedBencode):
        decode(whole[:size])


def test_a_ping_looks_as_rtpengine_has_it():
    assert encode({"command": "ping"}) == b"d7:command4:pinge"


def test_text_and_tuples_are_written_too():
    assert encode({"flags": ("é", b"\xff", 1)}) == b"d5:flagsl2:\xc3\xa91:\xffi1eee"


@pytest.mark.parametrize(
    "data",
    [b"", b"i1", b"ie", b"i-e", b"i+1e", b"i 1e", b"-1:", b"2:a", b"l", b"d1:ae", b"di1ei1ee", b"x",
     b"i1ei2e", b"i" + 30 * b"9" + b"e", 30 * b"9" + b":"],
)  # fmt: skip
def test_what_is_malformed_is_refused(data):
    with pytest.raises(MalformedBencode):
        decode(data)


def test_nesting_has_a_bound():
    assert decode((MAX_DEPTH - 1) * b"l" + b"0:" + (MAX_DEPTH - 1) * b"e")
    with pytest.raises(MalformedBencode, match="deeply"):
        decode(MAX_DEPTH * b"l" + b"0:" + MAX_DEPTH * b"e")
