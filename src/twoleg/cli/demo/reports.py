"""What the demo and its phones tell each other: JSON, a line each, over pipes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneScript:
    """How a phone is to behave; the first line on its standard input.

    With a `username` it registers at `registrar` (HOST:PORT). It hangs up `talk_seconds` after it
    heard the other side; None leaves that to the far end.
    """

    registrar: str | None = None
    username: str | None = None
    password: str | None = None
    tone_hz: int
    expected_hz: int
    ring_seconds: float
    talk_seconds: float | None = None

    def to_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> PhoneScript:
        return cls(**json.loads(line))


class Happening(StrEnum):
    """What a phone reports."""

    LISTENING = "listening"  # port
    REGISTERED = "registered"
    REFUSED = "refused"  # status: its registration
    RINGS = "rings"  # caller
    ANSWERS = "answers"  # codec
    HEARS = "hears"
    HANGS_UP = "hangs up"
    ENDED = "ended"  # level, seconds: what was heard in all


@dataclass(frozen=True, slots=True)
class Report:
    """One line on a phone's standard output."""

    happening: Happening
    facts: dict[str, Any]

    def to_line(self) -> str:
        return json.dumps({"happening": self.happening, **self.facts}) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Report:
        facts = json.loads(line)
        return cls(Happening(facts.pop("happening")), facts)
