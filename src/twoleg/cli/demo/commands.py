"""The commands: one call between two phones, or a clinic's morning of reminders."""

from __future__ import annotations

import typer

from twoleg.cli.demo.command import play_and_judge
from twoleg.cli.demo.reminders.command import remind_and_judge
from twoleg.cli.demo.running import run
from twoleg.cli.groups import group

demo = group(invoke_without_command=True)


@demo.callback()
def call(context: typer.Context) -> None:
    """Place one real call between two simulated phones, with nothing to configure.

    Starts the service with an embedded database on free ports of this machine, and two phones as
    processes of their own; places the call by the one HTTP request; measures at each end the tone
    that the other end plays. Ends with 0 only if both were heard and the record says so.
    """
    if context.invoked_subcommand is None:
        raise typer.Exit(run(play_and_judge))


@demo.command()
def reminders() -> None:
    """Remind a clinic's contacts of their appointments, each simulated to answer in its own way.

    Starts the service with its simulator, keeps appointments by HTTP, and lets the worker and the
    engine do the rest over real SIP, speech and digits; only pauses between tries are shortened.
    Ends with the report, and with 0 only if each appointment ended as it should.
    """
    raise typer.Exit(run(remind_and_judge))
