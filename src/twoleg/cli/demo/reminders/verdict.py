"""Whether the morning ended as it must, and what is said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twoleg.cli.demo.reminders.cast import expected_tries
from twoleg.cli.demo.reminders.clinic import Visit
from twoleg.cli.demo.screen import Screen


@dataclass(frozen=True, slots=True)
class Morning:
    """What came of it: each visit with its appointment in the end, and the report by outcome."""

    visits: Sequence[tuple[Visit, Mapping[str, Any]]]
    report: Mapping[str, Any]


def judge(screen: Screen, morning: Morning) -> bool:
    """Print how each appointment ended, and the report; say whether all is as it must be."""
    screen.space()
    ended = [_judge_visit(screen, visit, found) for visit, found in morning.visits]
    screen.space()
    return _judge_report(screen, morning.report, len(morning.visits)) and all(ended)


def _judge_visit(screen: Screen, visit: Visit, found: Mapping[str, Any]) -> bool:
    visitor = visit.visitor
    tries = tuple(_came_to(attempt) for attempt in found["attempts"])
    good: bool = (found["status"], tries) == (visitor.status, visitor.tries)
    text = f"{_said(found['status'])}: {_listed(tries)}"
    if not good:
        text += f"; expected {_said(visitor.status)}: {_listed(visitor.tries)}"
    screen.result(visitor.name, text, good=good)
    return good


def _judge_report(screen: Screen, report: Mapping[str, Any], visits: int) -> bool:
    total = report["total"]
    counted = Counter({line["group"]: line["calls"] for line in report["data"]})
    good = counted == expected_tries() and total["called"] == total["planned"] == visits
    for line in report["data"]:
        screen.result("report", f"{line['calls']:3} {_said(line['group'])}", good=good)
    screen.result(
        "reminders",
        f"{total['called']} called, {total['calls']} calls; {total['reached']} reached"
        f" ({_percent(total['reached_rate'])}), {total['confirmed']} confirmed"
        f" ({_percent(total['confirmed_rate'])} of them), {total['unreachable']} unreachable",
        good=good,
    )
    if not good:
        screen.result("report", f"expected {dict(expected_tries())}", good=False)
    return good


def _came_to(attempt: Mapping[str, Any]) -> str:
    return str(attempt["answer"] or attempt["outcome"])


def _listed(tries: Sequence[str]) -> str:
    return ", then ".join(map(_said, tries)) or "never called"


def _said(word: str) -> str:
    return word.replace("_", " ")


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.0%}"
