"""Who is reminded in the demo, what each does, and how it must end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FRONT_DESK: Final = "+12025550107"
"""Answers, and hangs up after 3 s."""

MINUTES_BEFORE: Final = 120
MORNING: Final = 7
"""The hour at the clinic, whenever the demo is played."""

NO_QUIET_HOURS: Final = {"start": "00:00", "end": "00:00"}
"""It is morning at the clinic, and not where its contacts are."""

RING_SECONDS: Final = 5
RETRY_BUSY_MINUTES: Final = 1
RETRY_NO_ANSWER_MINUTES: Final = 2
MINUTE_SECONDS: Final = 2
"""How long a minute between two tries lasts in the demo."""

MAX_ATTEMPTS: Final = 2
DUE_SECONDS: Final = 8.0
"""From making an appointment to its reminder: it must be made before."""

DEADLINE_SECONDS: Final = 150.0
"""The whole demo takes about a minute; past this something hangs."""

TEXT: Final = (
    "Hello {name}. This is Doctor Gray's practice. You have an appointment {date} at {time}."
)

VOICEMAIL_TEXT: Final = "This is Doctor Gray's practice. You have an appointment {date} at {time}."


class Plan(StrEnum):
    """By which plan somebody is reminded."""

    PRACTICE = "The practice"
    LABORATORY = "The laboratory"
    """Nobody of its staff is there, 2 cancels, and machines are hung up on."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody with an appointment; `tries` are what its calls come to, one after another.

    A try is what was answered, or, where nobody was there to answer, the call's outcome.
    """

    name: str
    phone_number: str
    does: str
    status: str
    tries: tuple[str, ...]
    plan: Plan = Plan.PRACTICE


CAST: Final = (
    Visitor("Anna Berg", "+12025550111", "presses 1", "confirmed", ("confirmed",)),
    Visitor(
        "Ben Ortiz",
        "+12025550112",
        "presses 2: another time",
        "reschedule_requested",
        ("reschedule_requested",),
    ),
    Visitor(
        "Clara Wu",
        "+12025550112",
        "presses 2: cancels",
        "cancelled",
        ("cancelled",),
        Plan.LABORATORY,
    ),
    Visitor("David Roy", "+12025550113", "presses 3: talks to staff", "reminded", ("talked",)),
    Visitor(
        "Emma Falk",
        "+12025550113",
        "presses 3: nobody is there",
        "callback_requested",
        ("callback_requested",),
        Plan.LABORATORY,
    ),
    Visitor("Farid Amin", "+12025550114", "presses 9, and 9", "opted_out", ("opted_out",)),
    Visitor("Grace Hill", "+12025550115", "listens, hangs up", "reminded", ("heard",)),
    Visitor(
        "Hugo Stein",
        "+12025550116",
        "is busy, later presses 1",
        "confirmed",
        ("contact_busy", "confirmed"),
    ),
    Visitor(
        "Ines Lang",
        "+12025550103",
        "never answers",
        "unreachable",
        ("contact_no_answer", "contact_no_answer"),
    ),
    Visitor("Jonas Kerr", "+12025550105", "a machine: message", "reminded", ("message_left",)),
    Visitor(
        "Kim Sato",
        "+12025550105",
        "a machine: hung up on",
        "unreachable",
        ("contact_voicemail", "contact_voicemail"),
        Plan.LABORATORY,
    ),
)


def expected_tries() -> Counter[str]:
    """Return how often each thing must have come of a call, as the report counts it."""
    return Counter(outcome for visitor in CAST for outcome in visitor.tries)
