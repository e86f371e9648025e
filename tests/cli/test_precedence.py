"""An engine goes before the machine's other work where it may, and works all the same where not."""

import os
import subprocess
import sys

import pytest

from twoleg.cli.precedence import AUTOGROUP, NICENESS

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
SHOW_SESSION = f"print(*open('{AUTOGROUP}').read().split()[-1:])"
"""Prints nothing in the session that the system began with, which has no niceness."""
SET = f"import os; os.setpriority(os.PRIO_PROCESS, 0, {NICENESS})"
NOBODY = 65534
MOST = 19


def niceness_taken(*arguments: int) -> int:
    """Give the niceness that a process has taken, of one that began with the first argument."""
    return printed(TAKE, *arguments)[0]


def printed(code: str, *arguments: int, session: bool = False) -> list[int]:
    """Give the numbers that Python code prints; in a `session` of its own, or in ours."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, start_new_session=session
    )
    return [int(word) for word in done.stdout.split()]


def test_where_the_system_lets_it_an_engine_goes_first():
    allowed = subprocess.run([sys.executable, "-c", SET], check=False, capture_output=True)
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert niceness_taken(0) == (NICENESS if allowed.returncode == 0 else ours)


@pytest.mark.parametrize("before", [0, 5])
def test_where_it_may_not_it_runs_as_it_was_started(before):
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    nobody = (NOBODY,) if os.geteuid() == 0 else ()
    assert niceness_taken(before, *nobody) == min(ours + before, MOST)


def test_in_a_session_of_its_own_it_goes_before_other_sessions_too():
    if not AUTOGROUP.exists():
        assert printed(TAKE, 0, session=True) == printed(TAKE, 0)
        return
    ours = printed(SHOW_SESSION)
    niceness, of_session = printed(TAKE + SHOW_SESSION, 0, session=True)
    assert of_session == (NICENESS if niceness == NICENESS else 0)
    assert printed(TAKE + SHOW_SESSION, 0)[1:] == ours
    assert printed(SHOW_SESSION) == ours
