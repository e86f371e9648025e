"""An engine may open as many files as the machine allows it, whatever its shell began with."""

import resource
import subprocess
import sys

ASK = """
import resource
from twoleg.cli.open_files import open_as_many_as_allowed
open_as_many_as_allowed()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_the_soft_limit_is_raised_to_the_hard_one():
    said = subprocess.run(
        [sys.executable, "-c", ASK],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512)),
    ).stdout
    assert said.split() == ["512", "512"]
