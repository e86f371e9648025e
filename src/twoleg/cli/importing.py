"""The commands `import`: a file goes in; progress and what was refused come out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress

from twoleg.cli.client import Client, Json, connected
from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.output import print_fields, print_json, print_table

LOOK_SECONDS: Final = 0.5
MOST_REFUSALS: Final = 20
"""Refused rows that are shown; `--json` gives their number, `/imports/ID/refused` all of them."""

DryRun = Annotated[bool, typer.Option(help="Count, and store nothing.")]
Country = Annotated[str | None, typer.Option(help="Of numbers without one (ISO 3166).")]
Columns = Annotated[str | None, typer.Option(help='Headers as JSON: {"Rufnr": "phone_number"}.')]


def take_in(
    file: Path, path: str, kinds: Mapping[str, str], options: Mapping[str, Any], *, as_json: bool
) -> None:
    """Send `file`, follow it to its end, and show what was refused.

    `kinds` are the content types by suffix; `options` that are None are left out.
    """
    kind = kinds.get(file.suffix.lower())
    if kind is None:
        raise typer.BadParameter(f"{file.name}: give a file of {', '.join(kinds)}")
    if not file.is_file():
        raise typer.BadParameter(f"{file}: there is no such file")
    given = {name: value for name, value in options.items() if value is not None}
    with connected() as client:
        begun = client.upload(path, file.read_bytes(), kind, given)
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
