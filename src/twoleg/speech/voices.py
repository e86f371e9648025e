"""Which languages can be spoken, and by which voice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import espeakng_loader

_Found = TypeVar("_Found")


class UnknownLanguage(ValueError):
    """There is no voice for the language of this tag."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


class UnusableVoice(Exception):
    """A configured voice cannot be used; `message` says why, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks: a voice of espeak-ng by its name, or one of Piper by its file."""

    name: str
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Voices:
    """The voices of this installation: `piper` has voice files by language tag in small letters."""

    piper: Mapping[str, Path] = field(default_factory=dict)

    def best(self, tag: str) -> Voice:
        """Return Piper's voice for a language, or else espeak-ng's. Raises UnknownLanguage."""
        file = _nearest(self.piper, tag)
        return Voice(voice_for(tag)) if file is None else Voice(f"piper/{file.stem}", file)

    @classmethod
    def checked(cls, piper: Mapping[str, Path]) -> Voices:
        """Return the voices once all is there that they need. Raises UnusableVoice."""
        voices = cls(piper)
        voices._check()
        return voices

    def _check(self) -> None:
        if self.piper and find_spec("piper") is None:
            raise UnusableVoice(
                "piper_voices needs Piper: install twoleg[piper], or leave the setting out"
            )
        for tag, file in self.piper.items():
            for needed in (file, file.with_name(f"{file.name}.json")):
                if not needed.is_file():
                    raise UnusableVoice(
                        f"piper_voices: there is no file {needed} for {tag!r}; a voice is an .onnx"
                        " file with its .onnx.json beside it"
                    )


def voice_for(tag: str) -> str:
    """Return espeak-ng's voice for a language tag (RFC 5646), or the tag without its last parts.

    Raises UnknownLanguage.
    """
    voice = _nearest(_voices(), tag)
    if voice is None:
        raise UnknownLanguage(tag)
    return voice


def _nearest(known: Mapping[str, _Found], tag: str) -> _Found | None:
    parts = tag.replace("_", "-").lower().split("-")
    while parts:
        found = known.get("-".join(parts))
        if found is not None:
            return found
        parts.pop()
    return None


@cache
def _voices() -> Mapping[str, str]:
    """Return espeak-ng's voices, each by its language in small letters."""
    languages = Path(espeakng_loader.get_data_path()) / "lang"
    return {file.name.lower(): file.name for file in languages.rglob("*") if file.is_file()}
