"""Screening: whoever answers for an agent presses 1, which no voicemail does."""

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.concurrency import first_of
from twoleg.calls.in_turn import Followed
from twoleg.calls.plan import LegPlan
from twoleg.calls.ports import Playable
from twoleg.directory.accounts import Screening
from twoleg.media import Audio, Codec
from twoleg.sip import Reason

CONFIRM_WITHIN_SECONDS: Final = 10.0
"""How long an agent has for the digit."""

CONFIRMATION: Final = "1"

PAUSE_MILLISECONDS: Final = 1500
"""Between one playing of the prompt and the next."""

_PAUSE: Final = Audio.from_pcm(array("h", bytes(16 * PAUSE_MILLISECONDS)), 8000)

NOT_CONFIRMED: Final = Reason("Q.850", 16, "Not confirmed")
"""What the leg is told that we end: normal call clearing."""


def policy_for(asked: bool | None, *policies: str | None) -> Screening:
    """Choose what holds: what the call asks for, else the first policy that there is."""
    if asked is not None:
        return Screening.ALWAYS if asked else Screening.NEVER
    return Screening(next((one for one in policies if one is not None), Screening.TRUNK_ONLY))


def is_screened(policy: Screening, phone: LegPlan) -> bool:
    """Tell whether whoever answers this phone must confirm."""
    if policy is Screening.TRUNK_ONLY:
        return phone.trunk_id is not None
    return policy is Screening.ALWAYS


async def confirms(leg: CallLeg) -> bool:
    """Wait for the digit of an answered leg, to which the prompt is being played.

    Another digit, none in time, and the agent's hanging up are all the same: False.
    """
    port = leg.media.port
    with port.listening():
        try:
            async with asyncio.timeout(CONFIRM_WITHIN_SECONDS):
                return await first_of(_presses_one(leg), _hangs_up(leg))
        except TimeoutError:
            return False
        finally:
            port.stop_playing()


def ask(leg: CallLeg, prompt: Playable) -> None:
    """Begin to play the prompt, over and over, with time to answer in between."""
    leg.media.port.play(WithPause(prompt), loop=True)


@dataclass(frozen=True, slots=True)
class WithPause:
    """Audio, and silence after it."""

    audio: Playable

    def frames(self, codec: Codec) -> Sequence[bytes]:
        """Return the frames of both; neither is copied, or encoded before it is played."""
        return Followed(self.audio.frames(codec), _PAUSE.frames(codec))


async def _presses_one(leg: CallLeg) -> bool:
    return await leg.media.port.digit() == CONFIRMATION


async def _hangs_up(leg: CallLeg) -> bool:
    await leg.ended()
    return False
