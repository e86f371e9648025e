"""G.722 at 64 kbit/s: 7 kHz audio in the bit rate of G.711 (ITU-T G.722, mode 1).

Samples are signed 16-bit at 16000 Hz in an `array("h")`; two of them make one byte. The block
names of the Recommendation stand beside its steps.

In Python a second of audio takes about a tenth of a second of CPU: for prompts and tones, which
are encoded once, not for calls, which are bridged without transcoding.
"""

from array import array
from bisect import bisect_left
from operator import mul
from typing import Final

# Table 11: the quadrature mirror filter's even coefficients; the odd ones mirror them.
_QMF_EVEN: Final = (3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11)
_QMF_ODD: Final = _QMF_EVEN[::-1]
_QMF_TAPS: Final = 24

# Table 14: decision levels of the 60-level lower quantizer, and its codes (table 15).
_Q6: Final = (
    *(35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940),
    *(1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919),
)
_IL_POSITIVE: Final[tuple[int, ...]] = tuple(range(61, 31, -1))
_IL_NEGATIVE: Final[tuple[int, ...]] = (63, 62, *range(31, 3, -1))

# Output levels of the inverse quantizers, with 6, 4 and 2 bits, by code (tables 17, 18, 22).
_QM6_MAGNITUDES: Final = (
    *(24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192),
    *(6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728),
)
_QM6: Final = (
    *(-136, -136, -136, -136),
    *(-each for each in _QM6_MAGNITUDES),
    *_QM6_MAGNITUDES,
    *(432, 136, -432, -136),
)
_QM4_MAGNITUDES: Final = (20456, 12896, 8968, 6288, 4240, 2584, 1200)
_QM4: Final = (0, *(-each for each in _QM4_MAGNITUDES), *_QM4_MAGNITUDES, 0)
_QM2: Final = (-7408, -1616, 7408, 1616)

# Logarithmic scale factors: their steps by code (W_L by the 4-bit, W_H by the 2-bit code), and
# the inverse logarithm (table 16).
_WL_BY_MAGNITUDE: Final = (-60, -30, 58, 172, 334, 538, 1198, 3042)
_RL42: Final = (0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0)
_WL: Final = tuple(_WL_BY_MAGNITUDE[each] for each in _RL42)
_WH: Final = (798, -214, 798, -214)
_ILB: Final = (
    *(2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774),
    *(2834, 2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838),
    *(3922, 4008),
)


def _scale_factors(largest: int, shift: int) -> tuple[int, ...]:
    """List SCALEL's (or SCALEH's) scale factor for each `nabla >> 6`."""
    factors = []
    for each in range((largest >> 6) + 1):
        down = shift - (each >> 5)
        mantissa = _ILB[each & 31]
        factors.append((mantissa >> down if down >= 0 else mantissa << -down) << 2)
    return tuple(factors)


_LOW_LARGEST: Final = 18432
_HIGH_LARGEST: Final = 22528
_LOW_FACTORS: Final = _scale_factors(_LOW_LARGEST, 8)
_HIGH_FACTORS: Final = _scale_factors(_HIGH_LARGEST, 10)

# The upper quantizer has one decision level.
_Q2: Final = 564


class _Band:
    """One sub-band's adaptive quantizer step and predictor, the same in encoder and decoder.

    `step` is DETL or DETH; `prediction` is SL or SH.
    """

    __slots__ = (
        "_a",
        "_b",
        "_d",
        "_factors",
        "_inverse",
        "_largest",
        "_nabla",
        "_r",
        "_signs",
        "_sz",
        "_w",
        "prediction",
        "step",
    )

    def __init__(
        self,
        inverse: tuple[int, ...],
        w: tuple[int, ...],
        factors: tuple[int, ...],
        largest: int,
    ) -> None:
        self._inverse = inverse
        self._w = w
        self._factors = factors
        self._largest = largest
        self._nabla = 0
        self.step = factors[0]
        self.prediction = 0
        self._sz = 0
        self._a = (0, 0)
        self._b = (0, 0, 0, 0, 0, 0)
        self._d = (0, 0, 0, 0, 0, 0)
        self._r = 0
        self._signs = (False, False)

    def adapt(self, code: int) -> int:
        """Take the code of one sample, and return its quantized difference (DLT or DH)."""
        # INVQAL, LOGSCL, SCALEL (or INVQAH, LOGSCH, SCALEH).
        d0 = (self.step * self._inverse[code]) >> 15
        nabla = ((self._nabla * 127) >> 7) + self._w[code]
        nabla = 0 if nabla < 0 else min(nabla, self._largest)
        self._nabla = nabla
        self.step = self._factors[nabla >> 6]

        # RECONS, PARREC.
        r0 = self.prediction + d0
        r0 = 32767 if r0 > 32767 else max(r0, -32768)
        p0_negative = self._sz + d0 < 0

        # UPPOL2, UPPOL1: signs of the last partly reconstructed samples move the poles.
        a1, a2 = self._a
        p1_negative, p2_negative = self._signs
        self._signs = (p0_negative, p1_negative)
        slope = a1 << 2
        slope = 32767 if slope > 32767 else max(slope, -32768)
        if p0_negative == p1_negative:
            slope = min(-slope, 32767)
            lean = 192
        else:
            lean = -192
        a2 = (slope >> 7) + (128 if p0_negative == p2_negative else -128) + ((a2 * 32512) >> 15)
        a2 = 12288 if a2 > 12288 else max(a2, -12288)
        a1 = lean + ((a1 * 32640) >> 15)
        stable = 15360 - a2
        a1 = stable if a1 > stable else max(a1, -stable)
        self._a = (a1, a2)

        # UPZERO: the zeros move by the sign of each difference against the newest. Neither they
        # nor twice a difference can leave 16 bits, so that no saturation is written here.
        b1, b2, b3, b4, b5, b6 = self._b
        d1, d2, d3, d4, d5, d6 = self._d
        if d0:
            up, down = (128, -128) if d0 > 0 else (-128, 128)
        else:
            up = down = 0
        b1 = ((b1 * 32640) >> 15) + (up if d1 >= 0 else down)
        b2 = ((b2 * 32640) >> 15) + (up if d2 >= 0 else down)
        b3 = ((b3 * 32640) >> 15) + (up if d3 >= 0 else down)
        b4 = ((b4 * 32640) >> 15) + (up if d4 >= 0 else down)
        b5 = ((b5 * 32640) >> 15) + (up if d5 >= 0 else down)
        b6 = ((b6 * 32640) >> 15) + (up if d6 >= 0 else down)
        self._b = (b1, b2, b3, b4, b5, b6)
        self._d = (d0, d1, d2, d3, d4, d5)

        # FILTEZ, FILTEP, PREDIC.
        sz = (
            (b1 * d0 >> 14)
            + (b2 * d1 >> 14)
            + (b3 * d2 >> 14)
            + (b4 * d3 >> 14)
            + (b5 * d4 >> 14)
            + (b6 * d5 >> 14)
        )
        sz = 32767 if sz > 32767 else max(sz, -32768)
        self._sz = sz
        twice_r0 = r0 + r0
        twice_r0 = 32767 if twice_r0 > 32767 else max(twice_r0, -32768)
        sp = (a1 * twice_r0 >> 15) + (a2 * self._r >> 15)
        self._r = twice_r0
        sp = 32767 if sp > 32767 else max(sp, -32768)
        s = sp + sz
        self.prediction = 32767 if s > 32767 else max(s, -32768)
        return d0


