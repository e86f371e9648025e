"""Who goes first when the processor is wanted by several: whoever carries people's voices."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

PRIORITY: Final = 1
"""The least that goes before all that is not real time; sched(7)."""

NICENESS: Final = -10
"""Above what everybody has, and below what the system keeps for itself."""

AUTOGROUP: Final = Path("/proc/self/autogroup")
"""Where Linux shares the processor out among sessions, this is ours; sched(7)."""


def take_precedence() -> None:
    """Have this process go before the machine's other work, where the system lets us.

    A packet of audio is due every 20 ms, and is heard to be late; the API, the worker and the
    database lose nothing by a millisecond. So the thread that calls this runs in real time, as
    those of other media servers do; what it starts does not. Linux leaves the others a twentieth
    of each second whatever happens. Where real time is refused a niceness is asked for; where that
    is refused too, for want of root, CAP_SYS_NICE or a limit (`LimitRTPRIO=`, `LimitNICE=` of a
    systemd unit), all stays as it was.
    """
    try:
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(PRIORITY))
    except PermissionError:
        _be_less_nice()


def _be_less_nice() -> None:
    if os.getpriority(os.PRIO_PROCESS, 0) > NICENESS:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    if os.getsid(0) == os.getpid():
        # A session of our own is what niceness counts within: beside the other sessions, the
        # database's among them, it would be worth nothing.
        with suppress(OSError):
            if _session_niceness() > NICENESS:
                AUTOGROUP.write_text(f"{NICENESS}")


def _session_niceness() -> int:
    said = AUTOGROUP.read_text().split()
    # Nothing is said in the session that the system began with: it is shared with nobody.
    return int(said[-1]) if said else 0
