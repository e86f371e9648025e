"""The stream that comes to a port: whose it is, what it holds, where it goes on to."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol

from twoleg.media.codec import Codec
from twoleg.media.dtmf import DigitReceiver
from twoleg.media.g711 import ALAW_TO_ULAW, ULAW_TO_ALAW
from twoleg.media.latch import Latch, SocketAddress
from twoleg.media.outgoing import Outgoing
from twoleg.media.reception import RESTARTED, Reception
from twoleg.media.remote import RemoteStream
from twoleg.media.rtp import MARKER, MalformedPacket, RtpPacket, is_rtcp

COMFORT_NOISE: Final = 13
"""Static payload type of comfort noise (RFC 3389)."""

# What `types` says of a payload type beside the number (0 to 127) with which audio is sent on.
_EVENT = 0x80
_NOISE = 0x81
UNKNOWN: Final = 0xFF

_NO_SSRC = -1

_NO_TYPES: Final = bytes([UNKNOWN]) * 128
_REMEMBERED: Final = 1024

_TRANSLATIONS: Final = {
    (Codec.PCMU, Codec.PCMA): ULAW_TO_ALAW,
    (Codec.PCMA, Codec.PCMU): ALAW_TO_ULAW,
}

AudioSink = Callable[[Codec, bytes], None]


class AudioTrack(Protocol):
    """What keeps every audio packet that comes; `twoleg.media.recorder.Track` is one."""

    def use(self, codec: Codec) -> None: ...

    def take(self, payload: bytes | bytearray | memoryview, timestamp: int, now: float) -> None: ...


class CodecMismatch(Exception):
    """Two legs were agreed on codecs between which no table translates."""

    def __init__(self, received: Codec, sent: Codec) -> None:
        super().__init__(f"cannot pass {received.name} on as {sent.name}")
        self.received = received
        self.sent = sent


def translation(received: Codec, sent: Codec) -> bytes | None:
    """Return the table from one G.711 law to the other; None where both are the same.

    Raises CodecMismatch.
    """
    if received is sent:
        return None
    table = _TRANSLATIONS.get((received, sent))
    if table is None:
        raise CodecMismatch(received, sent)
    return table


@lru_cache(_REMEMBERED)
def _types(received: int, event: int | None, sent: int) -> bytes:
    """Return what each payload type is; audio is `received`, and goes on as `sent`."""
    types = bytearray(_NO_TYPES)
    # Comfort noise keeps a stream alive even where nobody agreed on it (RFC 3389 section 5).
    types[COMFORT_NOISE] = _NOISE
    if event is not None:
        types[event & 0x7F] = _EVENT
    types[received & 0x7F] = sent & 0x7F
    return bytes(types)


class StreamListener(Protocol):
    """Hears what a stream brings beside audio; `MediaPort` is one."""

    def receive_digit(self, digit: str) -> None: ...

    def receive_control(self, data: memoryview, source: SocketAddress) -> None: ...

    def stream_latched(self) -> None: ...


class _Nobody:
    """Takes no notice."""

    def receive_digit(self, digit: str) -> None:
        pass

    def receive_control(self, data: memoryview, source: SocketAddress) -> None:
        pass

    def stream_latched(self) -> None:
        pass


_NOBODY: Final = _Nobody()


class Incoming:
    """Receives one leg's stream and passes it on to another leg's `Outgoing`.

    The relay handles the plain case by itself, with the fields that have no underscore: a packet
    from the latched source with `ssrc` and a type that `types` maps to audio. Everything else
    comes to `receive_unusual`, which makes the plain case possible: it latches, and aligns the
    numbers of this stream with those of the one it continues. Until then no packet has `ssrc`.
    """

    __slots__ = (
        "_aligned_at",
        "_digits",
        "_event_type",
        "_expected_since",
        "_latch",
        "_listener",
        "_noise_type",
        "_target",
        "heard_at",
        "reception",
        "recording",
        "rejected",
        "remote",
        "sequence_offset",
        "sink",
        "source",
        "ssrc",
        "target",
        "timestamp_offset",
        "translation",
        "types",
    )

    def __init__(self, listener: StreamListener) -> None:
        self._listener = listener
        self._latch = Latch()
        self._digits: DigitReceiver | None = None
        self._target: Outgoing | None = None
        self._event_type: int | None = None
        self._noise_type: int | None = None
        self._aligned_at: int | None = None
        self._expected_since: float | None = None
        self.remote: RemoteStream | None = None
        self.reception = Reception()
        self.rejected = 0
        self.heard_at: float | None = None
        self.source: SocketAddress | None = None
        self.ssrc = _NO_SSRC
        self.types = _NO_TYPES
        self.target: Outgoing | None = None
        self.translation: bytes | None = None
        self.sequence_offset = 0
        self.timestamp_offset = 0
        self.sink: AudioSink | None = None
        self.recording: AudioTrack | None = None

    def close(self) -> None:
        """Tell nobody of anything any more: what is told keeps us, and would be kept by us."""
        self._listener = _NOBODY

    @property
    def destination(self) -> SocketAddress | None:
        """Where the far end is: as learned, else as signalled."""
        return self._latch.destination

    @property
    def media_source(self) -> int | None:
        """The far end's SSRC, once its stream is latched."""
        return self._latch.ssrc

    def expect(self, remote: RemoteStream, signalled: SocketAddress | None, now: float) -> None:
        """Take `remote`'s stream, and learn its address again."""
        if not (remote.receiving and remote.sending):
            # A phone that holds us says nothing, whatever it has announced.
            self._expected_since = None
        elif self._expected_since is None:
            self._expected_since = now
        self.remote = remote
        if self.recording is not None:
            self.recording.use(remote.codec)
        self._latch.open(signalled)
        self.source = self._latch.source
        self._set_types(None)

    def record(self, track: AudioTrack | None) -> None:
        """Give every audio packet to `track` too; None ends it."""
        self.recording = track
        if track is not None and self.remote is not None:
            track.use(self.remote.codec)

    def pass_to(self, target: Outgoing | None, listener: RemoteStream | None) -> None:
        """Pass the stream on as what `listener` was agreed on; None: to nobody.

        Raises CodecMismatch.
        """
        if self.remote is None or target is None or listener is None:
            self._target = None
            self._settle()
            return
        table = translation(self.remote.codec, listener.codec)
        if target is not self._target:
            self._aligned_at = None
        self._target = target
        self.translation = table
        self._set_types(listener)

    def receive_unusual(self, data: memoryview, source: SocketAddress, now: float) -> None:
        """Handle a packet that the relay does not by itself. Never raises."""
        if is_rtcp(data):
            self._listener.receive_control(data, source)
            return
        try:
            packet = RtpPacket.parse(data)
        except MalformedPacket:
            self.rejected += 1
            return
        kind = self.types[packet.payload_type]
        if kind == UNKNOWN or not self._admits(packet, source, now):
            self.rejected += 1
            return
        self.heard_at = now
        if kind < 0x80:
            step = self.reception.arrived(packet.sequence, packet.timestamp, now)
        else:
            step = self.reception.count(packet.sequence)
        if kind == _EVENT and step:
            if self._digits is None:
                self._digits = DigitReceiver()
            digit = self._digits.receive(packet.payload, packet.timestamp)
            if digit is not None:
                self._listener.receive_digit(digit)
        second = packet.marker << 7 | packet.payload_type
        self.pass_on(second, packet.sequence, packet.timestamp, packet.payload, step, now)

    def pass_on(
        self,
        second: int,
        sequence: int,
        timestamp: int,
        payload: bytes | bytearray | memoryview,
        step: int,
        now: float,
    ) -> None:
        """Pass a packet on that moved the stream by `step`, where the relay does not.

        The first after a joint, late ones, events, comfort noise.
        """
        if step == 0 or not payload:
            return
        kind = self.types[second & 0x7F]
        if kind < 0x80 and self.sink is not None and self.remote is not None:
            self.sink(self.remote.codec, bytes(payload))
        if kind < 0x80 and self.recording is not None:
            self.recording.take(payload, timestamp, now)
        target = self._target
        if target is None:
            self._settle()
            return
        sent_type = self._sent_type(kind)
        if step >= RESTARTED:
            self._aligned_at = None
        if sent_type is None:
            # What is left out leaves no hole in the numbers that the listener sees.
            self.sequence_offset -= 1
            return
        marker = second & MARKER
        if self._aligned_at is None:
            next_sequence, next_timestamp = target.joint(now)
            self.sequence_offset = next_sequence - sequence
            self.timestamp_offset = next_timestamp - timestamp
            self._aligned_at = self.reception.newest
            self._settle()
            marker = MARKER
        elif step < 0 and self.reception.newest + step < self._aligned_at:
            return
        if kind < 0x80 and self.translation is not None:
            payload = bytes(payload).translate(self.translation)
        target.send_packet(
            marker | sent_type,
            (sequence + self.sequence_offset) & 0xFFFF,
            (timestamp + self.timestamp_offset) & 0xFFFFFFFF,
            payload,
            now,
        )

    @property
    def quiet_since(self) -> float | None:
        """Since when no packet has come; None: none should."""
        since, heard = self._expected_since, self.heard_at
        return since if since is None or heard is None else max(since, heard)

    def _admits(self, packet: RtpPacket, source: SocketAddress, now: float) -> bool:
        latch = self._latch
        before = (latch.source, latch.ssrc)
        if before == (source, packet.ssrc):
            return True
        silent = 0.0 if self.heard_at is None else now - self.heard_at
        if not latch.accepts(source, packet.ssrc, packet.sequence, silent_seconds=silent):
            return False
        if latch.ssrc != before[1]:
            if before[1] is not None:
                self.reception.new_source()
            self._digits = None
            self._aligned_at = None
        self.source = source
        self.heard_at = now
        self._settle()
        self._listener.stream_latched()
        return True

    def _sent_type(self, kind: int) -> int | None:
        if kind == _EVENT:
            return self._event_type
        return self._noise_type if kind == _NOISE else kind

    def _set_types(self, listener: RemoteStream | None) -> None:
        remote = self.remote
        if remote is None:
            return
        sent = listener or remote
        self._event_type = sent.dtmf_payload_type
        self._noise_type = COMFORT_NOISE if sent.comfort_noise else None
        self.types = _types(remote.payload_type, remote.dtmf_payload_type, sent.payload_type)
        self._settle()

    def _settle(self) -> None:
        """Let the relay handle this stream, or not yet."""
        ready = self._target is None or self._aligned_at is not None
        self.target = self._target if ready else None
        ssrc = self._latch.ssrc
        self.ssrc = ssrc if ready and ssrc is not None else _NO_SSRC
