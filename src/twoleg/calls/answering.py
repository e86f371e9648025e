"""Who answered for the contact, and what the agent is told where that is a machine."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.listening import LOOK_SECONDS, listening_to
from twoleg.calls.phrases import Phrase, language_for
from twoleg.calls.plan import CallPlan
from twoleg.calls.ports import Equipment, MediaPort
from twoleg.media import Verdict
from twoleg.sip import Reason

MAX_WORD_SECONDS: Final = 6.0
"""How long an agent is told that a machine answered, at most."""

MACHINE: Final = Reason("Q.850", 16, "Answering machine")


async def tell_who_answered(
    port: MediaPort, told: Callable[[Verdict], None], agent: MediaPort | None = None
) -> None:
    """Listen to a far end that has just answered, and tell who that was.

    The `agent`, if there is one yet, speaks to it meanwhile.

    A beep may correct that: then it is told once more. Ends when it can no more.
    """
    verdict: Verdict | None = None
    with listening_to(port, agent) as listener:
        while not listener.detector.is_final:
            await asyncio.sleep(LOOK_SECONDS)
            found = listener.catch_up().verdict
            if found is not None and found is not verdict:
                verdict = found
                told(found)


async def leave_machine(
    equipment: Equipment, plan: CallPlan, agent: CallLeg, contact: CallLeg
) -> None:
    """Hang up on a contact's machine, and tell the agent so. They are joined no more."""
    contact.hang_up(MACHINE)
    contact.close_record()
    language = language_for(None, plan.contact.country)
    word = agent.media.port.play(equipment.phrases.phrase(Phrase.MACHINE, language))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MAX_WORD_SECONDS):
            await word.finished()
