"""Files become what calls play, or a word that says why not."""

import asyncio
import math
import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from audio_files import FORMATS, tone_file

from twoleg.media import Codec, Decoder, tone_levels
from twoleg.prompts import Converter, PromptSound, UnplayableSound, UnusableFile
from twoleg.prompts.conversion import PEAK_DBFS, TARGET_DBFS
from twoleg.prompts.converter import PROGRAM

PLAYLISTS = {
    "a playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n",
    "a list of files": b"ffconcat version 1.0\nfile /etc/hostname\n",
    "a session description": b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0\r\n",
}


async def converted(data):
    async def read():
        return data

    return await Converter().convert(read)


def loudness(sound, codec, hertz):
    """The level of a tone in the middle of a sound, in dBFS of its root mean square."""
    decoder = Decoder(codec)
    samples = decoder.decode(sound.payloads[codec])
    middle, half = len(samples) // 2, codec.sample_rate // 10
    levels = tone_levels(samples[middle - half : middle + half], codec.sample_rate, [hertz, 350])
    assert levels[hertz] - levels[350] > 25
    return levels[hertz] - 10 * math.log10(2)


@pytest.mark.parametrize("shape", FORMATS.values(), ids=FORMATS)
async def test_a_tone_of_any_format_is_the_same_tone_in_every_codec(shape):
    sound = await converted(tone_file(*shape))
    assert sound.seconds == pytest.approx(1.0, abs=0.1)
    for codec in Codec:
        assert loudness(sound, codec, 1000) == pytest.approx(TARGET_DBFS, abs=0.7), codec


@pytest.mark.parametrize(
    ("before", "after"),
    # By 12 dB at most; what is as faint as noise stays so.
    [(-4.0, -16.0), (-12.0, TARGET_DBFS), (-29.0, TARGET_DBFS), (-37.0, -25.0), (-60.0, -60.0)],
)
async def test_what_is_too_loud_or_too_faint_is_levelled_gently(before, after):
    amplitude = 10 ** (before / 20) * math.sqrt(2)
    sound = await converted(tone_file(rate=16_000, layout="mono", amplitude=amplitude))
    assert loudness(sound, Codec.PCMU, 1000) == pytest.approx(after, abs=1.5)


async def test_a_faint_recording_with_one_loud_sample_is_not_clipped():
    faint = bytearray(tone_file(rate=16_000, layout="mono", amplitude=0.05))
    faint[-2:] = struct.pack("<h", 32_000)
    sound = await converted(bytes(faint))
    assert loudness(sound, Codec.G722, 1000) == pytest.approx(-29.0 + PEAK_DBFS + 0.2, abs=1.0)


@pytest.mark.parametrize("data", PLAYLISTS.values(), ids=PLAYLISTS)
async def test_a_file_that_names_other_files_is_not_followed(data):
    with pytest.raises(UnusableFile) as unusable:
        await converted(data)
    assert unusable.value.problem == "unreadable"


@pytest.mark.parametrize("seed", range(5))
async def test_noise_that_is_no_file_is_refused(seed):
    with pytest.raises(UnusableFile) as unusable:
        await converted(random.Random(seed).randbytes(60_000))
    assert unusable.value.problem == "unreadable"


async def test_a_file_without_anything_is_refused_as_empty():
    with pytest.raises(UnusableFile) as unusable:
        await converted(b"")
    assert unusable.value.problem == "empty"


async def test_five_minutes_and_a_bit_are_too_long():
    long = tone_file("wav", "pcm_u8", 2000, "mono", seconds=301)
    with pytest.raises(UnusableFile) as unusable:
        await converted(long)
    assert unusable.value.problem == "too_long"


@pytest.mark.parametrize("name", ["mp3", "m4a", "ogg, opus", "flac", "wav, 44.1 kHz stereo"])
async def test_a_file_that_was_cut_or_damaged_is_a_sound_or_refused(name):
    whole = tone_file(*FORMATS[name], seconds=0.5)
    dice = random.Random(name)
    for _ in range(4):
        damaged = bytearray(whole[: dice.randrange(len(whole))])
        for _ in range(20):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            sound = await converted(bytes(damaged))
        except UnusableFile:
            continue
        assert 0 < sound.seconds <= 300


CONFINED = """
import sys, runpy
program = runpy.run_path(sys.argv[1])
program["_confine"]()
try:
    open("/etc/hostname")
except OSError as error:
    print(error.strerror)
try:
    bytearray(2 * program["MEMORY_BYTES"])
except MemoryError:
    print("no memory")
"""


def test_the_program_opens_nothing_and_does_not_grow_once_it_has_the_file():
    command = [sys.executable, "-c", CONFINED, PROGRAM]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["Too many open files", "no memory"]


async def test_a_conversion_that_nobody_waits_for_any_more_leaves_no_process():
    long = tone_file("wav", "pcm_u8", 2000, "mono", seconds=290)
    begun = asyncio.Event()

    async def read():
        begun.set()
        return long

    task = asyncio.create_task(Converter().convert(read))
    await begun.wait()
    children = set()
    while not children:
        await asyncio.sleep(0)
        children = _children() - children
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _children() == set()


def _children():
    """The processes of ours that convert."""
    own = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return {pid for pid in own if PROGRAM.encode() in _command_of(pid)}


def _command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    "payloads",
    [
        {},
        {"PCMU": bytes(160), "PCMA": bytes(160)},
        {"PCMU": bytes(160), "PCMA": bytes(160), "G722": b""},
        {"PCMU": bytes(160), "PCMA": bytes(160), "G722": bytes(161)},
        {"PCMU": bytes(160), "PCMA": bytes(160), "G722": bytes(320)},
    ],
)
def test_what_is_not_whole_in_every_codec_is_no_sound(payloads):
    with pytest.raises(UnplayableSound):
        PromptSound.of(payloads)


def test_frames_are_cut_in_their_order():
    payload = b"".join(bytes([number]) * 160 for number in range(3))
    sound = PromptSound.of(dict.fromkeys(("PCMU", "PCMA", "G722"), payload))
    frames = sound.frames(Codec.G722)
    assert [frame[0] for frame in frames] == [0, 1, 2]
    assert (len(frames), sound.seconds, sound.size) == (3, 0.06, 3 * 480)
    assert frames[-1] == frames[1:][1] == bytes([2]) * 160
    with pytest.raises(IndexError):
        frames[3]
