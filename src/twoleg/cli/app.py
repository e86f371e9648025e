"""The command line, put together."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from twoleg import __version__
from twoleg.cli import call, database, demo, doctor, parts, resources, serve, setup
from twoleg.cli.client import RequestRefused, ServiceUnreachable
from twoleg.cli.exit_codes import ExitCode

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Places two-legged calls: rings an agent, rings a contact, joins the two.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"twoleg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("api")(parts.api)
app.command("engine")(parts.engine)
app.command("worker")(parts.worker)
app.command("setup")(setup.setup)
app.command("doctor")(doctor.doctor)
app.add_typer(database.commands, name="db")
app.command("call")(call.place)
app.add_typer(call.calls, name="calls")
for resource in resources.RESOURCES:
    app.add_typer(resources.commands(resource), name=resource.path)


def run() -> None:
    """Run the command line; errors of the service end it with a message and a code of their own."""
    try:
        app()
    except RequestRefused as refusal:
        print(refusal, file=sys.stderr)  # noqa: T201
        sys.exit(refusal.exit_code)
    except ServiceUnreachable as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(ExitCode.UNAVAILABLE)
