"""One leg's end in the media plane."""

import asyncio
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from twoleg.media.codec import Codec
from twoleg.media.control import REPORT_SECONDS, Control
from twoleg.media.digit_sender import DigitSender
from twoleg.media.dtmf import DIGITS
from twoleg.media.due_times import DueTimes
from twoleg.media.inband import InbandDigits
from twoleg.media.incoming import AudioSink, AudioTrack, Incoming, translation
from twoleg.media.key_presses import PressedDigits, Way
from twoleg.media.latch import SocketAddress, socket_address
from twoleg.media.outgoing import Outgoing
from twoleg.media.playback import FrameSource, Playback
from twoleg.media.protection import Protection
from twoleg.media.quality import Quality
from twoleg.media.relay import Relay
from twoleg.media.remote import RemoteStream
from twoleg.media.rtp import MalformedPacket
from twoleg.media.socket_pair import SocketPair
from twoleg.media.srtp import Srtp
from twoleg.media.webrtc.terms import WebRtcTerms

if TYPE_CHECKING:
    from twoleg.media.bridge import Bridge
    from twoleg.media.clock import FrameClock
    from twoleg.media.webrtc.browsers import Browsers
    from twoleg.media.webrtc.transport import WebRtcTransport

T = TypeVar("T")

_NEVER: Final = float("inf")


class PortClosed(Exception):
    """The port was closed while something waited on it."""


class NotConnected(Exception):
    """The port has not been told of its far end yet."""


class Shared(NamedTuple):
    """What all ports of a plane have in common."""

    clock: "FrameClock"
    relay: Relay
    browsers: "Browsers"
    due_times: DueTimes


class PortListener(Protocol):
    """Does for a leg what its port cannot; whoever has the port is one."""

    def send_digit(self, digit: str) -> None:
        """Tell the far end of a digit: it takes no telephone-event."""
        ...

    def media_failed(self, why: str) -> None:
        """Take note that no audio will flow with a browser, or none any more."""
        ...


