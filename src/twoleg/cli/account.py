"""`twoleg account`: the settings of the token's account."""

from __future__ import annotations

from typing import Annotated

from twoleg.cli.client import Json, connected
from twoleg.cli.groups import group
from twoleg.cli.options import AsJson
from twoleg.cli.output import print_fields, print_json
from twoleg.cli.resources import ASSIGNMENTS, assigned

PATH = "/account"

account = group(no_args_is_help=True, help="Keep the account's settings.")


@account.command()
def show(as_json: AsJson = False) -> None:
    """Show the settings."""
    with connected() as client:
        _show(client.get(PATH), as_json)


@account.command()
def update(assignments: Annotated[list[str], ASSIGNMENTS], as_json: AsJson = False) -> None:
    """Change settings.

    Fields: name, max_calls, calls_per_second, screening, recording, recording_announcement,
    wrap_up_seconds, quiet_hours, allowed_countries, dispositions, time_zone.
    """
    with connected() as client:
        _show(client.patch(PATH, assigned(assignments)), as_json)


def _show(settings: Json, as_json: bool) -> None:
    if as_json:
        print_json(settings)
    else:
        print_fields(settings)
