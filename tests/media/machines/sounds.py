"""Sounds at 8000 Hz, as G.711 carries them."""

import math
import random
from array import array

from twoleg.media.g711 import decode_ulaw, encode_ulaw


def tone(seconds, *hertz, level=-16.0):
    """Tones at once, each of `level` dBFS."""
    peak = 32768 * 10 ** (level / 20)
    return array(
        "h",
        [
            round(sum(peak * math.sin(2 * math.pi * each * n / 8000) for each in hertz))
            for n in range(round(seconds * 8000))
        ],
    )


def silence(seconds):
    return array("h", bytes(2 * round(8000 * seconds)))


def voice(seconds, *, level=-16.0):
    """Syllables: the harmonics of a low voice, swelling and fading four times a second."""
    peak = 32768 * 10 ** (level / 20)
    shares = [(1, 0.5), (2, 0.3), (4, 1.0), (5, 0.8), (11, 0.4), (12, 0.3), (20, 0.2)]
    return array(
        "h",
        [
            round(
                0.5
                * peak
                * abs(math.sin(math.pi * 4 * n / 8000))
                * sum(share * math.sin(2 * math.pi * 125 * k * n / 8000) for k, share in shares)
            )
            for n in range(round(seconds * 8000))
        ],
    )


def carried(*parts, noise=None, shift=0, seed=1):
    """The parts one after another, over G.711, with noise of so many dBFS."""
    samples = array("h", bytes(2 * shift))
    for part in parts:
        samples.extend(part)
    if noise is not None:
        chance = random.Random(seed)
        spread = 32768 * 10 ** (noise / 20) / math.sqrt(2)
        samples = array(
            "h",
            [max(-32768, min(32767, round(each + chance.gauss(0, spread)))) for each in samples],
        )
    return decode_ulaw(encode_ulaw(samples))


def packets(samples, size=160):
    return [samples[start : start + size] for start in range(0, len(samples), size)]
