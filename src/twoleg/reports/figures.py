"""What the reports have in common: groups, shares, and the lines of a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final, Generic, TypeVar

from twoleg.reports.csv_text import csv_line
from twoleg.reports.period import Period

TOTAL: Final = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One line of a report: what it is of. Its other fields are the figures."""

    group: str
    group_id: int | None


Line = TypeVar("Line", bound=Figures)


@dataclass(frozen=True, slots=True)
class Report(Generic[Line]):
    """A line for each group, in order, and one for all together."""

    period: Period
    group_by: str
    lines: Sequence[Line]
    total: Line

    def csv(self) -> Iterator[str]:
        """Give the report as lines of CSV, names first and the total last."""
        names = [field.name for field in fields(self.total)]
        yield csv_line([self.group_by, *names[1:]])
        for line in (*self.lines, self.total):
            yield csv_line([getattr(line, name) for name in names])


def share(part: int, whole: int) -> float | None:
    """Return `part` of `whole` to four digits; None of nothing."""
    return round(part / whole, 4) if whole else None
