"""G.711: mu-law and A-law, between linear samples and each other, by table (ITU-T G.711).

Linear samples are signed 16-bit in an `array("h")`: G.711's 14-bit (mu-law) and 13-bit (A-law)
values are left-aligned in it.
"""

import sys
from array import array
from collections.abc import Callable
from typing import Final

_LOW_BYTE = 0 if sys.byteorder == "little" else 1
_ULAW_BIAS: Final = 132
_ULAW_CLIP: Final = 32635


def encode_ulaw(samples: "array[int]") -> bytes:
    """One mu-law byte for each 16-bit sample; what is too loud is clipped."""
    return bytes(map(_ULAW_OF_SAMPLE.__getitem__, array("H", samples.tobytes())))


def encode_alaw(samples: "array[int]") -> bytes:
    """One A-law byte for each 16-bit sample."""
    return bytes(map(_ALAW_OF_SAMPLE.__getitem__, array("H", samples.tobytes())))


def decode_ulaw(payload: bytes) -> "array[int]":
    """One 16-bit sample for each mu-law byte."""
    return _by_halves(payload, _ULAW_LOW, _ULAW_HIGH)


def decode_alaw(payload: bytes) -> "array[int]":
    """One 16-bit sample for each A-law byte."""
    return _by_halves(payload, _ALAW_LOW, _ALAW_HIGH)


def _by_halves(payload: bytes, low: bytes, high: bytes) -> "array[int]":
    # Two translations in C are many times faster than a look-up for each sample.
    halves = bytearray(2 * len(payload))
    halves[_LOW_BYTE::2] = payload.translate(low)
    halves[1 - _LOW_BYTE :: 2] = payload.translate(high)
    return array("h", bytes(halves))


def _ulaw_value(code: int) -> int:
    step = ~code & 0x7F
    magnitude = (((step & 15) << 3) + _ULAW_BIAS << (step >> 4)) - _ULAW_BIAS
    return magnitude if code & 0x80 else -magnitude


def _alaw_value(code: int) -> int:
    step = (code ^ 0x55) & 0x7F
    segment = step >> 4
    magnitude = ((step & 15) << 4) + 8
    if segment:
        magnitude = magnitude + 256 << segment - 1
    return magnitude if code & 0x80 else -magnitude


def _ulaw_code(sample: int) -> int:
    # Both laws count steps from the one's complement, so that they are symmetrical about zero.
    magnitude = min(sample if sample >= 0 else ~sample, _ULAW_CLIP) + _ULAW_BIAS
    segment = magnitude.bit_length() - 8
    step = segment << 4 | magnitude >> segment + 3 & 15
    return step ^ (0xFF if sample >= 0 else 0x7F)


def _alaw_code(sample: int) -> int:
    magnitude = (sample if sample >= 0 else ~sample) >> 4
    segment = max(0, magnitude.bit_length() - 4)
    step = magnitude if segment < 2 else segment << 4 | magnitude >> segment - 1 & 15
    return step ^ (0xD5 if sample >= 0 else 0x55)


def _halves_of(value: Callable[[int], int]) -> tuple[bytes, bytes]:
    values = [value(code) & 0xFFFF for code in range(256)]
    return bytes(each & 0xFF for each in values), bytes(each >> 8 for each in values)


def _table_of(code: Callable[[int], int]) -> bytes:
    """List the codes of samples 0 ... 32767, -32768 ... -1: its bits as unsigned are its index.

    Codes change at multiples of 4 only: 14 bits are the finest that either law looks at.
    """
    coarse = [*range(0, 32768, 4), *range(-32768, 0, 4)]
    return b"".join(bytes([code(sample)]) * 4 for sample in coarse)


_ULAW_LOW, _ULAW_HIGH = _halves_of(_ulaw_value)
_ALAW_LOW, _ALAW_HIGH = _halves_of(_alaw_value)
_ULAW_OF_SAMPLE: Final = _table_of(_ulaw_code)
_ALAW_OF_SAMPLE: Final = _table_of(_alaw_code)


# G.711 tables 3 and 4: the step of the other law, for each step from the faintest to the loudest.
# These are not decoding followed by encoding: they keep as many steps apart as the other law can,
# so that a call that passes mu-A-mu or A-mu-A loses nothing more at the second conversion.
_ALAW_STEP_OF_ULAW_STEP: Final = (
    *(step for step in range(8) for _ in range(2)),
    *range(8, 25),
    *(26, 28, 30),
    *range(32, 44),
    45,
    *range(47, 62),
    *range(63, 80),
    *range(81, 128),
)
_ULAW_STEP_OF_ALAW_STEP: Final = (
    *range(1, 17, 2),
    *range(16, 33),
    *(32, 33, 33, 34, 34, 35, 35),
    *range(36, 49),
    *(48, 49, 49),
    *range(50, 65),
    *range(64, 80),
    80,
    *range(80, 128),
)


def _conversion(steps: tuple[int, ...], positive: int, other_positive: int) -> bytes:
    def converted(code: int) -> int:
        sign = code & 0x80
        step = (code ^ positive) & 0x7F
        return (steps[step] ^ other_positive) & 0x7F | sign

    return bytes(map(converted, range(256)))


ULAW_TO_ALAW: Final = _conversion(_ALAW_STEP_OF_ULAW_STEP, 0xFF, 0xD5)
"""For `bytes.translate`: a mu-law payload as A-law (G.711 table 3)."""

ALAW_TO_ULAW: Final = _conversion(_ULAW_STEP_OF_ALAW_STEP, 0xD5, 0xFF)
"""For `bytes.translate`: an A-law payload as mu-law (G.711 table 4)."""
