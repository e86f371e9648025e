"""Prompts: audio that an account has uploaded, or had spoken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from twoleg.directory import DirectoryError
from twoleg.speech import Template

MAX_FILE_BYTES: Final = 20 * 1024 * 1024
"""Of an uploaded file: more than five minutes of 16-bit mono at 32 kHz, hours of what is packed."""


class PromptKind(StrEnum):
    """Where a prompt's audio comes from."""

    UPLOAD = "upload"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt without its audio; a text, its language and voice are those of what is spoken.

    `seconds` is None for a text with variables.
    """

    id: int
    account_id: int
    name: str
    kind: str
    text: str | None
    language: str | None
    voice: str | None
    seconds: float | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Wording:
    """A text with variables, which is spoken for each call, in a language."""

    template: Template
    language: str

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return len(self.template.text)


class PromptInUse(DirectoryError):
    """The prompt cannot be deleted: `plans` are the names of the reminder plans that play it."""

    def __init__(self, plans: Sequence[str]) -> None:
        super().__init__(*plans)
        self.plans = plans
