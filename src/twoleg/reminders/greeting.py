"""Waiting for whoever answered: nobody talks over a person, and a machine is spoken to in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from twoleg.calls.listening import Listener
from twoleg.media import AnsweredBy, MachineDetector, Sign, Verdict

LONGEST_SILENCE_SECONDS: Final = 3.0
"""Who says nothing for so long is spoken to."""

BEEP_WHILE_SPEAKING_SECONDS: Final = 8.0
"""So long after the answer a beep still says that what is being spoken to is a machine."""

AFTER_BEEP_SECONDS: Final = 0.5
"""So much silence after a beep, and the machine records."""

AFTER_FIRST_BEEP_SECONDS: Final = 2.0
"""The same where nothing was said before: many a greeting begins with a tone."""

LONG_PAUSE_SECONDS: Final = 4.0
"""Machines that do not beep record after so much silence."""

LONGEST_GREETING_SECONDS: Final = 40.0
"""What talks for longer than that after its answer does not record at all."""

_LOOK_SECONDS: Final = 0.05
_EDGE_SECONDS: Final = 0.15
"""How far apart the ends of a last word and of the beep behind it may be told."""


class MachineAnswered(Exception):
    """No person is there to be reminded."""


class Greeting:
    """The first moments of a call, as `listener` hears them; `told` is given each verdict."""

    def __init__(self, listener: Listener, told: Callable[[Verdict], None]) -> None:
        self._listener = listener
        self._told = told

    async def over(self) -> None:
        """Wait until the first words are over, or none come. Raises MachineAnswered."""
        # Silence makes no event, and sound would make too many.
        while (verdict := self._verdict()) is None:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        self._told(verdict)
        if verdict.answered_by is AnsweredBy.MACHINE:
            raise MachineAnswered

    def key_pressed(self) -> None:
        """Tell that a person is there, whatever was heard."""
        self._told(Verdict(AnsweredBy.HUMAN, Sign.KEY, round(self._heard().seconds, 3)))

    async def beeps(self) -> None:
        """Wait for a beep while we speak; nothing else that is heard meanwhile says who is there.

        Raises MachineAnswered.
        """
        before = self._heard().beep
        while (heard := self._heard()).seconds < BEEP_WHILE_SPEAKING_SECONDS:
            if heard.beep is not before:
                self._told(Verdict(AnsweredBy.MACHINE, Sign.BEEP, round(heard.seconds, 3)))
                raise MachineAnswered
            await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.get_running_loop().create_future()

    async def records(self) -> bool:
        """Wait until a machine records: after its beep, or a long silence; False: it never does."""
        while (heard := self._heard()).seconds < LONGEST_GREETING_SECONDS:
            if _has_beeped(heard) or heard.quiet_seconds >= LONG_PAUSE_SECONDS:
                return True
            await asyncio.sleep(_LOOK_SECONDS)
        return False

    def _heard(self) -> MachineDetector:
        return self._listener.catch_up()

    def _verdict(self) -> Verdict | None:
        heard = self._heard()
        silent = not heard.has_spoken and heard.seconds >= LONGEST_SILENCE_SECONDS
        if heard.verdict is None and silent:
            return Verdict(AnsweredBy.UNKNOWN, Sign.SILENCE, round(heard.seconds, 3))
        return heard.verdict


def _has_beeped(heard: MachineDetector) -> bool:
    """Tell whether the last thing that was heard is a beep: with words behind it, it was none."""
    if heard.beep is None:
        return False
    since = heard.seconds - heard.beep.ended_at
    enough = AFTER_BEEP_SECONDS if heard.has_spoken else AFTER_FIRST_BEEP_SECONDS
    return enough <= since <= heard.quiet_seconds + _EDGE_SECONDS
