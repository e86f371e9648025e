"""`twoleg reports`: tables for people, JSON and CSV for scripts."""

from __future__ import annotations

import pytest

from twoleg.cli.reports import CALL_COLUMNS, REMINDER_COLUMNS

INVALID = 65


def report(columns):
    line = dict.fromkeys(columns, 3)
    return {"data": [line | {"group": "Evening"}], "total": line | {"group": "total"}}


@pytest.mark.parametrize(
    ("kind", "columns", "group_by"),
    [("reminders", REMINDER_COLUMNS, "plan"), ("calls", CALL_COLUMNS, "day")],
)
def test_a_report_is_a_table_with_its_total_last(twoleg, api, kind, columns, group_by) -> None:
    api.on(f"GET /reports/{kind}?group_by={group_by}", report(columns))
    shown = twoleg("reports", kind)
    assert shown.exit_code == 0, shown.err
    *_, evening, total = shown.out.splitlines()
    assert (evening.split()[0], total.split()[0]) == ("Evening", "total")
    assert twoleg("reports", kind, "--json").json == report(columns)


def test_what_is_asked_for_is_passed_on(twoleg, api) -> None:
    path = "GET /reports/reminders?from=2026-06-01&to=2026-06-30&group_by=hour&reminder_plan_id=2"
    api.on(path, report(REMINDER_COLUMNS))
    options = ("--from", "2026-06-01", "--to", "2026-06-30", "--group-by", "hour", "--plan", "2")
    assert twoleg("reports", "reminders", *options).exit_code == 0


def test_csv_is_printed_as_it_comes(twoleg, api) -> None:
    api.on("GET /reports/calls?group_by=agent", b"agent,calls\r\nAlice,3\r\n")
    shown = twoleg("reports", "calls", "--group-by", "agent", "--csv")
    assert shown.out == "agent,calls\r\nAlice,3\r\n"


def test_what_is_refused_is_said(twoleg, api) -> None:
    errors = {"group_by": ["The group_by field must be one of plan."]}
    api.on("GET /reports/reminders?group_by=x", {"message": "no", "errors": errors}, status=422)
    refused = twoleg("reports", "reminders", "--group-by", "x")
    assert refused.exit_code == INVALID
    assert "group_by" in refused.err


def test_appointments_are_exported_as_csv(twoleg, api) -> None:
    api.on("GET /appointments?status=callback_requested", b"name\r\nEva\r\n")
    assert twoleg("appointments", "export", "status=callback_requested").out == "name\r\nEva\r\n"
