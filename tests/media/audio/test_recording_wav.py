"""Raw recordings as WAV: aligned by time, whatever became of the file."""

import io
import wave
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media import (
    Codec,
    RawHeader,
    UnreadableRecording,
    dominant_tone,
    read_header,
    render_recording,
    steady,
)
from twoleg.media.raw_recording import MAX_STEP_TICKS, RECORD, Kind

HEADER = RawHeader(7, 3, 1_700_000_000.0)
LOW, HIGH = 440, 1000
FRAME = 160


class RawFile:
    """A raw recording as an engine writes it, at times that the test says."""

    def __init__(self):
        self.data = bytearray(HEADER.to_bytes())

    def add(self, kind, arrival, timestamp=0, payload=b"", codec=Codec.PCMU):
        number = codec.payload_type if kind <= Kind.RIGHT else 0
        self.data += RECORD.pack(kind, number, len(payload), arrival, timestamp & 0xFFFFFFFF)
        self.data += payload

    def both(self, tones, first, count, *, codec=Codec.PCMU, clocks=(9000, 0xFFFFFF00), skip=()):
        """Both sides' tones, a packet of each every 20 ms, from frame `first` on."""
        sounds = [tone_frames(tone, codec, count) for tone in tones]
        for number in range(count):
            at = (first + number) * FRAME
            for kind, clock, frames in zip((Kind.LEFT, Kind.RIGHT), clocks, sounds, strict=True):
                if (kind, first + number) not in skip:
                    self.add(kind, at, clock + at, frames[number], codec)


def tone_frames(hertz, codec, count):
    # Whole periods last a second: the tone goes on without a seam.
    frames = steady((hertz,), 1000).frames(codec)
    return [frames[number % len(frames)] for number in range(count)]


@pytest.fixture
def rendered(tmp_path):
    """Render raw bytes, and give the result, the rate and both channels."""
    made = []

    def render(data):
        made.append(tmp_path / f"{len(made)}.wav")
        result = render_recording(io.BytesIO(bytes(data)), made[-1])
        with wave.open(str(made[-1])) as wav:
            assert (wav.getnchannels(), wav.getsampwidth()) == (2, 2)
            assert wav.getframerate() == result.rate
            samples = array("h", wav.readframes(wav.getnframes()))
        assert len(samples) == round(result.seconds * result.rate) * 2
        return result, samples[0::2], samples[1::2]

    return render


def tone_in(samples, rate, start, end):
    return dominant_tone(samples[int(start * rate) : int(end * rate)], rate, (LOW, HIGH, 2000))


@pytest.mark.parametrize(("codec", "rate"), [(Codec.PCMU, 8000), (Codec.PCMA, 8000)])
def test_the_agent_is_left_and_the_contact_right(rendered, codec, rate):
    raw = RawFile()
    raw.both((LOW, HIGH), 0, 50, codec=codec)
    raw.add(Kind.END, 50 * FRAME)
    result, left, right = rendered(raw.data)
    assert (result.seconds, result.rate, result.is_complete) == (1.0, rate, True)
    assert tone_in(left, rate, 0, 1) == LOW
    assert tone_in(right, rate, 0, 1) == HIGH


def test_wide_band_stays_wide_and_narrow_band_is_brought_to_it(rendered):
    raw = RawFile()
    frames = zip(tone_frames(LOW, Codec.G722, 20), tone_frames(HIGH, Codec.PCMA, 20), strict=True)
    for number, (wide, narrow) in enumerate(frames):
        raw.add(Kind.LEFT, number * FRAME, number * FRAME, wide, Codec.G722)
        raw.add(Kind.RIGHT, number * FRAME, number * FRAME, narrow, Codec.PCMA)
    result, left, right = rendered(raw.data)
    assert (result.rate, result.seconds) == (16000, 0.4)
    assert tone_in(left, 16000, 0.05, 0.4) == LOW
    assert tone_in(right, 16000, 0.05, 0.4) == HIGH


def test_what_did_not_come_is_silence_of_the_same_length(rendered):
    raw = RawFile()
    raw.both((LOW, HIGH), 0, 50, skip={(Kind.LEFT, number) for number in range(10, 30)})
    _, left, right = rendered(raw.data)
    assert set(left[10 * FRAME : 30 * FRAME]) == {0}
    assert tone_in(left, 8000, 0.6, 1.0) == LOW
    assert tone_in(right, 8000, 0.2, 0.6) == HIGH
    assert len(left) == len(right) == 50 * FRAME


def test_packets_that_overtook_each_other_are_put_in_order(rendered):
    raw = RawFile()
    for number, frame in ((0, b"\x80"), (2, b"\xa0"), (1, b"\x90"), (3, b"\xb0")):
        raw.add(Kind.RIGHT, 480, 5000 + FRAME * number, frame * FRAME)
    _, _, right = rendered(raw.data)
    heard = right[480:]
    levels = [heard[FRAME * number] for number in range(4)]
    assert levels == sorted(levels, reverse=True)
    assert len(heard) == 4 * FRAME


