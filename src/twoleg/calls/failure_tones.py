"""What whoever is on the line hears of why the other was not reached."""

import asyncio
from typing import Final

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.outcomes import TONES, Refusal, Tone
from twoleg.calls.ports import Playable, Tones

TONE_SECONDS: Final = 4.0
"""How long it is heard, unless told otherwise."""


async def tell_why(
    tones: Tones, country: str | None, leg: CallLeg, refusal: Refusal, seconds: float
) -> None:
    """Let a leg hear why the other was not reached, in the tones of a country."""
    leg.media.port.play(_tone(tones, country, TONES[refusal]), loop=True)
    await asyncio.sleep(seconds)


def _tone(tones: Tones, country: str | None, tone: Tone) -> Playable:
    if tone is Tone.SPECIAL_INFORMATION:
        return tones.special_information()
    return tones.busy(country) if tone is Tone.BUSY else tones.congestion(country)
