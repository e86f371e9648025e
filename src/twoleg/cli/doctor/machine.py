"""Checks of what this machine gives: disk and open files."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from twoleg.cli.doctor.finding import Finding, fail, ok, warn
from twoleg.settings import Settings

LEAST_FREE_BYTES = 1_000_000_000
FILES_PER_CALL = 12
"""Two legs of RTP, RTCP and a connected socket each, and room for TCP connections."""
FILES_OTHERWISE = 200
MARKER = "twoleg.data"


def check_data_dir(settings: Settings) -> Iterator[Finding]:
    """Look at the directory, or at where it would be made."""
    path = settings.data_dir.expanduser().resolve()
    subject = "data directory"
    another = "name another directory with --data-dir (TWOLEG_DATA_DIR)"
    if path.exists() and not path.is_dir():
        yield fail(subject, f"{path} is a file", another)
        return
    if path.exists() and not (path / MARKER).exists() and any(path.iterdir()):
        yield fail(subject, f"{path} holds other files than twoleg's", another)
        return
    place = _existing(path)
    if not os.access(place, os.W_OK | os.X_OK):
        yield fail(subject, f"{place} cannot be written to", f"let this user write, or {another}")
        return
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE_BYTES:
        yield warn(subject, f"{place} has {free // 1_000_000} MB left", f"make room, or {another}")
        return
    state = "there" if path.exists() else "not there yet, serve makes it"
    yield ok(subject, f"{path} is {state}; {free // 1_000_000_000} GB are free")


def check_open_files(settings: Settings) -> Iterator[Finding]:
    """Compare the limit of open files with what the calls that may run at once need."""
    wanted = settings.max_calls * FILES_PER_CALL + FILES_OTHERWISE
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < wanted:
        calls = max(0, (limit - FILES_OTHERWISE) // FILES_PER_CALL)
        yield warn(
            "open files",
            f"the limit of {limit} is enough for about {calls} calls, not for {settings.max_calls}",
            f"raise it to {wanted} (LimitNOFILE= of a systemd unit), or lower TWOLEG_MAX_CALLS",
        )
    else:
        yield ok("open files", f"the limit is enough for {settings.max_calls} calls")


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
