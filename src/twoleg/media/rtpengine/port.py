"""One leg's end in the media plane, when the media is at an rtpengine node."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from twoleg.media.dtmf import DIGITS
from twoleg.media.incoming import AudioSink, AudioTrack
from twoleg.media.key_presses import MAX_DIGITS, KeyPresses, Way
from twoleg.media.own_end import KeyAgreement, OwnEnd
from twoleg.media.playback import FrameSource, NotConnected
from twoleg.media.port_listener import PortListener
from twoleg.media.quality import Quality
from twoleg.media.remote import RemoteStream
from twoleg.media.rtpengine.ear import Ear
from twoleg.media.rtpengine.playing import NodePlayback
from twoleg.media.rtpengine.session import Session
from twoleg.media.rtpengine.statistics import LegStatistics, StreamReport, quality_of
from twoleg.media.waits import PortClosed

if TYPE_CHECKING:
    from twoleg.media.rtpengine.gateway import Gateway
    from twoleg.media.rtpengine.node_call import NodeCall

FIRST_LOOKS_SECONDS: Final = (0.1, 0.1, 0.2, 0.3)
"""How long to wait between the first looks for a stream that is expected, then the last again."""


class RtpenginePort:
    """What comes from one leg, and what goes to it; the node has both.

    Made by `RtpenginePlane.open_port`, and closed by it. What is asked of a port is done by its
    node a moment later, in the order in which it was asked. A far end that takes no
    telephone-events gets those of the other as tones.
    """

    def __init__(
        self,
        call: "NodeCall",
        tag: str,
        at: tuple[str, int],
        gateway: "Gateway | None" = None,
    ) -> None:
        self.address, self.port = at
        self.tag = tag
        self.session: Session = call.session
        self.remote: RemoteStream | None = None
        self.partner: RtpenginePort | None = None
        self.listener: PortListener | None = None
        """Told of digits that come by SIP INFO for a far end without telephone-event."""

        self.track: AudioTrack | None = None
        self.audio_sink: AudioSink | None = None
        self.call = call
        self._gateway = gateway
        self._playback: NodePlayback | None = None
        self._ear: Ear | None = None
        self._listeners = 0
        self._digits: deque[str] = deque()
        self._presses = KeyPresses()
        self._pressed = asyncio.Event()
        self._closed = asyncio.Event()
        self._statistics = LegStatistics()
        self._far: StreamReport | None = None
        self._heard_at: float | None = None
        self._receiving_since: float | None = None

    @property
    def stream(self) -> RemoteStream | None:
        """With whom the node's call has RTP for this leg; None: nobody, as yet."""
        if self.remote is None or self._gateway is None:
            return self.remote
        return self._gateway.inside(self.remote)

    def own_end(self, agreement: KeyAgreement) -> OwnEnd:
        """Say what descriptions of the leg have to say of its protection."""
        del agreement  # it was opened for one
        return OwnEnd() if self._gateway is None else self._gateway.own_end

    async def opened(self) -> None:
        """Wait until audio can flow with a far end that has been told."""
        if self._gateway is not None:
            await self._gateway.opened.wait()

    def gateway_opened(self) -> None:
        """Let audio flow; the gateway says so."""
        self.settle()
        self._hear_as_wanted()

    def gateway_failed(self, why: str) -> None:
        """Have the leg ended that has no audio; the gateway says why."""
        if self.listener is not None:
            self.listener.media_failed(why)

    @property
    def is_sending(self) -> bool:
        """Whether the far end takes audio: not while it has us on hold."""
        return self.remote is not None and self.remote.sending

    @property
    def hears_partner(self) -> bool:
        partner = self.partner
        return (
            self.is_sending
            and self._playback is None
            and partner is not None
            and partner.remote is not None
            and partner.remote.receiving
        )

    @property
    def is_listening(self) -> bool:
        """Whether digits are looked for in the audio too."""
        return self._listeners > 0

    def connect(self, remote: RemoteStream) -> None:
        """Begin, or go on, as offer and answer agreed."""
        if not (remote.receiving and remote.sending):
            # A phone that holds us says nothing, whatever it has announced.
            self._receiving_since = None
        elif self._receiving_since is None:
            self._receiving_since = time.monotonic()
        before, self.remote = self.remote, remote
        self.settle()
        if self._playback is not None and before is not None and before.sending != remote.sending:
            self._playback.use()
        self._hear_as_wanted()

    def play(self, audio: FrameSource, *, loop: bool = False) -> NodePlayback:
        """Have the far end hear audio, in place of what was played or bridged until now.

        A bridge goes on by itself when the playback ends. Raises NotConnected.
        """
        if self.remote is None:
            raise NotConnected
        self.stop_playing()
        playback = self._playback = NodePlayback(self, audio, loop=loop)
        self._heed_playing()
        return playback

    def stop_playing(self) -> None:
        if self._playback is not None:
            self._playback.stop()

    def playback_ended(self, playback: NodePlayback) -> None:
        """Let the bridge go on; a playback says so itself."""
        if playback is self._playback:
            self._playback = None
            self._heed_playing()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Have the far end's digits come here; as tones too, where it has no telephone-events."""
        self._listeners += 1
        self._hear_as_wanted()
        try:
            yield
        finally:
            self._listeners -= 1
            self._hear_as_wanted()

    async def digit(self) -> str:
        """Wait for the next digit that the far end presses. Raises PortClosed.

        Those that do not come by SIP INFO are heard within `listening` alone.
        """
        while not self._digits:
            if self._closed.is_set():
                raise PortClosed
            self._pressed.clear()
            await self._pressed.wait()
        return self._digits.popleft()

    def take_digit(self, digit: str) -> None:
        """Keep a digit that was heard for whoever reads it; the ear calls it."""
        if self._presses.is_new(digit, Way.EVENT, time.monotonic()):
            self._put_digit(digit)

    def inject_digit(self, digit: str) -> None:
        """Take a digit that came by SIP INFO, and pass it on; what is no digit is left alone."""
        digit = digit.strip().upper()
        if len(digit) != 1 or digit not in DIGITS:
            return
        if self._presses.is_new(digit, Way.INFO, time.monotonic()):
            self._put_digit(digit)
            self._pass_on(digit)

    def tap(self, sink: AudioSink | None) -> None:
        """Give every audio payload that comes to `sink` too, in order of arrival; None ends it."""
        self.audio_sink = sink
        self._hear_as_wanted()

    def record(self, track: AudioTrack | None) -> None:
        """Give every audio packet that comes to `track` too, with its times; None ends it."""
        self.track = track
        self._hear_as_wanted()

    async def first_packet(self) -> None:
        """Wait until the far end's stream is there. Raises PortClosed."""
        looks = iter(FIRST_LOOKS_SECONDS)
        pause = 0.0
        while not self._statistics.packets:
            pause = next(looks, pause)
            await self._pause(pause)
            await self.call.look()

    async def silent(self, seconds: float) -> None:
        """Wait until no RTP came for `seconds` in a row while some should. Raises PortClosed.

        Time on hold does not count, and a node that is not to be asked has seen none. Found a few
        seconds late at the most.
        """
        while True:
            left = self._quiet_left(seconds)
            if left <= 0:
                await self.call.look()
                if self._quiet_left(seconds) <= 0:
                    return
            else:
                await self._pause(left)

    def quality(self) -> Quality:
        """Return the figures as they were when the node was last asked, seconds ago."""
        codec = None if self.remote is None else self.remote.codec
        return quality_of(codec, self._statistics, self._far)

    def seen(self, statistics: LegStatistics) -> None:
        """Take what the node has seen of the far end's stream."""
        if self.stream is None:
            return
        if statistics.packets != self._statistics.packets:
            self._heard_at = time.monotonic()
        self._statistics = statistics
        if self.partner is not None and statistics.report is not None:
            self.partner.told(statistics.report)

    def told(self, report: StreamReport) -> None:
        """Take what our far end says of what it is sent."""
        self._far = report

    def settle(self) -> None:
        """Have the node brought to what is to be. Returns at once."""
        self.session.post(self._settle)

    def join(self, partner: "RtpenginePort") -> None:
        """Be joined to another; for `NodeBridge`."""
        self.stop_playing()
        self.partner = partner

    def leave_partner(self) -> None:
        """Part from whom it is joined to, if it is; for `NodeBridge`."""
        partner, self.partner = self.partner, None
        if partner is not None:
            partner.partner = None
            partner.settle()
            if not self._closed.is_set():
                self.settle()

    def close(self) -> None:
        """Let everything go. Idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._pressed.set()
        self.leave_partner()
        self.stop_playing()
        if self._ear is not None:
            self._ear.close()
        self.listener = self.track = self.audio_sink = None

    async def _settle(self) -> None:
        if self._gateway is not None and self.remote is not None:
            await self._gateway.tell(self.remote, self)
        await self.session.settle(self)

    def _put_digit(self, digit: str) -> None:
        if len(self._digits) < MAX_DIGITS:
            self._digits.append(digit)
        self._pressed.set()

    def _pass_on(self, digit: str) -> None:
        partner, session = self.partner, self.session
        if partner is None or partner.remote is None:
            return
        if partner.remote.dtmf_payload_type is not None:
            if not session.is_behind:
                session.post(lambda: session.say_digit(self, digit))
        elif partner.listener is not None:
            partner.listener.send_digit(digit)

    def _heed_playing(self) -> None:
        if self.partner is not None:
            self.settle()

    def _hear_as_wanted(self) -> None:
        """Begin, go on or end to hear the far end, as anybody wants to now."""
        wanted = (
            self._listeners > 0 or self.track is not None or self.audio_sink is not None
        ) and not self._closed.is_set()
        ear, remote = self._ear, self.stream
        if ear is not None and (not wanted or remote is None or not _sounds_as(ear.remote, remote)):
            ear.close()
            ear = self._ear = None
        if ear is not None:
            ear.use()
        elif wanted and remote is not None:
            self._ear = Ear(self, remote)

    def _quiet_left(self, seconds: float) -> float:
        """Say how much longer it must be quiet."""
        since = self._receiving_since
        if since is None:
            return seconds
        quiet = since if self._heard_at is None else max(since, self._heard_at)
        return quiet + seconds - time.monotonic()

    async def _pause(self, seconds: float) -> None:
        """Let time pass. Raises PortClosed."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return
        raise PortClosed


def _sounds_as(one: RemoteStream, other: RemoteStream) -> bool:
    return (one.codec, one.payload_type, one.dtmf_payload_type) == (
        other.codec,
        other.payload_type,
        other.dtmf_payload_type,
    )
