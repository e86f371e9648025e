"""`twoleg reports`: what reminders and calls came to."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from twoleg.cli.client import connected
from twoleg.cli.groups import group
from twoleg.cli.options import AsJson
from twoleg.cli.output import print_json, print_table

REMINDER_COLUMNS = (
    "group", "planned", "called", "calls", "reached", "confirmed", "reschedule_requested",
    "cancelled", "talked", "callback_requested", "opted_out", "heard", "message_left",
    "unreachable", "reached_rate", "confirmed_rate",
)  # fmt: skip
CALL_COLUMNS = (
    "group", "calls", "connected", "agent_missed", "contact_missed", "other", "connected_rate",
    "talk_seconds", "mean_talk_seconds", "mean_agent_ring_seconds", "mean_contact_ring_seconds",
)  # fmt: skip

From = Annotated[str | None, typer.Option("--from", help="First day; else 30 days before the end.")]
To = Annotated[str | None, typer.Option(help="Last day; else today.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]

reports = group(no_args_is_help=True, help="See what reminders and calls came to.")


@reports.command("reminders")
def reminders(
    from_: From = None,
    to: To = None,
    group_by: Annotated[str, typer.Option(help="plan, offset, hour, day or outcome.")] = "plan",
    plan: Annotated[int | None, typer.Option(help="Of this reminder plan alone.")] = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Show how many reminders were called, heard and answered, and how."""
    query = _query(from_, to, group_by) | ({} if plan is None else {"reminder_plan_id": plan})
    _show("/reports/reminders", query, REMINDER_COLUMNS, as_csv=as_csv, as_json=as_json)


@reports.command("calls")
def calls(
    from_: From = None,
    to: To = None,
    group_by: Annotated[
        str, typer.Option(help="day, hour, agent, line, ring_group or outcome.")
    ] = "day",
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Show how many calls connected, and how long they rang and were talked."""
    query = _query(from_, to, group_by)
    _show("/reports/calls", query, CALL_COLUMNS, as_csv=as_csv, as_json=as_json)


def _query(from_: str | None, to: str | None, group_by: str) -> dict[str, str | int]:
    given = {"from": from_, "to": to, "group_by": group_by}
    return {name: value for name, value in given.items() if value is not None}


def _show(
    path: str,
    query: dict[str, str | int],
    columns: tuple[str, ...],
    *,
    as_csv: bool,
    as_json: bool,
) -> None:
    with connected() as client:
        if as_csv:
            client.download(path, sys.stdout.buffer, accept="text/csv", **query)
            return
        report = client.get(path, **query)
    if as_json:
        print_json(report)
    else:
        print_table([*report["data"], report["total"]], columns)
