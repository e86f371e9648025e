"""Quiet hours: when contacts are left alone, by the clock of each contact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From `start` until before `end`, over midnight where `end` is the earlier of the two."""

    start: time
    end: time

    @classmethod
    def from_json(cls, fields: Mapping[str, Any] | None) -> Self | None:
        """Read {"start": "21:00", "end": "08:00"}; None for none."""
        if fields is None:
            return None
        return cls(start=time.fromisoformat(fields["start"]), end=time.fromisoformat(fields["end"]))

    def __contains__(self, wall: time) -> bool:
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end
