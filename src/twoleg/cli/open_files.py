"""How many files an engine may have open: a leg takes up to three sockets."""

from __future__ import annotations

import resource


def open_as_many_as_allowed() -> None:
    """Use all that the hard limit allows: the soft one is 1024 on most machines, 170 calls."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