class MediaPort:
    """The RTP and RTCP of one leg: what comes, what goes, and who is at the far end.

    Made by `EmbeddedPlane.open_port`, and closed by it. A call has two of them all the time: what
    few calls need is made when it is needed.
    """

    __slots__ = (
        "_bridge",
        "_closed",
        "_destination",
        "_direct",
        "_direct_to",
        "_inband",
        "_listeners",
        "_peer",
        "_playback",
        "_pressed",
        "_protection",
        "_receiving_since",
        "_report_due",
        "_rtcp_destination",
        "_shared",
        "_tap",
        "_waiting",
        "_waiting_silence",
        "_webrtc",
        "address",
        "control",
        "due",
        "incoming",
        "listener",
        "outgoing",
        "port",
        "remote",
        "sockets",
    )

    def __init__(self, sockets: SocketPair, address: str, shared: Shared) -> None:
        self.address = address
        self.port = sockets.port
        self.remote: RemoteStream | None = None
        self.outgoing = Outgoing()
        self.incoming = Incoming(self)
        self.control = Control(self.incoming, self.outgoing)
        self.due = _NEVER
        self.sockets = sockets
        self.listener: PortListener | None = None
        self._shared = shared
        self._protection: Protection | None = None
        self._webrtc: WebRtcTransport | None = None
        """The same, where the far end is a browser."""

        self._destination: SocketAddress = ()
        """Where to send as long as there is no direct socket."""

        self._direct: socket.socket | None = None
        self._direct_to: SocketAddress | None = None
        self._rtcp_destination: SocketAddress | None = None
        self._bridge: Bridge | None = None
        self._peer: MediaPort | None = None
        self._playback: Playback | DigitSender | None = None
        self._pressed: PressedDigits | None = None
        """None: no digit has come yet."""

        self._listeners = 0
        self._tap: AudioSink | None = None
        self._inband: InbandDigits | None = None
        self._waiting: tuple[asyncio.Future[None], ...] = ()
        """Who waits for a digit, or for the far end's stream."""

        self._waiting_silence: tuple[tuple[float, asyncio.Future[None]], ...] = ()
        self._report_due = _NEVER
        self._receiving_since: float | None = None
        self._closed = False
        sockets.stream = self.incoming
        sockets.control = self

    def connect(self, remote: RemoteStream) -> None:
        """Begin, or go on, as offer and answer agreed; also learns the far end's address again.

        Raises CodecMismatch, and changes nothing, if the port is bridged to one whose codec cannot
        be translated.
        """
        now = time.monotonic()
        if self._peer is not None and self._peer.remote is not None:
            translation(remote.codec, self._peer.remote.codec)
            translation(self._peer.remote.codec, remote.codec)
        if not (remote.receiving and remote.sending):
            # A phone that holds us says nothing, whatever it has announced.
            self._receiving_since = None
        elif self._receiving_since is None:
            self._receiving_since = now
        self.remote = remote
        self._protect(remote)
        self.incoming.expect(remote, self._signalled(remote))
        self._rtcp_destination = _rtcp_address(remote)
        if self._report_due == _NEVER:
            self._plan_report(now)
        self._listen()
        if self._playback is not None:
            self._playback.use(remote.codec)
        self.stream_latched()
        if self._peer is not None:
            self._peer.feed()
        self._plan()

    @property
    def is_securing(self) -> bool:
        """Whether a browser is to be spoken with, and cannot be yet."""
        return self._webrtc is not None and self._webrtc.pair is None

    def play(self, audio: FrameSource, *, loop: bool = False) -> Playback:
        """Send audio from the next tick on, in place of what was played or bridged until now.

        A bridge goes on by itself when the playback ends. Raises NotConnected.
        """
        if self.remote is None:
            raise NotConnected
        self.stop_playing()
        playback = self._playback = Playback(self, audio, self._shared.clock, loop=loop)
        self.feed()
        return playback

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Find digits in the audio too, where the far end sends no telephone-events."""
        self._listeners += 1
        self._listen()
        try:
            yield
        finally:
            self._listeners -= 1
            self._listen()

    async def digit(self) -> str:
        """Wait for the next digit that the far end presses. Raises PortClosed."""
        while not self._pressed:
            await self._change()
        return self._pressed.read()

    def inject_digit(self, digit: str) -> None:
        """Take a digit that came by SIP INFO, and pass it on; what is no digit is left alone."""
        digit = digit.strip().upper()
        if len(digit) != 1 or digit not in DIGITS or not self._press(digit, Way.INFO):
            return
        if self._peer is not None:
            self._peer.send_digit(digit)

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
        sender = self._playback
        if sender is None and remote.sending:
            sender = self._playback = DigitSender(self, self._shared.clock)
            self.feed()
        if isinstance(sender, DigitSender):
            sender.add(digit)

    async def first_packet(self) -> None:
        """Wait until the far end's stream is there. Raises PortClosed."""
        while self.incoming.source is None:
            await self._change()

    async def silent(self, seconds: float) -> None:
        """Wait until no RTP came for `seconds` in a row while some should. Raises PortClosed.

        Time on hold does not count. Exact to the plane's sweep.
        """
        while not self._is_silent(seconds, time.monotonic()):
            future = asyncio.get_running_loop().create_future()
            entry = (seconds, future)
            self._waiting_silence = (*self._waiting_silence, entry)
            self._plan()
            try:
                await self._outcome(future)
            finally:
                self._waiting_silence = _without(entry, self._waiting_silence)

    def tap(self, sink: AudioSink | None) -> None:
        """Give every received audio payload to `sink` too, in order of arrival; None ends it."""
        self._tap = sink
        self._set_sink()

    def record(self, track: AudioTrack | None) -> None:
        """Give every received audio packet to `track` too, with its times; None ends it."""
        self.incoming.record(track)

    def quality(self) -> Quality:
        """Return the figures so far."""
        codec = None if self.remote is None else self.remote.codec
        return self.control.quality(codec, self.incoming.rejected + self._rejected)

    def stop_playing(self) -> None:
        if self._playback is not None:
            self._playback.stop()

    def playback_ended(self, playback: Playback | DigitSender) -> None:
        """Let the bridge go on; a playback says so itself."""
        if playback is self._playback:
            self._playback = None
            self.feed()

    def join(self, peer: "MediaPort", bridge: "Bridge") -> None:
        """Be fed from `peer`; for `Bridge`."""
        self.stop_playing()
        self._peer = peer
        self._bridge = bridge
        self.feed()

    def part(self) -> None:
        """Be fed from nobody; for `Bridge`."""
        if self._peer is not None:
            self._peer.incoming.pass_to(None, None)
        self._peer = None
        self._bridge = None

    @property
    def bridge(self) -> "Bridge | None":
        return self._bridge

    def feed(self) -> None:
        """Decide anew whether the bridged peer's stream goes to this port."""
        peer = self._peer
        if peer is None:
            return
        remote = self.remote
        flows = (
            remote is not None
            and remote.sending
            and self.outgoing.send is not None
            and self._playback is None
            and peer.remote is not None
            and peer.remote.receiving
        )
        if flows:
            peer.incoming.pass_to(self.outgoing, remote)
        else:
            peer.incoming.pass_to(None, None)

    def attend(self, now: float) -> None:
        """Do what fell due: the sweep calls it once `due` has passed."""
        self.due = _NEVER
        if self._webrtc is not None:
            self._webrtc.attend(now)
        if now >= self._report_due:
            self._send_report(now)
            self._plan_report(now)
        for seconds, future in self._waiting_silence:
            if not future.done() and self._is_silent(seconds, now):
                future.set_result(None)
        self._plan()

    def receive_rtcp(self, data: memoryview, source: SocketAddress) -> None:
        """Take a datagram of the RTCP socket. Never raises."""
        if self._protection is not None:
            data = memoryview(self._protection.opened(bytes(data)))
            if not data:
                return
        self.receive_control(data, source)

    def receive_control(self, data: memoryview, source: SocketAddress) -> None:
        """Take an RTCP packet, if it comes from where the stream does. Never raises."""
        known = (self.incoming.destination, self._rtcp_destination)
        if not any(place is not None and place[0] == source[0] for place in known):
            self.incoming.rejected += 1
            return
        try:
            self.control.receive(data, time.time())
        except MalformedPacket:
            self.incoming.rejected += 1
            return
        # Behind a NAT the RTCP port that was signalled is as wrong as the RTP port.
        if self.remote is None or not self.remote.rtcp_mux:
            self._rtcp_destination = source

    def close(self) -> None:
        """Say goodbye and let everything go but the sockets. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._bridge is not None:
            self._bridge.close()
        self.stop_playing()
        if self.outgoing.packets or self.control.reports_sent:
            self._send_report(time.monotonic(), goodbye=True)
        silences = (future for _, future in self._waiting_silence)
        for future in (*self._waiting, *silences):
            if not future.done():
                future.set_exception(PortClosed())
        self._close_direct()
        if self._webrtc is not None:
            self._webrtc.close()
        self.outgoing.send = None
        self.listener = None
        self.incoming.close()

    def _protect(self, remote: RemoteStream) -> None:
        """Send and receive as was agreed: in the clear, under keys, or as browsers do."""
        if self._closed:
            return  # the sockets may be another leg's
        terms, keys, protection = remote.webrtc, remote.keys, self._protection
        if terms is not None and self._webrtc is not None:
            self._webrtc.use(terms)
            return
        if keys is not None and isinstance(protection, Srtp):
            protection.use(keys)
            return
        if terms is None and keys is None and protection is None:
            return
        self._webrtc = None if terms is None else self._open_webrtc(terms)
        self._protection = self._webrtc if keys is None else Srtp(keys)
        self.sockets.protection = self._protection
        self._close_direct()

    def _open_webrtc(self, terms: WebRtcTerms) -> "WebRtcTransport":
        soon = asyncio.get_running_loop().call_soon
        return self._shared.browsers.transport(
            terms,
            self.sockets.rtp.sendto,
            self._on_transport_changed,
            # Whoever has the leg may end it, which is nothing to do in the middle of a packet.
            lambda why: soon(self._tell_failed, why),
        )

    def _on_transport_changed(self) -> None:
        """Let audio flow with where the browser is by now."""
        remote = self.remote
        if remote is None or self._closed:
            return
        self.incoming.expect(remote, self._signalled(remote))
        self.stream_latched()
        if self._peer is not None:
            self._peer.feed()
        self._plan()

    def _signalled(self, remote: RemoteStream) -> SocketAddress | None:
        """Say from where the stream is to come: a browser's description does not tell."""
        if self._webrtc is not None:
            return self._webrtc.pair
        return socket_address(remote.host, remote.port)

    def _tell_failed(self, why: str) -> None:
        if self.listener is not None:
            self.listener.media_failed(why)

    @property
    def _rejected(self) -> int:
        return 0 if self._protection is None else self._protection.rejected

    def stream_latched(self) -> None:
        """Send to where the stream comes from; `Incoming` says so."""
        self._aim()
        self.feed()
        if self.incoming.source is not None:
            self._wake()

    def _aim(self) -> None:
        """Send to where the far end is; once that is proved, by a socket of its own.

        A connected socket costs a fifth less for each packet, and what third parties send to the
        port never gets in its way.
        """
        source = self.incoming.source
        if self._closed or (source is not None and source == self._direct_to):
            return
        self._close_direct()
        destination = self.incoming.destination
        if destination is None:
            self.outgoing.send = None
        else:
            self._destination = destination
            self.outgoing.send = self._protected(self._send_to_destination)
        if source is None:
            return
        try:
            direct = self.sockets.connected(source)
        except OSError:
            return  # out of descriptors, say: the first socket does the same for more
        self._shared.relay.add_direct(direct, self.incoming, self._protection)
        self._direct, self._direct_to = direct, source
        self.outgoing.send = self._protected(direct.send)

    def _send_to_destination(self, data: Any) -> int:
        return self.sockets.rtp.sendto(data, self._destination)

    def _protected(self, send: Callable[[Any], int]) -> Callable[[Any], int]:
        return send if self._protection is None else self._protection.sending(send)

    def _close_direct(self) -> None:
        if self._direct is not None:
            self._shared.relay.remove(self._direct)
            self._direct.close()
            self._direct = self._direct_to = None

    def receive_digit(self, digit: str) -> None:
        """Take a digit from the stream, which the bridge passes on where the peer takes events."""
        if not self._press(digit, Way.EVENT):
            return
        peer = self._peer
        if peer is not None and peer.remote is not None and peer.remote.dtmf_payload_type is None:
            peer.send_digit(digit)

    def _listen(self) -> None:
        """Begin or end to look for digits in the audio, as is wanted now."""
        remote = self.remote
        wanted = self._listeners > 0 and remote is not None and remote.dtmf_payload_type is None
        if wanted != (self._inband is not None):
            # The tones themselves go through a bridge as they are.
            self._inband = InbandDigits(self._receive_tones) if wanted else None
            self._set_sink()

    def _set_sink(self) -> None:
        tap, inband = self._tap, self._inband
        if inband is None or tap is None:
            self.incoming.sink = tap if inband is None else inband.take
            return

        def both(codec: Codec, payload: bytes) -> None:
            tap(codec, payload)
            inband.take(codec, payload)

        self.incoming.sink = both

    def _receive_tones(self, digit: str) -> None:
        self._press(digit, Way.TONES)

    def _press(self, digit: str, way: Way) -> bool:
        """Keep a digit for whoever reads it; False: that press was told of before."""
        if self._pressed is None:
            self._pressed = PressedDigits()
        if not self._pressed.press(digit, way, time.monotonic()):
            return False
        self._wake()
        return True

    async def _change(self) -> None:
        """Wait until a digit was pressed, or the far end's stream has come. Raises PortClosed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting = (*self._waiting, future)
        try:
            await self._outcome(future)
        finally:
            self._waiting = _without(future, self._waiting)

    def _wake(self) -> None:
        # All look whether it is theirs: the one woken first may have been cancelled.
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def _outcome(self, future: "asyncio.Future[None]") -> None:
        if self._closed:
            raise PortClosed
        await future

    def _is_silent(self, seconds: float, now: float) -> bool:
        quiet = self._quiet_since()
        return quiet is not None and now - quiet >= seconds

    def _quiet_since(self) -> float | None:
        since = self._receiving_since
        if since is None:
            return None
        heard = self.incoming.heard_at
        return since if heard is None else max(since, heard)

    def _plan(self) -> None:
        due = self._report_due
        if self._webrtc is not None:
            due = min(due, self._webrtc.due)
        quiet = self._quiet_since()
        if quiet is not None:
            for seconds, future in self._waiting_silence:
                if not future.done():
                    due = min(due, quiet + seconds)
        if due != self.due:
            self.due = due
            if due != _NEVER:
                self._shared.due_times.note(due, self.port)

    def _plan_report(self, now: float) -> None:
        self._report_due = now + REPORT_SECONDS * random.uniform(0.5, 1.5)

    def _send_report(self, now: float, *, goodbye: bool = False) -> None:
        remote = self.remote
        if remote is None:
            return
        muxed = remote.rtcp_mux
        destination = self.incoming.destination if muxed else self._rtcp_destination
        if destination is None:
            return
        sending = self.sockets.rtp if muxed else self.sockets.rtcp
        report = self.control.report(now, time.time(), goodbye=goodbye)
        if self._protection is not None:
            report = self._protection.protect_rtcp(report)
        try:
            sending.sendto(report, destination)
        except OSError:
            return


def _rtcp_address(remote: RemoteStream) -> SocketAddress | None:
    host, port = remote.rtcp or (remote.host, remote.port + 1)
    return socket_address(host, port)


def _without(one: T, several: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(each for each in several if each is not one)