def _low_band() -> _Band:
    # The predictor sees the four upper bits only, so that a receiver may lose the others.
    inverse = tuple(_QM4[code >> 2] for code in range(64))
    w = tuple(_WL[code >> 2] for code in range(64))
    return _Band(inverse, w, _LOW_FACTORS, _LOW_LARGEST)


def _high_band() -> _Band:
    return _Band(_QM2, _WH, _HIGH_FACTORS, _HIGH_LARGEST)


class G722Encoder:
    """Encodes one stream; its state goes on from each call to the next."""

    def __init__(self) -> None:
        self._low = _low_band()
        self._high = _high_band()
        self._history = [0] * (_QMF_TAPS - 2)

    def encode(self, samples: "array[int]") -> bytes:
        """Half as many bytes as samples. Raises ValueError for an odd number of samples."""
        if len(samples) % 2:
            raise ValueError("G.722 encodes pairs of samples")
        past = [*self._history, *samples]
        self._history = past[len(samples) :]
        even, odd = past[::2], past[1::2]
        half = _QMF_TAPS // 2
        encoded = bytearray(len(samples) // 2)
        low, high = self._low, self._high
        for index in range(len(encoded)):
            # QMF TX.
            a = sum(map(mul, _QMF_EVEN, even[index : index + half]))
            b = sum(map(mul, _QMF_ODD, odd[index : index + half]))
            low_code = _quantize_low((b + a >> 14) - low.prediction, low.step)
            high_code = _quantize_high((b - a >> 14) - high.prediction, high.step)
            low.adapt(low_code)
            high.adapt(high_code)
            encoded[index] = high_code << 6 | low_code
        return bytes(encoded)


def _quantize_low(difference: int, step: int) -> int:
    # QUANTL. The level sought is the first one with difference < level * step >> 12.
    if difference >= 0:
        at_least = -((min(difference, 32767) + 1 << 12) // -step)
        return _IL_POSITIVE[bisect_left(_Q6, at_least)]
    at_least = -((min(~difference, 32767) + 1 << 12) // -step)
    return _IL_NEGATIVE[bisect_left(_Q6, at_least)]


def _quantize_high(difference: int, step: int) -> int:
    # QUANTH.
    level = _Q2 * step >> 12
    if difference >= 0:
        return 2 if difference >= level else 3
    return 0 if ~difference >= level else 1


class G722Decoder:
    """Decodes one stream; its state goes on from each call to the next."""

    def __init__(self) -> None:
        self._low = _low_band()
        self._high = _high_band()
        self._sums = [0] * (_QMF_TAPS // 2 - 1)
        self._differences = [0] * (_QMF_TAPS // 2 - 1)

    def decode(self, payload: bytes) -> "array[int]":
        """Twice as many samples as bytes."""
        sums, differences = self._sums, self._differences
        low, high = self._low, self._high
        for code in payload:
            low_code, high_code = code & 63, code >> 6
            # INVQBL, then LIMIT. The lower band is heard with all six bits.
            rl = low.prediction + (low.step * _QM6[low_code] >> 15)
            rl = 16383 if rl > 16383 else max(rl, -16384)
            low.adapt(low_code)
            rh = high.prediction
            rh += high.adapt(high_code)
            rh = 16383 if rh > 16383 else max(rh, -16384)
            sums.append(rl + rh)
            differences.append(rl - rh)
        half = _QMF_TAPS // 2
        decoded = array("h", bytes(4 * len(payload)))
        for index in range(len(payload)):
            # QMF RX.
            first = sum(map(mul, _QMF_ODD, differences[index : index + half])) >> 11
            second = sum(map(mul, _QMF_EVEN, sums[index : index + half])) >> 11
            decoded[2 * index] = 32767 if first > 32767 else max(first, -32768)
            decoded[2 * index + 1] = 32767 if second > 32767 else max(second, -32768)
        del sums[: -(half - 1)]
        del differences[: -(half - 1)]
        return decoded
