"""One leg's end in the media plane."""

import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from twoleg.media.control import Control
from twoleg.media.digit_sender import DigitSender
from twoleg.media.dtmf import DIGITS
from twoleg.media.due_times import NEVER, DueTimes
from twoleg.media.hearing import Hearing
from twoleg.media.incoming import AudioSink, AudioTrack, Incoming, translation
from twoleg.media.key_presses import Way
from twoleg.media.latch import SocketAddress, socket_address
from twoleg.media.outgoing import Outgoing
from twoleg.media.own_end import KeyAgreement, OwnEnd
from twoleg.media.playback import FrameSource, NotConnected, Playback
from twoleg.media.port_listener import PortListener
from twoleg.media.protection import Protection
from twoleg.media.quality import Quality
from twoleg.media.relay import Relay
from twoleg.media.remote import RemoteStream
from twoleg.media.socket_pair import SocketPair
from twoleg.media.srtp import Srtp
from twoleg.media.waits import Waits

if TYPE_CHECKING:
    from twoleg.media.bridge import Bridge
    from twoleg.media.clock import FrameClock
    from twoleg.media.webrtc.browsers import Browsers
    from twoleg.media.webrtc.transport import WebRtcTransport


class Shared(NamedTuple):
    """What all ports of a plane have in common."""

    address: str
    """What far ends are told."""

    clock: "FrameClock"
    relay: Relay
    browsers: "Browsers"
    due_times: DueTimes


