"""Whisper: what an agent is told before the contact is on the line."""

import asyncio
import contextlib
from typing import Final

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.plan import CallPlan
from twoleg.calls.ports import Equipment, Playable
from twoleg.speech import Variable

FETCH_SECONDS: Final = 2.0
"""How long an agent waits for the prompt to be found; the call goes on without it."""

MAX_SECONDS: Final = 30.0
"""A longer prompt is cut off: the contact is to be rung."""


async def prepare_whisper(equipment: Equipment, plan: CallPlan) -> None:
    """Have the call's prompt at hand, spoken if that is still to be done, before it is played."""
    await _prompt(equipment, plan)


async def whisper(equipment: Equipment, plan: CallPlan, agent: CallLeg) -> None:
    """Play the call's prompt to an agent on the line, to its end."""
    audio = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FETCH_SECONDS):
            audio = await _prompt(equipment, plan)
    if audio is None:
        return
    playback = agent.media.port.play(audio)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MAX_SECONDS):
            await playback.finished()
    playback.stop()


async def _prompt(equipment: Equipment, plan: CallPlan) -> Playable | None:
    if plan.whisper_prompt_id is None or equipment.prompts is None:
        return None
    return await equipment.prompts.audio(
        plan.account_id, plan.whisper_prompt_id, lambda _: {Variable.NAME: plan.contact_name}
    )
