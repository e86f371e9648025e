"""G.711 against the properties that the Recommendation gives its tables."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media.g711 import (
    ALAW_TO_ULAW,
    ULAW_TO_ALAW,
    decode_alaw,
    decode_ulaw,
    encode_alaw,
    encode_ulaw,
)

ALL_CODES = bytes(range(256))
SAMPLES = st.lists(st.integers(-32768, 32767), min_size=1, max_size=400)


def test_mu_law_reaches_its_virtual_edges_and_zero():
    assert list(decode_ulaw(bytes([0x80, 0x00, 0xFF, 0x7F]))) == [32124, -32124, 0, 0]


def test_a_law_reaches_its_virtual_edges_and_has_no_zero():
    assert list(decode_alaw(bytes([0xAA, 0x2A, 0xD5, 0x55]))) == [32256, -32256, 8, -8]


def test_silence_and_full_scale_have_the_codes_of_the_recommendation():
    assert encode_ulaw(array("h", [0, 32767, -32768])) == bytes([0xFF, 0x80, 0x00])
    assert encode_alaw(array("h", [0, 32767, -32768])) == bytes([0xD5, 0xAA, 0x2A])


@pytest.mark.parametrize(
    ("decode", "encode", "negative_zero"),
    [(decode_ulaw, encode_ulaw, {0x7F: 0xFF}), (decode_alaw, encode_alaw, {})],
)
def test_every_code_survives_decoding_and_encoding(decode, encode, negative_zero):
    expected = bytes(negative_zero.get(code, code) for code in ALL_CODES)
    assert encode(decode(ALL_CODES)) == expected


@given(SAMPLES)
def test_mu_law_is_within_half_a_step(values):
    for value, decoded in zip(values, decode_ulaw(encode_ulaw(array("h", values))), strict=True):
        # The step doubles with each of the eight segments: 8 up to 124, 1024 above 16124.
        segment = max(0, (min(abs(value), 32635) + 132).bit_length() - 8)
        assert abs(decoded - max(-32635, min(32635, value))) <= max(4, 4 << segment)


@given(SAMPLES)
def test_a_law_is_within_half_a_step(values):
    for value, decoded in zip(values, decode_alaw(encode_alaw(array("h", values))), strict=True):
        segment = max(1, (min(abs(value), 32767) >> 4).bit_length() - 4)
        assert abs(decoded - value) <= 8 << segment - 1


@given(SAMPLES)
def test_louder_is_never_encoded_as_fainter(values):
    values.sort()
    for encode, decode in ((encode_ulaw, decode_ulaw), (encode_alaw, decode_alaw)):
        decoded = list(decode(encode(array("h", values))))
        assert decoded == sorted(decoded)


def test_the_laws_are_converted_as_tables_3_and_4_have_it():
    # Among these steps are those for which the nearest value would be another one.
    def step_pairs(table, positive, other_positive):
        return {(code ^ positive): (table[code] ^ other_positive) for code in range(128, 256)}

    to_alaw = step_pairs(ULAW_TO_ALAW, 0xFF, 0xD5)
    to_ulaw = step_pairs(ALAW_TO_ULAW, 0xD5, 0xFF)
    assert [to_alaw[step] for step in (0, 1, 15, 32, 48, 64, 80, 81, 127)] == [
        *(0, 0, 7, 24, 45, 63, 79, 81, 127)
    ]
    assert [to_ulaw[step] for step in (0, 7, 25, 32, 46, 63, 79, 80, 127)] == [
        *(1, 15, 32, 36, 49, 64, 80, 80, 127)
    ]


def test_conversion_keeps_the_sign_and_nearly_the_level():
    for table, decode, decode_other in (
        (ULAW_TO_ALAW, decode_ulaw, decode_alaw),
        (ALAW_TO_ULAW, decode_alaw, decode_ulaw),
    ):
        pairs = zip(
            ALL_CODES, decode(ALL_CODES), decode_other(ALL_CODES.translate(table)), strict=True
        )
        for code, before, after in pairs:
            assert before * after >= 0, hex(code)
            assert abs(before - after) <= 8 + abs(before) / 29, hex(code)


def test_going_there_and_back_a_second_time_changes_nothing_more():
    there_and_back = ALL_CODES.translate(ULAW_TO_ALAW).translate(ALAW_TO_ULAW)
    assert there_and_back.translate(ULAW_TO_ALAW).translate(ALAW_TO_ULAW) == there_and_back
    back_and_there = ALL_CODES.translate(ALAW_TO_ULAW).translate(ULAW_TO_ALAW)
    assert back_and_there.translate(ALAW_TO_ULAW).translate(ULAW_TO_ALAW) == back_and_there


def test_mu_a_mu_changes_few_of_the_mu_law_codes():
    there_and_back = ALL_CODES.translate(ULAW_TO_ALAW).translate(ALAW_TO_ULAW)
    changed = {code & 0x7F for code in ALL_CODES if there_and_back[code] != code}
    # G.711, note to table 3: the even steps of the first segment move up by one.
    assert changed == {0x7F ^ step for step in range(0, 16, 2)}
