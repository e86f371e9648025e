"""Telling by ear whether a person or a machine has answered.

A person says little and waits for an answer; a machine talks on, and beeps. What a person says
first has been over for a while before anything is decided, so that the pauses of a machine that
takes breath are told from the pause of somebody who listens.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from twoleg.media.beep import FRAME_SECONDS, Beep, BeepDetector
from twoleg.media.pure_tone import FRAME_SAMPLES, SILENCE_DBFS, FrameSound, sound_of

LONG_GREETING_SECONDS: Final = 4.5
"""Who talks for so long without waiting for an answer is a machine."""

INITIAL_SILENCE_SECONDS: Final = 5.0
"""Who says nothing for so long is not known, and will not be."""

DECIDED_WITHIN_SECONDS: Final = 12.0
"""Whatever is heard, longer than that it is not listened to for a verdict."""

BEEP_AFTER_SECONDS: Final = 4.0
"""A beep so soon after a short greeting, with no word between, makes a machine of the person."""

NOTHING: Final = FrameSound(SILENCE_DBFS, None)

_JUDGE_FRAMES: Final = 5
"""A verdict is looked for every 100 ms."""

_WORD_FRAMES: Final = 4
"""What is shorter is a click."""

_BREATH_FRAMES: Final = 10
"""Gaps within words and between them."""

_STEADY_FRAMES: Final = 15
_STEADY_DECIBELS: Final = 3.0
"""Between the loud and the faint tenth of what is no speech: it swells and fades more than that,
which dialling, ringing and fax tones do not."""

ECHO_LOSS_DECIBELS: Final = 12.0
"""What comes back of a voice is fainter than it by that at least (ITU-T G.168)."""

_LOUDEST: Final = 6
"""The level of speech is that of its sixth loudest frame, of the noise that of the tenth part."""

_LEAST_CONTRAST: Final = 9.0
"""Decibels between speech and noise; what varies less is noise alone."""

_FAINTEST_DBFS: Final = -58.0
_ABOVE_NOISE: Final = 0.4
"""Where between noise and speech, in decibels, the border is."""


class AnsweredBy(StrEnum):
    """Who answered a call."""

    HUMAN = "human"
    MACHINE = "machine"
    UNKNOWN = "unknown"


class Sign(StrEnum):
    """What the verdict was drawn from."""

    SHORT_GREETING = "short_greeting"
    LONG_GREETING = "long_greeting"
    BEEP = "beep"
    SILENCE = "silence"
    TIME = "time"
    KEY = "key"
    """One was pressed, which no detector hears."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who answered, and how many seconds of audio it took to tell."""

    answered_by: AnsweredBy
    sign: Sign
    seconds: float


class Words(NamedTuple):
    """What was said up to now, in seconds of the stream; `speech` is without its pauses."""

    began_at: float
    ended_at: float
    speech: float

    @property
    def span(self) -> float:
        return self.ended_at - self.began_at


