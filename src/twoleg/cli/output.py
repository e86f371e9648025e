"""What the commands print: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table

PIPED_WIDTH: Final = 10_000
"""Columns of what is not read in a terminal: one line a row, for grep and its like."""


def print_json(value: Any) -> None:
    """Print `value` as one JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def cell(value: Any) -> str:
    """Show one value of a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def print_table(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    """Print `rows` as a table with these `columns`, on standard output."""
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*[cell(row.get(name)) for name in columns])
    _print(table)


def print_fields(thing: dict[str, Any]) -> None:
    """Print one thing, a field a line, on standard output."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in thing.items():
        table.add_row(name.replace("_", " "), cell(value))
    _print(table)


def _print(table: Table) -> None:
    """Print a table of which nothing is cut off, however narrow the terminal is."""
    Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)
