"""How often Python looks for objects that refer to each other in a ring."""

from __future__ import annotations

import gc
from typing import Final

FIRST_GENERATION: Final = 20_000
SECOND_GENERATION: Final = 5
THIRD_GENERATION: Final = 5


def spare_what_is_loaded() -> None:
    """Leave out what is there by now, and look more seldom for what comes.

    Calls and requests leave few rings behind, and transactions live for half a minute: looking
    through them after every 700 new objects took a sixth of a busy engine's time. But they do leave
    some, some ten kilobytes a call, which are old by then: all objects are looked through after
    half a million new ones, lest an engine grow for days.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(FIRST_GENERATION, SECOND_GENERATION, THIRD_GENERATION)
