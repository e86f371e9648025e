"""What the commands print: tables for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table


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
    table = Table(*[name.replace("_", " ") for name in columns], box=None, pad_edge=False)
    for row in rows:
        table.add_row(*[cell(row.get(name)) for name in columns])
    Console().print(table)


def print_fields(thing: dict[str, Any]) -> None:
    """Print one thing, a field a line, on standard output."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in thing.items():
        table.add_row(name.replace("_", " "), cell(value))
    Console().print(table)
