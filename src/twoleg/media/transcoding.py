"""Translation between the two laws of G.711, byte by byte."""

from typing import Final

_SEGMENT_ENDS = (0x1F, 0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF)
_ULAW_BIAS = 33


def _decode_ulaw(value: int) -> int:
    """Return the 14-bit sample."""
    value = ~value & 0xFF
    magnitude = ((2 * (value & 0x0F) + _ULAW_BIAS) << (value >> 4 & 7)) - _ULAW_BIAS
    return -magnitude if value & 0x80 else magnitude


def _encode_ulaw(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample) + _ULAW_BIAS, 0x1FFF)
    segment = magnitude.bit_length() - 6
    return ~(sign | segment << 4 | magnitude >> segment + 1 & 0x0F) & 0xFF


def _decode_alaw(value: int) -> int:
    """Return the 13-bit sample."""
    value ^= 0x55
    segment = value >> 4 & 7
    magnitude = 2 * (value & 0x0F) + 1
    if segment:
        magnitude = magnitude + 32 << segment - 1
    return magnitude if value & 0x80 else -magnitude


def _encode_alaw(sample: int) -> int:
    mask = 0xD5 if sample >= 0 else 0x55
    magnitude = min(sample if sample >= 0 else -sample - 1, 0xFFF)
    segment = next(i for i, end in enumerate(_SEGMENT_ENDS) if magnitude <= end)
    mantissa = magnitude >> (segment or 1) & 0x0F
    return (segment << 4 | mantissa) ^ mask


ULAW_TO_ALAW: Final = bytes(_encode_alaw(_decode_ulaw(value) >> 1) for value in range(256))
ALAW_TO_ULAW: Final = bytes(_encode_ulaw(_decode_alaw(value) * 2) for value in range(256))
