"""The simulator's numbers, all of the range kept for fiction, and what each does."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from twoleg.cli.simulator.far_end import FarEnd
from twoleg.cli.simulator.sounds import BEEP_HERTZ, TONE_HERTZ, audio, silence, tone, voice
from twoleg.media import Audio

LINE: Final = "+12025550199"
RING_SECONDS: Final = 0.5
TALK_SECONDS: Final = 3.0
EARLY_SECONDS: Final = 2.0
PRESS_SECONDS: Final = 1.0
GREETING_SECONDS: Final = 6.0
BEEP_SECONDS: Final = 0.4
HEARS_SECONDS: Final = 3.0
"""Of speech, before somebody who was called knows what it is about."""

ASKED_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 2.0
"""After so much of it the caller has said everything."""

NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Sounds:
    """What is played, made once."""

    tone: Audio
    silence: Audio
    hello: Audio
    speech: Audio
    greeting: Audio
    announcement: Audio

    @classmethod
    def make(cls) -> Sounds:
        return cls(
            tone=audio(tone(TONE_HERTZ, 1)),
            silence=audio(silence(1)),
            hello=audio(voice(0.7), silence(2)),
            speech=audio(voice(2.2), silence(0.8)),
            greeting=audio(
                silence(0.3), voice(GREETING_SECONDS), silence(0.5), tone(BEEP_HERTZ, BEEP_SECONDS)
            ),
            announcement=audio(voice(1.5), silence(0.5)),
        )


async def answers(far_end: FarEnd, sounds: Sounds) -> None:
    await far_end.ring(RING_SECONDS)
    far_end.answer()
    far_end.play(sounds.tone)
    await far_end.stay()


async def speaks(far_end: FarEnd, sounds: Sounds) -> None:
    await far_end.ring(RING_SECONDS)
    far_end.answer()
    await far_end.play_once(sounds.hello)
    far_end.play(sounds.speech)
    await far_end.stay()


async def is_busy(far_end: FarEnd, sounds: Sounds) -> None:
    del sounds
    far_end.refuse(486)


async def never_answers(far_end: FarEnd, sounds: Sounds) -> None:
    del sounds
    await far_end.ring()


async def declines(far_end: FarEnd, sounds: Sounds) -> None:
    del sounds
    await far_end.ring(RING_SECONDS)
    far_end.refuse(603)


async def is_a_machine(far_end: FarEnd, sounds: Sounds) -> None:
    await far_end.ring(RING_SECONDS)
    far_end.answer()
    await far_end.play_once(sounds.greeting)
    far_end.play(sounds.silence)
    await far_end.stay()


async def is_out_of_service(far_end: FarEnd, sounds: Sounds) -> None:
    del sounds
    far_end.refuse(503)


async def hangs_up(far_end: FarEnd, sounds: Sounds) -> None:
    await far_end.ring(RING_SECONDS)
    far_end.answer()
    far_end.play(sounds.tone)
    await far_end.stay(TALK_SECONDS)


async def is_silent(far_end: FarEnd, sounds: Sounds) -> None:
    del sounds
    await far_end.ring(RING_SECONDS)
    far_end.answer()
    await far_end.stay()


async def announces(far_end: FarEnd, sounds: Sounds) -> None:
    far_end.early_media(sounds.announcement)
    await far_end.stay(EARLY_SECONDS)
    far_end.answer()
    far_end.play(sounds.tone)
    await far_end.stay()


async def confirms(far_end: FarEnd, sounds: Sounds) -> None:
    await far_end.ring(RING_SECONDS)
    far_end.answer()
    far_end.play(sounds.silence)
    await far_end.stay(PRESS_SECONDS)
    far_end.press("1")
    await far_end.stay(PRESS_SECONDS)
    far_end.play(sounds.tone)
    await far_end.stay()


async def _takes_up(far_end: FarEnd, sounds: Sounds) -> None:
    """Answer, say hello, and be quiet."""
    await far_end.ring(RING_SECONDS)
    far_end.answer()
    await far_end.play_once(sounds.hello)
    far_end.play(sounds.silence)


async def _presses(far_end: FarEnd, sounds: Sounds, digit: str) -> None:
    far_end.press(digit)
    await far_end.stay(PRESS_SECONDS)
    far_end.play(sounds.silence)


async def hears_and_confirms(far_end: FarEnd, sounds: Sounds) -> None:
    await _takes_up(far_end, sounds)
    await far_end.listen(HEARS_SECONDS)
    await _presses(far_end, sounds, "1")
    await far_end.stay()


async def hears_and_changes(far_end: FarEnd, sounds: Sounds) -> None:
    await _takes_up(far_end, sounds)
    await far_end.listen(HEARS_SECONDS)
    await _presses(far_end, sounds, "2")
    await far_end.stay()


async def hears_and_wants_to_talk(far_end: FarEnd, sounds: Sounds) -> None:
    await _takes_up(far_end, sounds)
    await far_end.listen(HEARS_SECONDS)
    await _presses(far_end, sounds, "3")
    far_end.play(sounds.speech)
    await far_end.stay()


async def hears_and_opts_out(far_end: FarEnd, sounds: Sounds) -> None:
    await _takes_up(far_end, sounds)
    await far_end.listen(HEARS_SECONDS)
    await _presses(far_end, sounds, "9")
    # Asked whether that is meant.
    await far_end.listen(ASKED_SECONDS)
    await _presses(far_end, sounds, "9")
    await far_end.stay()


async def hears_and_hangs_up(far_end: FarEnd, sounds: Sounds) -> None:
    await _takes_up(far_end, sounds)
    await far_end.hear_out(HEARS_SECONDS, SILENCE_SECONDS)


async def is_busy_at_first(far_end: FarEnd, sounds: Sounds) -> None:
    if far_end.times_called % 2:
        far_end.refuse(486)
    else:
        await hears_and_confirms(far_end, sounds)


async def is_unknown(far_end: FarEnd, sounds: Sounds) -> None:
    del sounds
    far_end.refuse(NOT_FOUND)


Behaviour = Callable[[FarEnd, Sounds], Coroutine[Any, Any, None]]

NUMBERS: Final[Mapping[str, Behaviour]] = {
    "+12025550100": answers,
    "+12025550101": speaks,
    "+12025550102": is_busy,
    "+12025550103": never_answers,
    "+12025550104": declines,
    "+12025550105": is_a_machine,
    "+12025550106": is_out_of_service,
    "+12025550107": hangs_up,
    "+12025550108": is_silent,
    "+12025550109": announces,
    "+12025550110": confirms,
    "+12025550111": hears_and_confirms,
    "+12025550112": hears_and_changes,
    "+12025550113": hears_and_wants_to_talk,
    "+12025550114": hears_and_opts_out,
    "+12025550115": hears_and_hangs_up,
    "+12025550116": is_busy_at_first,
}


def behaviour_of(user: str | None) -> Behaviour:
    """Give what the number in a Request-URI does; any other number is not in service."""
    digits = (user or "").removeprefix("+")
    national = f"1{digits}" if len(digits) == len(LINE) - 2 else digits
    return NUMBERS.get(f"+{national}", is_unknown)
