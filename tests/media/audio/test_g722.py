"""G.722: bit for bit against an independent codec, and by what it does to audio."""

import math
import sys
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media.g722 import G722Decoder, G722Encoder

VECTORS = Path(__file__).parent / "vectors"
"""Tones, full-scale noise, silence and faint noise, as FFmpeg's G.722 codec has them."""

LOUD = st.lists(st.sampled_from([-32768, -32767, -1, 0, 1, 255, 32767]), max_size=200)
ANY = st.lists(st.integers(-32768, 32767), max_size=200)


def pcm(name):
    samples = array("h", (VECTORS / name).read_bytes())
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def tone(frequency, amplitude, seconds=0.5):
    step = 2 * math.pi * frequency / 16000
    return array("h", [round(amplitude * math.sin(step * n)) for n in range(int(16000 * seconds))])


def signal_to_noise(original, decoded, delay=22):
    """In dB; both mirror filters together delay by 22 samples."""
    pairs = list(zip(original, decoded[delay:], strict=False))
    noise = sum((before - after) ** 2 for before, after in pairs)
    return 10 * math.log10(sum(before**2 for before, _ in pairs) / noise)


def test_it_encodes_bit_for_bit_as_an_independent_encoder():
    encoded = G722Encoder().encode(pcm("g722_original.pcm"))
    assert encoded == (VECTORS / "g722_encoded.g722").read_bytes()


def test_it_decodes_bit_for_bit_as_an_independent_decoder():
    decoded = G722Decoder().decode((VECTORS / "g722_encoded.g722").read_bytes())
    assert decoded == pcm("g722_decoded.pcm")


@pytest.mark.parametrize(
    ("frequency", "least_decibels"), [(300, 30), (440, 30), (1000, 30), (3000, 25), (6000, 15)]
)
def test_a_tone_comes_out_as_it_went_in(frequency, least_decibels):
    original = tone(frequency, 8000)
    decoded = G722Decoder().decode(G722Encoder().encode(original))
    assert signal_to_noise(original, decoded) > least_decibels


def test_silence_stays_silent():
    decoded = G722Decoder().decode(G722Encoder().encode(array("h", bytes(6400))))
    assert max(map(abs, decoded)) < 16


def test_a_stream_can_be_coded_frame_by_frame():
    original = pcm("g722_original.pcm")
    encoder, decoder = G722Encoder(), G722Decoder()
    frames = [encoder.encode(original[at : at + 320]) for at in range(0, len(original), 320)]
    assert {len(frame) for frame in frames[:-1]} == {160}
    assert b"".join(frames) == G722Encoder().encode(original)
    decoded = array("h")
    for frame in frames:
        decoded.extend(decoder.decode(frame))
    assert decoded == pcm("g722_decoded.pcm")


def test_an_odd_number_of_samples_is_refused():
    with pytest.raises(ValueError, match="pairs"):
        G722Encoder().encode(array("h", [1, 2, 3]))


@given(LOUD | ANY)
def test_no_signal_however_loud_leaves_the_codec_s_range(values):
    values = values[: len(values) // 2 * 2]
    encoded = G722Encoder().encode(array("h", values * 3))
    assert len(encoded) == len(values) * 3 // 2
    assert len(G722Decoder().decode(encoded)) == len(values) * 3


@given(st.binary(max_size=400))
def test_any_bytes_decode(payload):
    assert len(G722Decoder().decode(payload)) == 2 * len(payload)
