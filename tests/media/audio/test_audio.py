"""Audio: frames in each codec, whatever its rate was."""

import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoleg.media.audio import SAMPLE_RATES, Audio
from twoleg.media.codec import Codec
from twoleg.media.decoding import Decoder
from twoleg.media.g711 import decode_ulaw
from twoleg.media.goertzel import dominant_tone, tone_levels
from twoleg.media.resample import resample
from twoleg.media.wav import MAX_SECONDS, MAX_WAV_BYTES, UnusableAudio, WavEncoding, WavWriter


def tone(frequency, rate, seconds=0.2, amplitude=8000):
    step = 2 * math.pi * frequency / rate
    return array("h", [round(amplitude * math.sin(step * n)) for n in range(round(rate * seconds))])


def level(samples, rate, frequency):
    return tone_levels(samples, rate, [frequency])[frequency]


@pytest.mark.parametrize("rate", sorted(SAMPLE_RATES))
@pytest.mark.parametrize("codec", Codec)
def test_a_tone_of_any_rate_is_heard_in_each_codec(rate, codec):
    audio = Audio.from_pcm(tone(1000, rate), rate)
    frames = audio.frames(codec)
    assert audio.seconds == pytest.approx(0.2, abs=0.001)
    assert len(frames) == 10
    assert {len(frame) for frame in frames} == {160}
    heard = Decoder(codec).decode(b"".join(frames))
    expected = 20 * math.log10(8000 / 32768)
    assert level(heard, codec.sample_rate, 1000) == pytest.approx(expected, abs=0.5)
    assert dominant_tone(heard, codec.sample_rate, [500, 900, 1000, 1100, 2000]) == 1000


def test_the_last_frame_is_filled_up_with_silence():
    audio = Audio.from_pcm(array("h", [8000] * 161), 8000)
    first, last = audio.frames(Codec.PCMU)
    assert list(decode_ulaw(last))[1:] == [0] * 159
    assert len(set(first)) == 1
    assert last[0] == first[0]


def test_frames_are_encoded_one_by_one_once_and_then_shared(monkeypatch):
    made = []

    class CountingEncoder:
        def encode(self, samples):
            made.append(len(samples))
            return bytes(160)

    monkeypatch.setattr("twoleg.media.audio.G722Encoder", CountingEncoder)
    audio = Audio.from_pcm(array("h", bytes(2 * 1600)), 16000)
    frames = audio.frames(Codec.G722)
    assert len(frames) == 5
    assert made == []
    assert frames[1] == frames[0]
    assert made == [320, 320]
    assert list(frames) == list(audio.frames(Codec.G722))
    assert frames[-1] == frames[4]
    assert made == [320] * 5
    assert isinstance(audio.frames(Codec.G722), tuple)


def test_frames_are_a_sequence():
    audio = Audio.from_pcm(tone(440, 8000), 8000)
    frames = audio.frames(Codec.PCMA)
    assert frames[2:4] == (frames[2], frames[3])
    for beyond in (10, -11):
        with pytest.raises(IndexError):
            frames[beyond]


def test_audio_made_piece_by_piece_is_the_same_as_whole():
    samples = tone(700, 16000, seconds=0.3)
    whole = resample(samples, 16000, 8000)
    pieces = Audio.from_pcm(samples, 16000).frames(Codec.PCMU)
    assert b"".join(pieces) == b"".join(Audio.from_pcm(whole, 8000).frames(Codec.PCMU))


def test_later_changes_of_the_samples_do_not_change_the_audio():
    samples = tone(440, 8000)
    audio = Audio.from_pcm(samples, 8000)
    for index in range(len(samples)):
        samples[index] = 0
    heard = decode_ulaw(b"".join(audio.frames(Codec.PCMU)))
    assert level(heard, 8000, 440) > -20


@pytest.mark.parametrize("rate", [11025, 44100, 48000])
def test_what_the_lower_rate_cannot_carry_is_cut_off_rather_than_folded(rate):
    to_rate = 8000
    above = tone(5000, rate)
    folded = resample(above, rate, to_rate)[100:-100]
    assert level(folded, to_rate, 3000) < -70


@pytest.mark.parametrize("rate", [16000, 44100])
def test_the_telephone_s_band_is_kept_flat(rate):
    for frequency in (300, 1000, 2500, 3300):
        kept = resample(tone(frequency, rate), rate, 8000)
        before = level(tone(frequency, rate), rate, frequency)
        assert level(kept, 8000, frequency) == pytest.approx(before, abs=0.3)


def test_resampling_clips_instead_of_wrapping():
    square = array("h", ([32767] * 20 + [-32768] * 20) * 20)
    loud = resample(square, 16000, 8000)
    for index, value in enumerate(loud[8:-8], start=8):
        if index % 20 not in {0, 9, 10, 19}:
            assert (value > 20000) == (index % 20 < 10)


@settings(max_examples=30)
@given(
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=300),
    st.sampled_from(sorted(SAMPLE_RATES)),
    st.sampled_from(list(Codec)),
)
def test_any_samples_become_whole_frames(values, rate, codec):
    frames = list(Audio.from_pcm(array("h", values), rate).frames(codec))
    assert frames
    assert {len(frame) for frame in frames} == {160}


def test_a_wav_file_is_read_from_disk_or_from_memory(tmp_path):
    path = tmp_path / "prompt.wav"
    with WavWriter(path, encoding=WavEncoding.PCM, rate=16000) as writer:
        writer.write(tone(440, 16000).tobytes())
    from_disk, from_memory = Audio.from_wav(path), Audio.from_wav(path.read_bytes())
    assert list(from_disk.frames(Codec.G722)) == list(from_memory.frames(Codec.G722))


@pytest.mark.parametrize(
    ("samples", "rate", "problem"),
    [
        (array("h"), 8000, "no sound"),
        (array("h", [1]), 22000, "22000 Hz is not among"),
        (array("h", bytes(2 * int(MAX_SECONDS * 8000 + 1))), 8000, "longer than 300 seconds"),
    ],
)
def test_unusable_samples_are_refused_with_a_mend(samples, rate, problem):
    with pytest.raises(UnusableAudio, match=problem) as refused:
        Audio.from_pcm(samples, rate)
    assert refused.value.mend


def test_a_file_that_is_too_large_is_refused(tmp_path):
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        file.truncate(MAX_WAV_BYTES + 1)
    with pytest.raises(UnusableAudio, match="larger than 96 MiB"):
        Audio.from_wav(path)
    with pytest.raises(FileNotFoundError):
        Audio.from_wav(tmp_path / "missing.wav")


def test_samples_of_another_kind_are_a_programmer_s_error():
    with pytest.raises(TypeError):
        Audio.from_pcm(array("i", [1]), 8000)
