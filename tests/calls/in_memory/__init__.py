"""A call told without a wire: phones, media, a clock and a record in memory.

A test says how far ends behave (`far_ends`) and what the call is to do (`plans`); the call is told
in virtual time (`telling`), and `Told` is what it did to phones and media, and what it wrote.
"""

from calls.in_memory.clock import LoopClock
from calls.in_memory.decisions import MemoryCheck, MemoryPlaces, MemoryTransfers
from calls.in_memory.far_ends import (
    ANSWERS,
    DEAD,
    RINGS_FOR_EVER,
    Answers,
    FallsSilent,
    HangsUp,
    LosesAudio,
    Offers,
    PlaysEarly,
    Presses,
    Refers,
    Refuses,
    Rings,
    Says,
    Sends,
    Vanishes,
)
from calls.in_memory.media import FINGERPRINT, MemoryPlane, MemoryRecordings
from calls.in_memory.plans import call_plan, leg_plan, one_after_another, user
from calls.in_memory.record import MemoryWriter
from calls.in_memory.sounds import (
    AttentionTone,
    MemoryPrompts,
    Music,
    NamedPhrases,
    NamedTones,
    Spoken,
)
from calls.in_memory.telling import prepare

__all__ = [
    "ANSWERS",
    "DEAD",
    "FINGERPRINT",
    "RINGS_FOR_EVER",
    "Answers",
    "AttentionTone",
    "FallsSilent",
    "HangsUp",
    "LoopClock",
    "LosesAudio",
    "MemoryCheck",
    "MemoryPlaces",
    "MemoryPlane",
    "MemoryPrompts",
    "MemoryRecordings",
    "MemoryTransfers",
    "MemoryWriter",
    "Music",
    "NamedPhrases",
    "NamedTones",
    "Offers",
    "PlaysEarly",
    "Presses",
    "Refers",
    "Refuses",
    "Rings",
    "Says",
    "Sends",
    "Spoken",
    "Vanishes",
    "call_plan",
    "leg_plan",
    "one_after_another",
    "prepare",
    "user",
]
