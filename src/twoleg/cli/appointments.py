"""`twoleg appointments`, `appointment-feeds` and `reminder-plans`: keep them, take them in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from twoleg.cli.client import connected
from twoleg.cli.importing import Columns, Country, DryRun, take_in
from twoleg.cli.options import AsJson
from twoleg.cli.output import print_fields, print_json
from twoleg.cli.resources import Resource, assigned, commands

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
    dry_run: DryRun = False,
    plan: Annotated[int | None, typer.Option(help="Reminder plan; else the default.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Of times without one.")] = None,
    country: Country = None,
    columns: Columns = None,
    as_json: AsJson = False,
) -> None:
    """Take in appointments from a file, and show how far it is and what was refused."""
    options = {
        "dry_run": str(dry_run).lower(),
        "reminder_plan_id": plan,
        "time_zone": time_zone,
        "country": country,
        "columns": columns,
    }
    take_in(file, "/appointments/import", _KINDS, options, as_json=as_json)
