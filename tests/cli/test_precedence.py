"""An engine goes before the machine's other work where it may, and works all the same where not."""

import os
import subprocess
import sys

import pytest

from twoleg.cli.precedence import NICENESS

TAKE = """
import os
import sys
from twoleg.cli.precedence import take_precedence
os.nice(int(sys.argv[1]))
if len(sys.argv) > 2:
    os.setuid(int(sys.argv[2]))
take_precedence()
print(os.getpriority(os.PRIO_PROCESS, 0))
"""
SET = f"import os; os.setpriority(os.PRIO_PROCESS, 0, {NICENESS})"
NOBODY = 65534
MOST = 19


def niceness_taken(*arguments: int) -> int:
    """Give the niceness that a process has taken, of one that began with the first argument."""
    command = [sys.executable, "-c", TAKE, *map(str, arguments)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_where_the_system_lets_it_an_engine_goes_first():
    allowed = subprocess.run([sys.executable, "-c", SET], check=False, capture_output=True)
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert niceness_taken(0) == (NICENESS if allowed.returncode == 0 else ours)


@pytest.mark.parametrize("before", [0, 5])
def test_where_it_may_not_it_runs_as_it_was_started(before):
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    nobody = (NOBODY,) if os.geteuid() == 0 else ()
    assert niceness_taken(before, *nobody) == min(ours + before, MOST)
