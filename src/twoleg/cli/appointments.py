"""`twoleg appointments`, `appointment-feeds` and `reminder-plans`: keep them, take them in."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from twoleg.cli.client import Client, Json, connected
from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.options import AsJson
from twoleg.cli.output import print_fields, print_json, print_table
from twoleg.cli.resources import Resource, assigned, commands

LOOK_SECONDS: Final = 0.5
MOST_REFUSALS: Final = 20
"""Refused rows that are shown; `--json` gives their number, `/imports/ID/refused` all of them."""

_KINDS: Final = {".csv": "text/csv", ".txt": "text/csv", ".ics": "text/calendar"}

reminder_plans = commands(
    Resource(
        "reminder-plans",
        "reminder plan",
        ("id", "name", "is_default", "active", "line_id", "moments"),
        "name, is_default, active, line_id, ring_group_id, moments, text, prompt_id, language,"
        " change_means, voicemail, voicemail_text, voicemail_prompt_id, quiet_hours, weekdays,"
        " skip_holidays, ring_seconds, max_attempts, retry_busy_minutes,"
        " retry_no_answer_minutes, max_calls_per_day, max_calls_per_30_days",
    )
)
appointments = commands(
    Resource(
        "appointments",
        "appointment",
        ("id", "contact_id", "starts_at", "time_zone", "staff", "status"),
        "contact_id, reminder_plan_id, starts_at, time_zone, duration_minutes, place, staff, notes,"
        " external_id, status",
    )
)
appointment_feeds = commands(
    Resource(
        "appointment-feeds",
        "calendar feed",
        ("id", "name", "active", "state", "state_detail", "events", "polled_at"),
        "name, url, reminder_plan_id, time_zone, country, poll_minutes, active",
    )
)


@appointment_feeds.command()
def poll(id_: Annotated[int, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Have a feed polled now; `show` tells what came of it."""
    with connected() as client:
        asked = client.post(f"/appointment-feeds/{id_}/poll", {})
    if as_json:
        print_json(asked)
    else:
        print_fields(asked)


@appointments.command()
def export(
    filters: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILTER=VALUE...", help="status=callback_requested, say."),
    ] = None,
) -> None:
    """Print appointments with what became of them, as CSV."""
    with connected() as client:
        query = assigned(filters or [])
        client.download("/appointments", sys.stdout.buffer, accept="text/csv", **query)


@appointments.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV (.csv) or iCalendar (.ics) file.")],
    dry_run: Annotated[bool, typer.Option(help="Count, and store nothing.")] = False,
    plan: Annotated[int | None, typer.Option(help="Reminder plan; else the default.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Of times without one.")] = None,
    country: Annotated[str | None, typer.Option(help="Of numbers without one (ISO 3166).")] = None,
    columns: Annotated[
        str | None, typer.Option(help='Headers as JSON: {"Rufnr": "phone_number"}.')
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in appointments from a file, and show how far it is and what was refused."""
    kind = _KINDS.get(file.suffix.lower())
    if kind is None:
        raise typer.BadParameter(f"{file.name}: give a .csv or an .ics file")
    if not file.is_file():
        raise typer.BadParameter(f"{file}: there is no such file")
    options = {
        "dry_run": str(dry_run).lower(),
        "reminder_plan_id": plan,
        "time_zone": time_zone,
        "country": country,
        "columns": columns,
    }
    given = {name: value for name, value in options.items() if value is not None}
    with connected() as client:
        begun = client.upload("/appointments/import", file.read_bytes(), kind, given)
        done = _followed(client, begun, quiet=as_json)
        refused = list(client.pages(f"/imports/{done['id']}/refused", MOST_REFUSALS))
    if as_json:
        print_json(done)
    else:
        print_fields(done)
        if refused:
            print_table(refused, ("row", "column", "message"))
    if done["state"] == "failed":
        raise typer.Exit(ExitCode.REFUSED)


def _followed(client: Client, begun: Json, *, quiet: bool) -> Json:
    """Show how far an import is, until it has ended."""
    with Progress(console=Console(stderr=True), disable=quiet, transient=True) as progress:
        bar = progress.add_task("Taking in", total=1.0)
        now = begun
        while now["ended_at"] is None:
            time.sleep(LOOK_SECONDS)
            now = client.get(f"/imports/{begun['id']}")
            progress.update(bar, completed=now["progress"], description=f"{now['rows_read']} rows")
    return now
