"""Which languages can be spoken."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import espeakng_loader


class UnknownLanguage(ValueError):
    """There is no voice for the language of this tag."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def voice_for(tag: str) -> str:
    """Return the voice for a language tag (RFC 5646), or for the tag without its last parts.

    Raises UnknownLanguage.
    """
    voices = _voices()
    parts = tag.replace("_", "-").lower().split("-")
    while parts:
        voice = voices.get("-".join(parts))
        if voice is not None:
            return voice
        parts.pop()
    raise UnknownLanguage(tag)


@cache
def _voices() -> Mapping[str, str]:
    """Return espeak-ng's voices, each by its language in small letters."""
    languages = Path(espeakng_loader.get_data_path()) / "lang"
    return {file.name.lower(): file.name for file in languages.rglob("*") if file.is_file()}