def test_a_packet_twice_and_one_of_long_ago_change_nothing(rendered):
    once, twice = RawFile(), RawFile()
    once.both((LOW, HIGH), 0, 400)
    low, high = (tone_frames(tone, Codec.PCMU, 400) for tone in (LOW, HIGH))
    for number in range(400):
        for kind, clock, frames in ((Kind.LEFT, 9000, low), (Kind.RIGHT, 0xFFFFFF00, high)):
            at = number * FRAME
            twice.add(kind, at, clock + at, frames[number])
            if number % 7 == 3:
                twice.add(kind, at, clock + at - 2 * FRAME, b"\x10" * FRAME)
    assert rendered(once.data) == rendered(twice.data)


def test_jitter_moves_nothing_and_another_clock_is_placed_by_its_arrival(rendered):
    raw = RawFile()
    frames = tone_frames(LOW, Codec.PCMU, 100)
    for number in range(50):
        raw.add(Kind.LEFT, number * FRAME + (number % 5) * 30, 700 + number * FRAME, frames[number])
    for number in range(50, 100):
        raw.add(Kind.LEFT, (number + 50) * FRAME, 55_555_555 + number * FRAME, frames[number])
    _, left, _ = rendered(raw.data)
    assert len(left) == 150 * FRAME
    assert tone_in(left, 8000, 0, 1) == LOW
    assert set(left[50 * FRAME : 100 * FRAME]) == {0}
    assert tone_in(left, 8000, 2, 3) == LOW


def test_a_pause_is_cut_out(rendered):
    raw = RawFile()
    raw.both((LOW, LOW), 0, 50)
    raw.add(Kind.RESUMED, 50 * FRAME)
    # Meanwhile the far ends' clocks went on for ten seconds.
    raw.both((HIGH, HIGH), 50, 50, clocks=(9000 + 80_000, 80_000))
    raw.add(Kind.END, 100 * FRAME)
    result, left, right = rendered(raw.data)
    assert result.seconds == 2.0
    for side in (left, right):
        assert tone_in(side, 8000, 0, 1) == LOW
        assert tone_in(side, 8000, 1, 2) == HIGH


def test_a_side_that_fell_silent_lasts_as_long_as_the_other(rendered):
    raw = RawFile()
    raw.both((LOW, HIGH), 0, 10)
    for second in range(1, 31):
        raw.add(Kind.TIME, 8000 * second)
    result, left, right = rendered(raw.data)
    assert not result.is_complete
    assert result.seconds == 30.0
    assert set(left[1600:]) == set(right[1600:]) == {0}


def test_a_file_that_was_cut_off_gives_what_was_whole(rendered):
    raw = RawFile()
    raw.both((LOW, HIGH), 0, 50)
    for left_out in range(1, 172, 17):
        result, _, right = rendered(raw.data[:-left_out])
        assert not result.is_complete
        assert result.seconds == 1.0
        assert tone_in(right, 8000, 0, 0.9) == HIGH


@pytest.mark.parametrize(
    "nonsense",
    [
        bytes(4096),
        b"\xff" * 4096,
        RECORD.pack(Kind.LEFT, 0, 160, 0, 0) + bytes(160),  # earlier than what came before
        RECORD.pack(Kind.LEFT, 0, 160, 20_000 + MAX_STEP_TICKS, 0) + bytes(160),
        RECORD.pack(Kind.LEFT, 3, 160, 8000, 0) + bytes(160),  # GSM
        RECORD.pack(Kind.LEFT, 0, 1489, 8000, 0) + bytes(1489),
        RECORD.pack(Kind.TIME, 0, 10, 8000, 0) + bytes(10),
    ],
)
def test_nonsense_at_the_end_is_left_out(rendered, nonsense):
    raw = RawFile()
    raw.both((LOW, HIGH), 0, 50)
    whole = rendered(raw.data)
    assert rendered(raw.data + nonsense) == whole


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends within its header"),
        (HEADER.to_bytes()[:-1], "ends within its header"),
        (b"RIFF" + bytes(100), "not a raw recording"),
        (HEADER.to_bytes(), "no audio"),
        (HEADER.to_bytes() + RECORD.pack(Kind.END, 0, 0, 800, 0), "no audio"),
    ],
)
def test_a_file_without_audio_says_so(tmp_path, data, why):
    with pytest.raises(UnreadableRecording, match=why):
        render_recording(io.BytesIO(data), tmp_path / "none.wav")
    assert not (tmp_path / "none.wav").exists()


def test_the_header_tells_whose_it_is():
    assert read_header(io.BytesIO(HEADER.to_bytes())) == HEADER


_records = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from([0, 8, 9, 3]),
        st.integers(0, 300),
        st.integers(0, 9000),
        st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=300),
    ),
    max_size=12,
)


@given(records=_records, tail=st.binary(max_size=40))
def test_any_bytes_give_audio_or_a_clear_error(tmp_path_factory, records, tail):
    data = bytearray(HEADER.to_bytes())
    at = 0
    for kind, codec, size, step, timestamp, payload in records:
        at += step
        data += RECORD.pack(kind, codec, size if size % 3 else len(payload), at, timestamp)
        data += payload
    made = tmp_path_factory.mktemp("any") / "any.wav"
    try:
        result = render_recording(io.BytesIO(bytes(data + tail)), made)
    except UnreadableRecording:
        assert not made.exists()
    else:
        with wave.open(str(made)) as wav:
            assert wav.getnframes() == round(result.seconds * result.rate)


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(data):
    with pytest.raises(UnreadableRecording, match="recording"):
        read_header(io.BytesIO(data))
