"""Who goes first when the processor is wanted by several: whoever carries people's voices."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

NICENESS: Final = -10
"""Above what everybody has, and below what the system keeps for itself."""


def take_precedence() -> None:
    """Have this thread go before the machine's other work, where the system lets us.

    A packet of audio is due every 20 ms, and is heard to be late; the API, the worker and the
    database lose nothing by a millisecond. Without root, CAP_SYS_NICE or a limit that allows it
    (`Nice=` or `LimitNICE=` of a systemd unit) all stays as it was.
    """
    if os.getpriority(os.PRIO_PROCESS, 0) > NICENESS:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
