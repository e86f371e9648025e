"""Audio cut into WAV files that a node takes in one request."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media import Audio, Codec
from twoleg.media.rtpengine.ng import MAX_REQUEST_BYTES
from twoleg.media.rtpengine.prompts import LOOK_BACK_FRAMES, MAX_FRAMES, pieces, played_as

LOUD, QUIET = bytes([0x10, 0x90]) * 80, bytes([0xFF]) * 160


def payload(wav: bytes) -> bytes:
    return wav[wav.index(b"data") + 8 :]


@given(st.integers(1, 3 * MAX_FRAMES))
def test_the_pieces_together_are_the_whole(count):
    frames = [LOUD] * count
    cut = list(pieces(frames, Codec.PCMU))
    assert b"".join(payload(piece.wav) for piece in cut) == LOUD * count
    assert sum(piece.frames for piece in cut) == count
    assert all(len(piece.wav) < MAX_REQUEST_BYTES - 1000 for piece in cut)


def test_long_audio_is_cut_where_it_is_quietest():
    frames = [LOUD] * 700
    frames[MAX_FRAMES - 20] = QUIET
    frames[MAX_FRAMES - LOOK_BACK_FRAMES - 1] = QUIET
    first, second, third = pieces(frames, Codec.PCMU)
    assert first.frames == MAX_FRAMES - 20
    assert payload(second.wav)[:160] == QUIET
    assert first.seconds == pytest.approx(6.0)
    assert third.frames == 700 - first.frames - second.frames


def test_a_piece_is_made_when_it_is_asked_for():
    audio = Audio.from_pcm(array("h", bytes(2 * 8000 * 20)), 8000)
    frames = audio.frames(Codec.PCMU)
    next(pieces(frames, Codec.PCMU))
    assert len(frames._made) <= MAX_FRAMES


@pytest.mark.parametrize(
    ("codec", "played"),
    [(Codec.PCMU, Codec.PCMU), (Codec.PCMA, Codec.PCMA), (Codec.G722, Codec.PCMU)],
)
def test_what_a_node_must_decode_anyway_is_handed_over_as_g711(codec, played):
    assert played_as(codec) is played


def test_a_piece_is_a_wav_file_in_its_codec():
    frames = Audio.from_pcm(array("h", range(16000)), 8000).frames(Codec.PCMA)
    (piece,) = pieces(frames, Codec.PCMA)
    assert piece.wav.startswith(b"RIFF")
    assert piece.wav[20:22] == b"\x06\x00"
    back = Audio.from_wav(piece.wav)
    assert tuple(back.frames(Codec.PCMA)) == tuple(frames)
