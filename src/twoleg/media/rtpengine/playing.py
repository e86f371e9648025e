"""Audio that a node plays to a leg, one piece after another."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from twoleg.media.playback import FrameSource
from twoleg.media.rtpengine.prompts import Piece, pieces, played_as

if TYPE_CHECKING:
    from twoleg.media.rtpengine.port import RtpenginePort

FOR_EVER: Final = 1_000_000
"""How often a node plays what loops and fits into one piece."""

_log = logging.getLogger(__name__)


class NodePlayback:
    """One audio on its way to a leg. Ends by itself, by `stop`, or when something replaces it."""

    def __init__(self, port: "RtpenginePort", audio: FrameSource, *, loop: bool) -> None:
        self._port = port
        self._audio = audio
        self._loop = loop
        self._changed = asyncio.Event()
        self._done = asyncio.Event()
        self._is_on_node = False
        self._whole = False
        self._task = port.call.spawn(self._play())

    async def finished(self) -> bool:
        """Wait until the last piece was played; False: it was stopped, replaced, or not played."""
        await self._done.wait()
        return self._whole

    def stop(self) -> None:
        """End it now. Idempotent."""
        if not self._done.is_set():
            self._task.cancel()
            self._stop_node()
            self._end()

    def use(self) -> None:
        """Play the piece again, or leave off, as the far end takes audio now or no longer does."""
        if not self._port.is_sending:
            self._stop_node()
        self._changed.set()

    async def _play(self) -> None:
        try:
            await self._play_all()
            self._whole = True
        except ConnectionError as error:
            _log.warning("nothing was played", extra={"leg": self._port.tag, "error": str(error)})
        self._end()

    async def _play_all(self) -> None:
        remote = self._port.remote
        assert remote is not None
        await self._port.opened()
        codec = played_as(remote.codec)
        frames = self._audio.frames(codec)
        while frames:
            for piece in pieces(frames, codec):
                is_all = piece.frames == len(frames)
                await self._play_piece(piece, for_ever=self._loop and is_all)
            if not self._loop:
                return

    async def _play_piece(self, piece: Piece, *, for_ever: bool) -> None:
        session, tag = self._port.session, self._port.tag
        times = FOR_EVER if for_ever else 1
        while True:
            self._changed.clear()
            if self._port.is_sending:
                self._is_on_node = True
                await session.ask(lambda: session.play(tag, piece.wav, times))
            # On hold the time goes on.
            try:
                async with asyncio.timeout(None if for_ever else piece.seconds):
                    await self._changed.wait()
            except TimeoutError:
                return

    def _stop_node(self) -> None:
        if self._is_on_node:
            self._is_on_node = False
            session, tag = self._port.session, self._port.tag
            session.post(lambda: session.stop_playing(tag))

    def _end(self) -> None:
        if not self._done.is_set():
            self._done.set()
            self._port.playback_ended(self)
