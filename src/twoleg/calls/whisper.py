"""Whisper: what an agent is told before the contact is on the line."""

import asyncio
import contextlib
from typing import Final

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.plan import CallPlan
from twoleg.calls.ports import Equipment

FETCH_SECONDS: Final = 2.0
"""How long an agent waits for the prompt to be found; the call goes on without it."""

MAX_SECONDS: Final = 30.0
"""A longer prompt is cut off: the contact is to be rung."""


async def whisper(equipment: Equipment, plan: CallPlan, agent: CallLeg) -> None:
    """Play the call's prompt to an agent on the line, to its end; there may be none."""
    prompt_id = plan.whisper_prompt_id
    if prompt_id is None or equipment.prompts is None:
        return
    audio = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FETCH_SECONDS):
            audio = await equipment.prompts.audio(plan.account_id, prompt_id)
    if audio is None:
        return
    playback = agent.media.port.play(audio)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MAX_SECONDS):
            await playback.finished()
    playback.stop()
