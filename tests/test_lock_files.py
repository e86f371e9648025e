"""What is installed: the same of everything, whichever Python of those that we support runs it."""

import re
from pathlib import Path

import pytest
from packaging.markers import Marker

ROOT = Path(__file__).parents[1]
SUPPORTED = ("3.11", "3.12", "3.13")


def installed(lines, python):
    """The libraries that a Python gets, each with its version."""
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    return [
        (library, version)
        for library, version, marker in lines
        if not marker or Marker(marker).evaluate(environment)
    ]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_library_is_locked_to_one_version_for_every_python(name):
    """A version that only newer Pythons get is one that no test of ours has seen."""
    lines = re.findall(
        r"^([\w.\[\]-]+)==(\S+)(?: ; (.*?))? \\$", (ROOT / name).read_text(), re.MULTILINE
    )
    assert len(lines) > 20
    oldest, *newer = [installed(lines, python) for python in SUPPORTED]
    assert newer == [oldest] * len(newer)
    assert len(dict(oldest)) == len(oldest)
