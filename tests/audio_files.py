"""Audio files as people have them: a tone in any format that PyAV writes."""

import io
import math
from array import array

import av


def tone_file(
    container="wav",
    codec="pcm_s16le",
    rate=44_100,
    layout="stereo",
    *,
    seconds=1.0,
    hertz=1000,
    amplitude=0.3,
):
    """Return the bytes of a file with one tone."""
    channels = 2 if layout == "stereo" else 1
    samples = array("h")
    for index in range(int(rate * seconds)):
        sample = round(32767 * amplitude * math.sin(2 * math.pi * hertz * index / rate))
        samples.extend([sample] * channels)
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        step = 1024 * channels
        for start in range(0, len(samples), step):
            part = samples[start : start + step]
            frame = av.AudioFrame(format="s16", layout=layout, samples=len(part) // channels)
            frame.sample_rate = rate
            frame.planes[0].update(part.tobytes())
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def video_file():
    """Return the bytes of a film without sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        output.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        output.mux(stream.encode(None))
    return file.getvalue()


FORMATS = {
    "wav, 44.1 kHz stereo": ("wav", "pcm_s16le"),
    "wav, 8-bit mono": ("wav", "pcm_u8", 8_000, "mono"),
    "wav, 24-bit": ("wav", "pcm_s24le", 48_000),
    "wav, mu-law": ("wav", "pcm_mulaw", 8_000, "mono"),
    "mp3": ("mp3", "libmp3lame"),
    "ogg, opus": ("ogg", "libopus", 48_000),
    "webm, opus": ("webm", "libopus", 48_000),
    "flac": ("flac", "flac"),
    "m4a": ("mp4", "aac"),
    "aac": ("adts", "aac"),
    "aiff": ("aiff", "pcm_s16be", 22_050, "mono"),
}
