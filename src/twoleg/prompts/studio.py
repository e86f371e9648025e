"""Where prompts are made: of files, and of texts. What is wrong with either names its field."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

from twoleg.directory import Invalid
from twoleg.media import wav_of
from twoleg.prompts.converter import Converter, FileProblem, UnusableFile
from twoleg.prompts.sound import PromptSound
from twoleg.prompts.values import PromptKind
from twoleg.speech import (
    Speaker,
    SpeechFailed,
    Template,
    TemplateError,
    UnknownLanguage,
    Voices,
)

WIDE_BAND: Final = 16_000

_PROBLEMS: Final = {
    FileProblem.UNREADABLE: "The file is no audio that can be read: give a WAV, MP3, OGG, FLAC, M4A"
    " or another common audio file.",
    FileProblem.TOO_LONG: "The file is longer than 5 minutes: give a shorter recording.",
    FileProblem.EMPTY: "There is no sound in the file: give another recording.",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A prompt that was made: its sound, and the columns that say what it is.

    None: it is a text with variables, and has no sound of its own.
    """

    sound: PromptSound | None
    fields: dict[str, Any]


class PromptStudio:
    """Makes prompts. Made by `PromptStudio.open`."""

    def __init__(self, speaker: Speaker, converter: Converter) -> None:
        self._speaker = speaker
        self._converter = converter

    @classmethod
    @asynccontextmanager
    async def open(cls, voices: Voices | None = None) -> AsyncIterator[Self]:
        """Be able to make prompts until the block is left; by espeak-ng alone without `voices`."""
        async with Speaker.open(voices) as speaker:
            yield cls(speaker, Converter())

    async def of_file(self, read: Callable[[], Awaitable[bytes]]) -> Recorded:
        """Convert the file that `read` gives. Raises Invalid."""
        try:
            sound = await self._converter.convert(read)
        except UnusableFile as unusable:
            raise Invalid("file", _PROBLEMS[unusable.problem]) from unusable
        nothing = dict.fromkeys(("text", "language", "voice"))
        return Recorded(sound, {"kind": PromptKind.UPLOAD, "seconds": sound.seconds} | nothing)

    async def of_text(self, text: str, language: str) -> Recorded:
        """Speak a text, or check one with variables. Raises Invalid."""
        try:
            template = Template.parse(text)
            voice = self._speaker.voices.best(language).name
        except TemplateError as error:
            raise Invalid("text", f"The text {error.message}.") from error
        except UnknownLanguage as error:
            raise Invalid(
                "language",
                "There is no voice for this language: give a tag of RFC 5646, such as en or pt-BR.",
            ) from error
        sound = None if template.has_variables else await self._spoken(text, language)
        said = {"text": text, "language": language, "voice": voice}
        seconds = None if sound is None else sound.seconds
        return Recorded(sound, {"kind": PromptKind.TEXT, "seconds": seconds} | said)

    async def _spoken(self, text: str, language: str) -> PromptSound:
        try:
            audio = await self._speaker.speak(text, language)
        except SpeechFailed as failed:
            raise Invalid("text", f"The text cannot be spoken: {failed.reason}.") from failed

        async def spoken() -> bytes:
            return wav_of(audio.samples(WIDE_BAND), WIDE_BAND)

        try:
            return await self._converter.convert(spoken)
        except UnusableFile as unusable:
            raise Invalid("text", "The text cannot be spoken: make it shorter.") from unusable
