"""Lines of an account."""

from twoleg.directory.lines.queries import (
    change_line,
    create_line,
    delete_line,
    find_line,
    list_lines,
)
from twoleg.directory.lines.values import MAX_TRUNKS, Line

__all__ = [
    "MAX_TRUNKS",
    "Line",
    "change_line",
    "create_line",
    "delete_line",
    "find_line",
    "list_lines",
]
