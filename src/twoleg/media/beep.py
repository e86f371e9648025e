"""Hearing the beep with which a machine says that it records now."""

from dataclasses import dataclass
from typing import Final

from twoleg.media.pure_tone import FrameSound

FRAME_SECONDS: Final = 0.02

LEAST_HERTZ: Final = 390.0
MOST_HERTZ: Final = 2550.0
LEAST_SECONDS: Final = 0.12
MOST_SECONDS: Final = 2.0
"""What is longer is a dialling, ringing or fax tone."""

PROGRESS_HERTZ: Final = 500.0
"""Networks ring, and say that they are busy, by single tones below this frequency in many
countries (ITU-T E.180), longer than a beep lasts."""

PROGRESS_SECONDS: Final = 0.9

CALLING_TONE_HERTZ: Final = (1060.0, 1140.0)
CALLING_TONE_SECONDS: Final = (0.42, 0.58)
"""A fax machine that calls (ITU-T T.30 5.3.6.1.2): 1100 Hz for half a second. A beep of that kind
is taken for one only after a voice."""

_SAME: Final = 0.02
"""How much the frequency may change from frame to frame, as a share of it."""

_LEAST_FRAMES: Final = round(LEAST_SECONDS / FRAME_SECONDS) - 1
"""Whole ones: the first and the last frame are filled in part."""

_MOST_FRAMES: Final = round(MOST_SECONDS / FRAME_SECONDS)

_GAP_FRAMES: Final = 2
"""Frames in a row within a tone that are none: where a packet was lost, or noise was loud."""

_AFTER_FRAMES: Final = 4
"""Frames without another tone behind a beep: signals of several tones, and tunes, are none."""


@dataclass(frozen=True, slots=True)
class Beep:
    """One tone by itself, and when it ended: in seconds from the first frame."""

    hertz: float
    seconds: float
    ended_at: float


class BeepDetector:
    """Finds beeps in one stream of frames. Give each frame to `take`, in order."""

    __slots__ = ("_ended", "_frames", "_gap", "_hertz", "_in_tune", "_run", "_since")

    def __init__(self) -> None:
        self._frames = 0
        self._run = 0
        self._gap = 0
        self._hertz = 0.0
        self._ended: tuple[float, int, int] | None = None
        self._since = _AFTER_FRAMES
        self._in_tune = False

    @property
    def is_hearing(self) -> bool:
        """Whether there is a tone, or one has just ended, that may come to be a beep."""
        return self._ended is not None or 1 < self._run <= _MOST_FRAMES

    def take(self, sound: FrameSound, *, after_voice: bool) -> Beep | None:
        """Take a frame; give the beep that it is known by it to have been one.

        `after_voice`: a voice has been heard before, without which some tones are no beeps.
        """
        self._frames += 1
        hertz = sound.hertz
        if hertz is not None and self._run and abs(hertz - self._hertz) <= _SAME * self._hertz:
            self._run += 1 + self._gap
            self._gap = 0
            return None
        if hertz is None and self._run and self._gap < _GAP_FRAMES:
            self._gap += 1
            return None
        if self._run:
            self._end_tone()
        if hertz is not None:
            # A tone right behind another is a tune's.
            self._in_tune = self._since < _AFTER_FRAMES
            self._run, self._hertz = 1, hertz
            return None
        self._since += 1
        if self._ended is not None and self._since >= _AFTER_FRAMES:
            ended, self._ended = self._ended, None
            return _beep(*ended, after_voice=after_voice)
        return None

    def _end_tone(self) -> None:
        if self._run >= _LEAST_FRAMES:
            end = self._frames - 1 - self._gap
            self._ended = None if self._in_tune else (self._hertz, self._run, end)
            self._since = self._gap
        self._run = self._gap = 0


def _beep(hertz: float, frames: int, end: int, *, after_voice: bool) -> Beep | None:
    # Half of the two frames at its edges are its own.
    seconds = (frames + 1) * FRAME_SECONDS
    if not (LEAST_HERTZ <= hertz <= MOST_HERTZ and seconds <= MOST_SECONDS):
        return None
    if hertz < PROGRESS_HERTZ and not (after_voice and seconds < PROGRESS_SECONDS):
        return None
    is_calling_tone = (
        CALLING_TONE_HERTZ[0] <= hertz <= CALLING_TONE_HERTZ[1]
        and CALLING_TONE_SECONDS[0] <= seconds <= CALLING_TONE_SECONDS[1]
    )
    if is_calling_tone and not after_voice:
        return None
    return Beep(round(hertz, 1), seconds, end * FRAME_SECONDS)
