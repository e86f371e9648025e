"""An engine goes before the machine's other work where it may, and works all the same where not."""

import os
import subprocess
import sys

import pytest

from twoleg.cli.precedence import AUTOGROUP, NICENESS, PRIORITY

REAL_TIME = "os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))"
LESS_NICE = f"os.setpriority(os.PRIO_PROCESS, 0, {NICENESS})"
TAKE = "from twoleg.cli.precedence import take_precedence; take_precedence()"
SHOW = "print(os.sched_getscheduler(0), os.sched_getparam(0).sched_priority, os.nice(0))"
SHOW_SESSION = f"print(*open('{AUTOGROUP}').read().split()[-1:])"
"""Prints nothing in the session that the system began with, which has no niceness."""

REFUSED_REAL_TIME = """
def refused(*arguments):
    raise PermissionError
os.sched_setscheduler = refused
"""
"""Some kernels and containers refuse it to root too; it cannot be had from the others."""

NO_RIGHT = ("setpriv", "--bounding-set=-sys_nice") if os.geteuid() == 0 else ()
"""Takes from root the right to go before others."""

SYSTEMS = {
    "everything is allowed": ((), ""),
    "real time is refused": ((), REFUSED_REAL_TIME),
    "all is refused": (NO_RIGHT, ""),
}


def run(
    *steps: str, wrapper: tuple[str, ...] = (), before: str = "", session: bool = False
) -> list[int] | None:
    """Give the numbers that steps in Python print, or None where the system refuses one.

    They come after what is to be done `before`, in a `session` of their own or in ours.
    """
    code = "\n".join(["import os, subprocess, threading", before, *steps])
    done = subprocess.run(
        [*wrapper, sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        start_new_session=session,
    )
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return None if done.returncode else [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize(("wrapper", "before"), SYSTEMS.values(), ids=SYSTEMS)
def test_an_engine_goes_first_as_far_as_the_system_lets_it(wrapper, before):
    as_started = run(SHOW)
    if run(REAL_TIME, wrapper=wrapper, before=before) is not None:
        expected = [os.SCHED_RR | os.SCHED_RESET_ON_FORK, PRIORITY, as_started[-1]]
    elif run(LESS_NICE, wrapper=wrapper, before=before) is not None:
        expected = [os.SCHED_OTHER, 0, NICENESS]
    else:
        expected = as_started
    assert run(TAKE, SHOW, wrapper=wrapper, before=before) == expected


def test_its_threads_and_programs_do_not():
    show = "print(os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)"
    thread = f"thread = threading.Thread(target=lambda: {show}); thread.start(); thread.join()"
    program = f"""print(subprocess.getoutput("{sys.executable} -c 'import os; {show}'"))"""
    assert run(TAKE, thread, program) == [os.SCHED_OTHER, 0, os.SCHED_OTHER, 0]


@pytest.mark.parametrize(("wrapper", "before"), SYSTEMS.values(), ids=SYSTEMS)
def test_a_niceness_that_it_has_taken_is_its_sessions_too(wrapper, before):
    system = {"wrapper": wrapper, "before": before}
    if not AUTOGROUP.exists():
        assert run(TAKE, SHOW, session=True, **system) == run(TAKE, SHOW, **system)
        return
    ours = run(SHOW_SESSION)
    has_taken = run(TAKE, "print(os.nice(0))", **system) == [NICENESS]
    assert run(TAKE, SHOW_SESSION, session=True, **system) == [NICENESS if has_taken else 0]
    assert run(TAKE, SHOW_SESSION, **system) == ours
    assert run(SHOW_SESSION) == ours
