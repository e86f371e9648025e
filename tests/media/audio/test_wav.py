"""WAV files: as others write them, as we write them, and as nobody should."""

import io
import struct
import wave
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media.audio import Audio
from twoleg.media.codec import Codec
from twoleg.media.g711 import encode_alaw, encode_ulaw
from twoleg.media.wav import MAX_CHUNKS, UnusableAudio, WavEncoding, WavWriter, read_wav

RAMP = array("h", range(-32768, 32768, 256))


def wav_of(samples, *, rate=8000, width=2, channels=1):
    """A file as Python's own writer makes it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        if width == 1:
            writer.writeframes(bytes((each >> 8) + 128 for each in samples))
        else:
            shift = 8 * (width - 2)
            writer.writeframes(
                b"".join((each << shift).to_bytes(width, "little", signed=True) for each in samples)
            )
    return file.getvalue()


def chunk(name, body):
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2)


def riff(*chunks):
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def wav_format(tag=1, channels=1, rate=8000, bits=16, extra=b""):
    block = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits) + extra


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_pcm_of_each_width_is_read(width):
    wav = read_wav(wav_of(RAMP, width=width, rate=16000))
    assert wav.samples == RAMP
    assert wav.rate == 16000


def test_stereo_is_mixed():
    both = array("h", [1000, 3000, -32768, -32768, 32767, 32767, 20000, -20000])
    assert list(read_wav(wav_of(both, channels=2)).samples) == [2000, -32768, 32767, 0]


@pytest.mark.parametrize(("tag", "encode"), [(6, encode_alaw), (7, encode_ulaw)])
def test_g711_is_read(tag, encode):
    payload = encode(RAMP)
    data = riff(
        chunk(b"fmt ", wav_format(tag, bits=8, extra=b"\0\0")),
        chunk(b"fact", struct.pack("<I", len(payload))),
        chunk(b"data", payload),
    )
    assert encode(read_wav(data).samples) == payload


def test_the_extensible_format_is_read():
    guid_tail = bytes.fromhex("0000000010008000 00aa00389b71")
    extra = struct.pack("<HHIH", 22, 16, 4, 1) + guid_tail
    data = riff(chunk(b"fmt ", wav_format(0xFFFE, extra=extra)), chunk(b"data", RAMP.tobytes()))
    assert read_wav(data).samples == RAMP


def test_other_chunks_even_odd_ones_are_passed_over():
    data = riff(
        chunk(b"LIST", b"INFOISFT\x03\0\0\0abc"),
        chunk(b"fmt ", wav_format()),
        chunk(b"junk", b"x"),
        chunk(b"data", RAMP.tobytes()),
        chunk(b"LIST", b"more"),
    )
    assert read_wav(data).samples == RAMP


@pytest.mark.parametrize("sizes", [(0xFFFF_FFFF, 0xFFFF_FFFF), (36, 0), (0, 0), (36, 10**6)])
def test_a_file_whose_header_was_never_completed_is_read_to_its_end(sizes):
    whole, data_size = sizes
    data = (
        struct.pack("<4sI4s", b"RIFF", whole, b"WAVE")
        + chunk(b"fmt ", wav_format())
        + struct.pack("<4sI", b"data", data_size)
        + RAMP.tobytes()
    )
    assert read_wav(data).samples == RAMP


def test_a_file_without_sound_is_not_read_into_what_follows_its_data():
    data = riff(chunk(b"fmt ", wav_format()), chunk(b"data", b""), chunk(b"LIST", b"x" * 100))
    assert len(read_wav(data).samples) == 0
    with pytest.raises(UnusableAudio, match="no sound"):
        Audio.from_wav(data)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not a WAV file"),
        (b"ID3\x04" + bytes(100), "not a WAV file"),
        (riff(), "no data"),
        (riff(chunk(b"fmt ", wav_format())), "no data"),
        (riff(chunk(b"data", b"1234")), "format before its data"),
        (riff(chunk(b"fmt ", b"\x01\0")), "cut short"),
        (riff(chunk(b"fmt ", wav_format(tag=3, bits=32))), "format tag 3"),
        (riff(chunk(b"fmt ", wav_format(tag=85))), "format tag 85"),
        (riff(chunk(b"fmt ", wav_format(bits=12))), "12 bits"),
        (riff(chunk(b"fmt ", wav_format(tag=7, bits=16))), "16 bits"),
        (riff(chunk(b"fmt ", wav_format(channels=6))), "6 channels"),
        (riff(chunk(b"fmt ", wav_format(rate=0))), "rate of 0"),
        (riff(*[chunk(b"junk", b"")] * MAX_CHUNKS, chunk(b"fmt ", wav_format())), "no data"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_mend(data, problem):
    with pytest.raises(UnusableAudio, match=problem) as refused:
        read_wav(data)
    assert refused.value.mend.startswith("Convert it, for example: sox")
    assert str(refused.value) == f"{refused.value.problem}. {refused.value.mend}."


def test_a_recording_that_is_too_long_is_refused_before_it_is_decoded():
    data = riff(chunk(b"fmt ", wav_format(tag=7, bits=8)), chunk(b"data", bytes(8000 * 300 + 1)))
    with pytest.raises(UnusableAudio, match="longer than 300 seconds"):
        read_wav(data)


def playable(data):
    """Its frames, or else the mend that the error names."""
    try:
        return list(Audio.from_wav(data).frames(Codec.PCMU))
    except UnusableAudio as refused:
        return refused.mend


@given(st.binary(max_size=300))
def test_any_bytes_are_audio_or_a_clear_error(data):
    for each in (data, riff(data), riff(chunk(b"fmt ", wav_format()), data)):
        assert playable(each)


@given(st.binary(min_size=16, max_size=40), st.binary(max_size=200))
def test_any_format_is_read_or_refused(body, samples):
    assert playable(riff(chunk(b"fmt ", body), chunk(b"data", samples)))


@pytest.mark.parametrize("channels", [1, 2])
def test_what_the_writer_wrote_python_s_own_reader_reads(tmp_path, channels):
    path = tmp_path / "recording.wav"
    with WavWriter(path, encoding=WavEncoding.PCM, rate=8000, channels=channels) as writer:
        writer.write(RAMP[:100].tobytes())
        writer.write(RAMP[100:].tobytes())
        assert writer.seconds == len(RAMP) / 8000 / channels
    with wave.open(str(path)) as reader:
        assert (reader.getnchannels(), reader.getframerate(), reader.getsampwidth()) == (
            *(channels, 8000, 2),
        )
        assert reader.readframes(10**6) == RAMP.tobytes()


@pytest.mark.parametrize(
    ("encoding", "encode"), [(WavEncoding.PCMU, encode_ulaw), (WavEncoding.PCMA, encode_alaw)]
)
@pytest.mark.parametrize("count", [160, 161])
def test_a_g711_recording_is_written_as_it_came(tmp_path, encoding, encode, count):
    path = tmp_path / "recording.wav"
    payload = encode(RAMP[:count])
    with WavWriter(path, encoding=encoding) as writer:
        writer.write(payload)
    data = path.read_bytes()
    assert struct.unpack_from("<I", data, 4) == (len(data) - 8,)
    assert data.index(b"fact") < data.index(b"data")
    assert encode(read_wav(data).samples) == payload


def test_a_recording_that_was_never_closed_can_still_be_read(tmp_path):
    path = tmp_path / "recording.wav"
    with WavWriter(path, encoding=WavEncoding.PCM) as writer:
        for _ in range(1000):
            writer.write(RAMP.tobytes())
        unfinished = path.read_bytes()
    kept = read_wav(unfinished).samples
    assert 900 * len(RAMP) < len(kept) <= 1000 * len(RAMP)
    assert kept[: len(RAMP)] == RAMP
    writer.close()
    assert len(read_wav(path.read_bytes()).samples) == 1000 * len(RAMP)


def test_the_writer_never_writes_over_a_recording(tmp_path):
    path = tmp_path / "recording.wav"
    path.write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        WavWriter(path, encoding=WavEncoding.PCM)
    assert path.read_bytes() == b"kept"


def test_the_header_is_completed_when_the_call_fails(tmp_path):
    path = tmp_path / "recording.wav"

    def record():
        with WavWriter(path, encoding=WavEncoding.PCM) as writer:
            writer.write(RAMP.tobytes())
            raise ConnectionError

    with pytest.raises(ConnectionError):
        record()
    with wave.open(str(path)) as reader:
        assert reader.getnframes() == len(RAMP)