class MachineDetector:
    """Listens to one stream from the moment of its answer. No clock: audio is its time.

    `verdict` is there once it is known; `is_final` once it will not change any more, which
    UNKNOWN and HUMAN still can when a beep follows. Nothing need be given to it after that, but
    whoever waits for the beep goes on: `beep` is the last one that was heard.
    """

    __slots__ = ("_beeps", "_frames", "_rest", "_sounds", "_words", "beep", "verdict")

    def __init__(self) -> None:
        self.verdict: Verdict | None = None
        self.beep: Beep | None = None
        self._beeps = BeepDetector()
        self._frames = 0
        self._sounds: list[FrameSound] = []
        self._rest = array("h")
        self._words: Words | None = None

    @property
    def seconds(self) -> float:
        """How much has been heard."""
        return self._frames * FRAME_SECONDS

    @property
    def quiet_seconds(self) -> float:
        """How long nothing has been said."""
        return self.seconds - (self._words.ended_at if self._words else 0.0)

    @property
    def has_spoken(self) -> bool:
        return self._words is not None

    @property
    def is_final(self) -> bool:
        verdict = self.verdict
        if verdict is None:
            return False
        if verdict.answered_by is AnsweredBy.MACHINE:
            return True
        since = self.seconds - verdict.seconds
        return since >= BEEP_AFTER_SECONDS or self.quiet_seconds < since

    def take(self, samples: "array[int]", said: float = SILENCE_DBFS) -> None:
        """Take samples of 16 bits at 8000 Hz, however many. Takes 0.1 ms for 20 ms of them.

        `said` is how loud, in dBFS, the far end has just been spoken to: so much of it may be echo.
        """
        rest = self._rest
        rest.extend(samples)
        start = 0
        while len(rest) - start >= FRAME_SAMPLES:
            sound = sound_of(rest[start : start + FRAME_SAMPLES])
            self._hear(sound._replace(is_echo=sound.level < said - ECHO_LOSS_DECIBELS))
            start += FRAME_SAMPLES
        del rest[:start]

    def pass_silence(self, seconds: float) -> None:
        """Let time pass in which nothing came, as where silence is not sent."""
        for _ in range(round(seconds / FRAME_SECONDS)):
            self._hear(NOTHING)

    def _hear(self, sound: FrameSound) -> None:
        self._frames += 1
        beep = self._beeps.take(sound, after_voice=self._words is not None)
        self._sounds.append(sound)
        if len(self._sounds) > _MOST_KEPT:
            del self._sounds[:-_KEPT]
        if beep is not None:
            self.beep = beep
            if not self.is_final:
                self._decide(AnsweredBy.MACHINE, Sign.BEEP)
        if self._frames % _JUDGE_FRAMES == 0:
            self._judge()

    def _judge(self) -> None:
        words = words_in(self._sounds)
        behind = (self._frames - len(self._sounds)) * FRAME_SECONDS
        if words is not None:
            self._words = Words(words.began_at + behind, words.ended_at + behind, words.speech)
        elif not behind:
            # What seemed a word was the beginning of a tone.
            self._words = None
        if self.verdict is not None or self._beeps.is_hearing:
            return
        if self._words is None:
            if self.seconds >= INITIAL_SILENCE_SECONDS:
                self._decide(AnsweredBy.UNKNOWN, Sign.SILENCE)
        elif self._words.span >= LONG_GREETING_SECONDS:
            self._decide(AnsweredBy.MACHINE, Sign.LONG_GREETING)
        elif self.quiet_seconds >= pause_after(self._words.span):
            self._decide(AnsweredBy.HUMAN, Sign.SHORT_GREETING)
        elif self.seconds >= DECIDED_WITHIN_SECONDS:
            self._decide(AnsweredBy.UNKNOWN, Sign.TIME)

    def _decide(self, answered_by: AnsweredBy, sign: Sign) -> None:
        self.verdict = Verdict(answered_by, sign, round(self.seconds, 3))


def pause_after(span: float) -> float:
    """Say how many seconds of silence end a greeting of so many: who says more pauses more."""
    return min(1.5, 0.8 + 0.25 * span)


def words_in(sounds: Sequence[FrameSound]) -> Words | None:
    """Find what was said in frames that follow one another; None: nothing."""
    levels = sorted([sound.level for sound in sounds])
    # Where somebody else speaks, the echo is the noise.
    noise = max(levels[len(levels) // 10], _FAINTEST_DBFS - _LEAST_CONTRAST)
    voices = sorted([sound.level for sound in sounds if not sound.is_echo])
    if not voices or (speech := voices[-min(_LOUDEST, len(voices))]) - noise < _LEAST_CONTRAST:
        return None
    border = max(_FAINTEST_DBFS, noise + _ABOVE_NOISE * (speech - noise))
    began_at = ended_at = voiced = 0
    for start, end in _runs(sounds, border):
        if not _is_speech(sounds[start:end]):
            continue
        began_at = began_at if voiced else start
        ended_at = end
        voiced += end - start
    if not voiced:
        return None
    return Words(began_at * FRAME_SECONDS, ended_at * FRAME_SECONDS, voiced * FRAME_SECONDS)


def _runs(sounds: Sequence[FrameSound], border: float) -> list[tuple[int, int]]:
    """Find the stretches above the border, with gaps of a breath filled."""
    runs: list[tuple[int, int]] = []
    for index, sound in enumerate(sounds):
        if sound.level < border or sound.is_echo:
            continue
        if runs and index - runs[-1][1] <= _BREATH_FRAMES:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def _is_speech(run: Sequence[FrameSound]) -> bool:
    """Tell a word from a click, and from a tone, which is not somebody however long it lasts."""
    if len(run) < _WORD_FRAMES or 2 * sum(sound.hertz is not None for sound in run) > len(run):
        return False
    inner = sorted(sound.level for sound in run[2:-2])
    tenth = len(inner) // 10
    return len(run) < _STEADY_FRAMES or inner[-1 - tenth] - inner[tenth] >= _STEADY_DECIBELS


_KEPT: Final = round(DECIDED_WITHIN_SECONDS / FRAME_SECONDS)
_MOST_KEPT: Final = 2 * _KEPT