class MediaPort:
    """The RTP and RTCP of one leg: what comes, what goes, and who is at the far end.

    Made by `EmbeddedPlane.open_port`, and closed by it. A call has two of them all the time: what
    few calls need is made when it is needed.
    """

    __slots__ = (
        "_hearing",
        "_protection",
        "_shared",
        "_waits",
        "_webrtc",
        "address",
        "bridge",
        "closed",
        "control",
        "due",
        "incoming",
        "listener",
        "outgoing",
        "playback",
        "port",
        "remote",
        "sockets",
    )

    def __init__(self, sockets: SocketPair, shared: Shared) -> None:
        self.address = shared.address
        """What the far end is told."""

        self.port = sockets.port
        self.remote: RemoteStream | None = None
        self.outgoing = Outgoing()
        self.incoming = Incoming(self)
        self.control = Control(self.incoming, self.outgoing)
        self.due = NEVER
        self.sockets = sockets
        self.listener: PortListener | None = None
        self._shared = shared
        self._protection: Protection | None = None
        self._webrtc: WebRtcTransport | None = None
        """The same, where the far end is a browser."""

        self.bridge: Bridge | None = None
        """What joins it to another; the bridge sees to it."""

        self.playback: Playback | DigitSender | None = None
        """What is sent in place of what a bridge has for it."""

        self.closed = False
        self._waits: Waits | None = None
        """None: nobody has waited yet."""

        self._hearing: Hearing | None = None
        """None: there was nothing to hear yet."""

        sockets.stream = self.incoming
        sockets.control = self.control

    def connect(self, remote: RemoteStream) -> None:
        """Begin, or go on, as offer and answer agreed; also learns the far end's address again.

        Raises CodecMismatch, and changes nothing, if the port is bridged to one whose codec cannot
        be translated.
        """
        now = time.monotonic()
        if self.bridge is not None:
            other = self.bridge.other(self).remote
            if other is not None:
                translation(remote.codec, other.codec)
                translation(other.codec, remote.codec)
        self.remote = remote
        if remote.keys is not None or remote.webrtc is not None or self._protection is not None:
            self._protect(remote)
        self.control.expect(now)
        if self.playback is not None:
            self.playback.use(remote.codec)
        self._expect(remote, now)
        if self._hearing is not None:
            self._hearing.listen()

    @property
    def is_securing(self) -> bool:
        """Whether a browser is to be spoken with, and cannot be yet."""
        return self._webrtc is not None and self._webrtc.pair is None

    def own_end(self, agreement: KeyAgreement) -> OwnEnd:
        """Say what descriptions of the leg have to say of its protection."""
        if agreement is KeyAgreement.DTLS:
            return OwnEnd(self._shared.browsers.fingerprint)
        return OwnEnd()

    def play(self, audio: FrameSource, *, loop: bool = False) -> Playback:
        """Send audio from the next tick on, in place of what was played or bridged until now.

        A bridge goes on by itself when the playback ends. Raises NotConnected.
        """
        if self.remote is None:
            raise NotConnected
        if self.playback is not None:
            self.playback.stop()
        playback = self.playback = Playback(self, audio, self._shared.clock, loop=loop)
        if self.bridge is not None:
            self.bridge.feed(self)
        return playback

    def listening(self) -> AbstractContextManager[None]:
        """Find digits in the audio too, where the far end sends no telephone-events."""
        return self._ear.listening()

    async def digit(self) -> str:
        """Wait for the next digit that the far end presses. Raises PortClosed."""
        return await self._ear.digit()

    def inject_digit(self, digit: str) -> None:
        """Take a digit that came by SIP INFO, and pass it on; what is no digit is left alone."""
        digit = digit.strip().upper()
        if len(digit) != 1 or digit not in DIGITS or not self._ear.press(digit, Way.INFO):
            return
        peer = self._peer
        if peer is not None:
            peer.send_digit(digit)

    def send_digit(self, digit: str) -> None:
        """Have the far end told of a digit, in the way that it takes.

        A bridge goes on after it. While something is played, or the far end has us on hold, the
        digit is dropped.
        """
        remote = self.remote
        if remote is None:
            return
        if remote.dtmf_payload_type is None:
            if self.listener is not None:
                self.listener.send_digit(digit)
            return
        sender = self.playback
        if sender is None and remote.sending:
            sender = self.playback = DigitSender(self, self._shared.clock)
            if self.bridge is not None:
                self.bridge.feed(self)
        if isinstance(sender, DigitSender):
            sender.add(digit)

    async def first_packet(self) -> None:
        """Wait until the far end's stream is there. Raises PortClosed."""
        while self.incoming.source is None:
            await self._waiting.change()

    async def silent(self, seconds: float) -> None:
        """Wait until no RTP came for `seconds` in a row while some should. Raises PortClosed.

        Time on hold does not count. Exact to the plane's sweep.
        """
        while not self._is_silent(seconds):
            silence = self._waiting.silence(seconds)
            self._plan()
            await silence

    def tap(self, sink: AudioSink | None) -> None:
        """Give every received audio payload to `sink` too, in order of arrival; None ends it."""
        self._ear.tap(sink)

    def record(self, track: AudioTrack | None) -> None:
        """Give every received audio packet to `track` too, with its times; None ends it."""
        self.incoming.record(track)

    def quality(self) -> Quality:
        """Return the figures so far."""
        codec = None if self.remote is None else self.remote.codec
        rejected = self.incoming.rejected
        if self._protection is not None:
            rejected += self._protection.rejected
        return self.control.quality(codec, rejected)

    def stop_playing(self) -> None:
        if self.playback is not None:
            self.playback.stop()

    def playback_ended(self, playback: Playback | DigitSender) -> None:
        """Let the bridge go on; a playback says so itself."""
        if playback is self.playback:
            self.playback = None
            if self.bridge is not None:
                self.bridge.feed(self)

    def attend(self, now: float) -> None:
        """Do what fell due: the sweep calls it once `due` has passed."""
        self.due = NEVER
        if self._webrtc is not None:
            self._webrtc.attend(now)
        if now >= self.control.due:
            self._send_report(now)
            self.control.plan(now)
        quiet_since = self.incoming.quiet_since
        if quiet_since is not None and self._waits is not None:
            self._waits.look(quiet_since, now)
        self._plan()

    def stream_latched(self) -> None:
        """Send to where the stream comes from; `Incoming` says so."""
        if not self.closed:
            self.sockets.aim(self.incoming, self.outgoing, self._shared.relay)
        if self.bridge is not None:
            self.bridge.feed(self)
        if self.incoming.source is not None and self._waits is not None:
            self._waits.wake()

    def receive_digit(self, digit: str) -> None:
        """Take a digit from the stream, which the bridge passes on where the peer takes events."""
        if not self._ear.press(digit, Way.EVENT):
            return
        peer = self._peer
        if peer is not None and peer.remote is not None and peer.remote.dtmf_payload_type is None:
            peer.send_digit(digit)

    def receive_control(self, data: memoryview, source: SocketAddress) -> None:
        """Take an RTCP packet of the stream's own port. Never raises."""
        self.control.receive(data, source, time.time())

    def close(self) -> None:
        """Say goodbye and let everything go but the sockets. Idempotent."""
        if self.closed:
            return
        self.closed = True
        if self._waits is not None:
            self._waits.close()
        if self.bridge is not None:
            self.bridge.close()
        if self.playback is not None:
            self.playback.stop()
        if self.outgoing.packets or self.control.reports_sent:
            self._send_report(time.monotonic(), goodbye=True)
        self.sockets.close_direct(self._shared.relay)
        if self._webrtc is not None:
            self._webrtc.close()
        self.outgoing.send = None
        self.listener = None
        self.incoming.close()

    def _protect(self, remote: RemoteStream) -> None:
        """Send and receive as was agreed: in the clear, under keys, or as browsers do."""
        if self.closed:
            return  # the sockets may be another leg's
        terms, keys, protection = remote.webrtc, remote.keys, self._protection
        if terms is not None and self._webrtc is not None:
            self._webrtc.use(terms)
            return
        if keys is not None and isinstance(protection, Srtp):
            protection.use(keys)
            return
        self._webrtc = None
        if terms is not None:
            self._webrtc = self._shared.browsers.transport(
                terms, self.sockets.rtp.sendto, self._on_transport_changed, self._tell_failed
            )
        self._protection = self._webrtc if keys is None else Srtp(keys)
        self.sockets.protection = self._protection
        self.sockets.close_direct(self._shared.relay)

    def _on_transport_changed(self) -> None:
        """Let audio flow with where the browser is by now."""
        if self.remote is not None and not self.closed:
            self._expect(self.remote, time.monotonic())

    def _expect(self, remote: RemoteStream, now: float) -> None:
        """Have the stream come from where it should by now, and go on from there."""
        if self._webrtc is not None:
            signalled = self._webrtc.pair  # a browser's description does not tell
        else:
            signalled = socket_address(remote.host, remote.port)
        self.incoming.expect(remote, signalled, now)
        self.stream_latched()
        if self.bridge is not None:
            self.bridge.feed(self.bridge.other(self))
        self._plan()

    def _tell_failed(self, why: str) -> None:
        if self.listener is not None:
            self.listener.media_failed(why)

    @property
    def _peer(self) -> "MediaPort | None":
        return None if self.bridge is None else self.bridge.other(self)

    @property
    def _ear(self) -> Hearing:
        """What hears the far end, made now if nothing was to be heard before."""
        if self._hearing is None:
            self._hearing = Hearing(self.incoming, self._waiting)
        return self._hearing

    @property
    def _waiting(self) -> Waits:
        """Those who wait, kept from the first on."""
        if self._waits is None:
            self._waits = Waits()
            if self.closed:
                self._waits.close()
        return self._waits

    def _is_silent(self, seconds: float) -> bool:
        quiet_since = self.incoming.quiet_since
        return quiet_since is not None and time.monotonic() - quiet_since >= seconds

    def _plan(self) -> None:
        due = self.control.due
        if self._webrtc is not None:
            due = min(due, self._webrtc.due)
        if self._waits is not None and self._waits.silences:
            quiet_since = self.incoming.quiet_since
            if quiet_since is not None:
                due = min(due, self._waits.due(quiet_since))
        if due != self.due:
            self.due = due
            if due != NEVER:
                self._shared.due_times.note(due, self.port)

    def _send_report(self, now: float, *, goodbye: bool = False) -> None:
        control = self.control
        destination = control.destination
        if destination is not None:
            report = control.report(now, time.time(), goodbye=goodbye)
            self.sockets.send_control(report, destination, muxed=control.is_muxed)
