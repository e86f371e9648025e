"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: `warn` may be meant so, `fail` keeps calls from being placed or heard."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; `mend` says what to do where it is not ok."""

    level: Level
    subject: str
    detail: str
    mend: str = ""


def ok(subject: str, detail: str) -> Finding:
    return Finding(Level.OK, subject, detail)


def warn(subject: str, detail: str, mend: str) -> Finding:
    return Finding(Level.WARN, subject, detail, mend)


def fail(subject: str, detail: str, mend: str) -> Finding:
    return Finding(Level.FAIL, subject, detail, mend)
