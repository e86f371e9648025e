"""`twoleg contacts`: keep them, take them in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from twoleg.cli.importing import Columns, Country, DryRun, take_in
from twoleg.cli.options import AsJson
from twoleg.cli.resources import Resource, commands

_KINDS: Final = {".csv": "text/csv", ".txt": "text/csv"}

contacts = commands(
    Resource(
        "contacts",
        "contact",
        ("id", "name", "phone_number", "time_zone", "opted_out"),
        "name, phone_number, phone_numbers, time_zone, language, opted_out, attributes",
    )
)


@contacts.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file (.csv).")],
    dry_run: DryRun = False,
    country: Country = None,
    columns: Columns = None,
    as_json: AsJson = False,
) -> None:
    """Take in contacts from a file, and show how far it is and what was refused."""
    options = {"dry_run": str(dry_run).lower(), "country": country, "columns": columns}
    take_in(file, "/contacts/import", _KINDS, options, as_json=as_json)
