"""Groups of commands, all made alike."""

from __future__ import annotations

from typing import Any

import typer


def group(**options: Any) -> typer.Typer:
    """Make a group of commands; `options` are Typer's.

    Its help is plain text: in a terminal of 80 columns the tables that Rich draws cut off the names
    of options and of environment variables.
    """
    return typer.Typer(**{"add_completion": False, "rich_markup_mode": None, **options})
