"""What is installed: the same of everything, whichever Python of those that we support runs it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_library_is_locked_to_one_version_for_every_python(name):
    """A version that only newer Pythons get is one that no test of ours has seen."""
    lines = re.findall(r"^([\w.\[\]-]+)==(\S+)(.*)$", (ROOT / name).read_text(), re.MULTILINE)
    names = [library for library, _, _ in lines]
    assert len(names) > 20
    assert len(set(names)) == len(names)
    versions = re.compile("python_(full_)?version")
    assert not [library for library, _, marker in lines if versions.search(marker)]
