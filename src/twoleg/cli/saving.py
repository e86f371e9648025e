"""Audio of the service, saved to a file."""

from __future__ import annotations

from pathlib import Path

import typer

from twoleg.cli.client import connected
from twoleg.cli.exit_codes import ExitCode


def save(path: str, output: Path) -> None:
    """Save what is at `path` to a new file; ends the command where that cannot be."""
    # Only a whole file gets the name.
    part = output.with_name(output.name + ".part")
    try:
        if output.exists():
            raise FileExistsError(None, "File exists", str(output))
        with connected() as client, part.open("wb") as file:
            client.download(path, file)
        part.rename(output)
    except OSError as error:
        typer.echo(f"{output}: {error.strerror}", err=True)
        raise typer.Exit(ExitCode.FAILED) from error
    finally:
        part.unlink(missing_ok=True)
