"""What a number of the simulator can do with a call: ring, answer, play, press, hang up."""

from __future__ import annotations

import asyncio

from twoleg.calls.leg_media import LegMedia
from twoleg.cli.simulator.ear import Ear
from twoleg.media import Audio, Codec, MediaPort
from twoleg.sip import SessionRejected
from twoleg.sip_io import IncomingCall


class FarEnd:
    """One call to a number, and the port that its audio goes by."""

    def __init__(self, call: IncomingCall, port: MediaPort, times_called: int) -> None:
        self.times_called = times_called
        """Calls to the number so far, this one too."""

        self._call = call
        self._port = port
        self._described = b""
        self._session = LegMedia(port, (Codec.PCMU, Codec.PCMA))

    async def ring(self, seconds: float | None = None) -> None:
        """Ring for so long; None: until the caller gives up."""
        self._call.ring()
        await _wait(seconds)

    def early_media(self, audio: Audio) -> None:
        """Play to the caller before the answer (183)."""
        self._call.ring(183, self._describe())
        self._port.play(audio, loop=True)

    def refuse(self, status: int) -> None:
        self._call.reject(status)

    def answer(self) -> None:
        self._call.accept(self._describe(), self._session)

    def play(self, audio: Audio) -> None:
        """Play over and over, until something else is played."""
        self._port.play(audio, loop=True)

    async def play_once(self, audio: Audio) -> None:
        """Play to the end."""
        await self._port.play(audio).finished()

    async def listen(self, seconds: float) -> None:
        """Listen until the caller has spoken for so long from now on."""
        ear = Ear()
        self._port.tap(ear.take)
        await ear.speech(seconds)

    async def hear_out(self, seconds: float, silence: float) -> None:
        """Listen until the caller has spoken for so long, and then is silent for so long."""
        ear = Ear()
        self._port.tap(ear.take)
        await ear.speech(seconds)
        await ear.silence(silence)

    def press(self, digit: str) -> None:
        """Press a key, in place of what is played."""
        self._port.stop_playing()
        self._port.send_digit(digit)

    async def stay(self, seconds: float | None = None) -> None:
        """Stay on the line for so long; None: until the caller hangs up."""
        await _wait(seconds)

    def _describe(self) -> bytes:
        # The answer of the 200 is that of the 183 (RFC 3264 4, RFC 6337 3.1.1).
        if not self._described:
            try:
                self._described = self._session.answer_offer(self._call.offer)
            except SessionRejected:
                self._call.reject(488)
                raise
        return self._described


async def _wait(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(seconds)
