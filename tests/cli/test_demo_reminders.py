"""How the demo of reminders judges; the whole of it runs in tests/processes."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from twoleg.calls.background import background
from twoleg.cli.demo.children import ChildEnded
from twoleg.cli.demo.reminders import command
from twoleg.cli.demo.reminders.cast import CAST, MORNING, expected_tries
from twoleg.cli.demo.reminders.clinic import Visit, all_are_over, zone_of_morning
from twoleg.cli.demo.reminders.verdict import Morning, judge
from twoleg.cli.demo.running import DemoFailed, within
from twoleg.cli.demo.screen import Screen
from twoleg.cli.exit_codes import ExitCode
from twoleg.reminders.answers import Answer


def attempt(came_to: str) -> dict[str, str | None]:
    answered = came_to in list(Answer)
    return {
        "answer": came_to if answered else None,
        "outcome": "connected" if answered else came_to,
    }


def morning() -> Morning:
    """One that is as it must be."""
    tries = expected_tries()
    figures = {"reached": 5, "reached_rate": 0.5, "confirmed": 2, "confirmed_rate": None}
    return Morning(
        [
            (
                Visit(visitor, number, number, "10:00"),
                {"status": visitor.status, "attempts": [attempt(each) for each in visitor.tries]},
            )
            for number, visitor in enumerate(CAST, start=1)
        ],
        {
            "data": [{"group": group, "calls": calls} for group, calls in tries.items()],
            "total": figures
            | {"planned": len(CAST), "called": len(CAST), "calls": tries.total()}
            | {"unreachable": 1},
        },
    )


def judged(morning: Morning) -> tuple[bool, str]:
    shown = io.StringIO()
    verdict = judge(Screen(Console(file=shown, width=200)), morning)
    return verdict, shown.getvalue()


def test_a_morning_that_is_as_it_must_be_is_good() -> None:
    good, shown = judged(morning())
    assert good
    assert "expected" not in shown


@pytest.mark.parametrize(
    "otherwise", [{"status": "scheduled"}, {"attempts": []}, {"attempts": [attempt("failed")]}]
)
@pytest.mark.parametrize("number", range(len(CAST)))
def test_it_is_not_where_one_visit_ended_otherwise_and_that_is_named(otherwise, number) -> None:
    wrong = morning()
    wrong.visits[number][1].update(otherwise)  # type: ignore[attr-defined]
    good, shown = judged(wrong)
    assert not good
    [line] = [line for line in shown.splitlines() if "; expected" in line]
    assert line.startswith(CAST[number].name)


@pytest.mark.parametrize("otherwise", [None, {"status": "scheduled"}])
async def test_it_ends_with_0_only_where_everybody_ended_as_they_should(
    monkeypatch, capsys, otherwise
) -> None:
    async def remind(board, directory) -> Morning:
        (directory / "service.log").write_text("what went wrong")
        ended = morning()
        if otherwise is not None:
            ended.visits[3][1].update(otherwise)  # type: ignore[attr-defined]
        return ended

    monkeypatch.setattr(command, "_remind", remind)
    code = await command.remind_and_judge()
    assert code is (ExitCode.OK if otherwise is None else ExitCode.FAILED)
    assert ("what went wrong" in capsys.readouterr().out) is (otherwise is not None)


@pytest.mark.parametrize("name", ["planned", "called"])
def test_it_is_not_where_the_report_counts_otherwise(name) -> None:
    wrong = morning()
    wrong.report["total"][name] += 1
    assert not judged(wrong)[0]


def test_it_is_over_once_nobody_is_to_be_called() -> None:
    def having(*states: str) -> dict[str, list[dict[str, str]]]:
        return {"reminders": [{"state": state} for state in states]}

    assert all_are_over([having("done"), having("dropped", "done")])
    assert not all_are_over([having("done"), having("planned")])
    assert not all_are_over([having("done", "calling")])


async def test_what_fails_beside_something_else_is_the_reason_too() -> None:
    async def fails() -> None:
        raise ChildEnded("service")

    async def plays() -> None:
        async with background(fails()):
            await asyncio.Event().wait()

    with pytest.raises(DemoFailed, match="the service ended too early"):
        await within(60, plays())


async def test_what_hangs_says_so() -> None:
    with pytest.raises(DemoFailed, match="nothing more came within 0 s"):
        await within(0.01, asyncio.Event().wait())


@pytest.mark.parametrize("hour", range(24))
def test_it_is_morning_at_the_clinic_at_any_time(hour):
    at = datetime(2026, 11, 30, hour, 30, tzinfo=UTC)
    assert at.astimezone(ZoneInfo(zone_of_morning(at))).hour == MORNING
