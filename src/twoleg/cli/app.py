"""The command line, put together: each command is imported when it is asked for.

A part of a running service carries nothing of the others, and a data command starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from twoleg import __version__
from twoleg.cli.groups import group

# Each names a function, or a group of commands, in the order in which they are listed.
COMMANDS = {
    "demo": "twoleg.cli.demo:demo",
    "serve": "twoleg.cli.serve:serve",
    "setup": "twoleg.cli.setup:setup",
    "doctor": "twoleg.cli.doctor:doctor",
    "call": "twoleg.cli.call:place",
    "calls": "twoleg.cli.call:calls",
    "account": "twoleg.cli.account:account",
    "users": "twoleg.cli.resources:users",
    "ring-groups": "twoleg.cli.resources:ring_groups",
    "contacts": "twoleg.cli.contacts:contacts",
    "lines": "twoleg.cli.resources:lines",
    "trunks": "twoleg.cli.resources:trunks",
    "prompts": "twoleg.cli.prompts:prompts",
    "tokens": "twoleg.cli.resources:tokens",
    "webhooks": "twoleg.cli.webhooks:webhooks",
    "appointments": "twoleg.cli.appointments:appointments",
    "appointment-feeds": "twoleg.cli.appointments:appointment_feeds",
    "reminder-plans": "twoleg.cli.appointments:reminder_plans",
    "reports": "twoleg.cli.reports:reports",
    "db": "twoleg.cli.database:commands",
    "api": "twoleg.cli.parts:api",
    "engine": "twoleg.cli.parts:engine",
    "worker": "twoleg.cli.parts:worker",
    "simulator": "twoleg.cli.parts:simulator",
}


class Commands(TyperGroup):
    """The commands by name (Any: Typer's own classes of commands have no public name)."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            alone = group()
            alone.command()(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = group(cls=Commands, no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)


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
    """Place two-legged calls: ring an agent, ring a contact, join the two."""
    del version
