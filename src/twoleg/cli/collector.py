"""How often Python looks for objects that refer to each other in a ring."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Final

LOOK_SECONDS: Final = 10.0
"""How often it is seen whether it is time to look."""

QUIET_LOOKS: Final = 4
"""So often in a row nobody talks before a moment is quiet.

Until then what is left of calls' signalling, half a minute long, is most of what has stayed:
looking through it holds up the next call, and finds nothing.
"""

WORTHWHILE: Final = 50_000
"""Objects that have come and stayed, from which on it is worth a quiet moment."""

TOO_MANY: Final = 1_000_000
"""Objects that have come and stayed, from which on it is done in the midst of calls."""

FIRST_GENERATION: Final = 20_000
SECOND_GENERATION: Final = 5
THIRD_GENERATION: Final = 5


def spare_what_is_loaded() -> None:
    """Leave out what is there by now, and look more seldom for what comes.

    Requests leave few rings behind: looking through them after every 700 new objects takes more
    time than it saves memory.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(FIRST_GENERATION, SECOND_GENERATION, THIRD_GENERATION)


async def look_when_quiet(is_quiet: Callable[[], bool]) -> None:
    """Look for rings once nobody has talked for a while, and before they become too many.

    Calls leave none behind, and what is left of their signalling lives for half a minute: looking
    through that now and then took a sixth of a busy engine's time, and stopped everybody's audio
    for up to half a second. Never returns.
    """
    quiet_looks = 0
    gc.disable()
    try:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            quiet_looks = quiet_looks + 1 if is_quiet() else 0
            if is_time(gc.get_count()[0], quiet=quiet_looks >= QUIET_LOOKS):
                gc.collect()
    finally:
        gc.enable()


def is_time(stayed: int, *, quiet: bool) -> bool:
    """Tell whether to look now that so many new objects have stayed since the last time."""
    return stayed > (WORTHWHILE if quiet else TOO_MANY)
