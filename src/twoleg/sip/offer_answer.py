"""Offer and answer for one audio stream (RFC 3264), on whichever side we stand."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import lru_cache

from twoleg.sip.audio_ends import MAX_PORT, Reach, ptime_of, reach_of, rtcp_of
from twoleg.sip.audio_formats import (
    DYNAMIC_PAYLOAD_TYPES,
    AudioFormat,
    format_attributes,
    read_formats,
)
from twoleg.sip.errors import LocalProtocolError, SipError
from twoleg.sip.format_match import Match, match_of, number_of, renumbered, telephone_event_for
from twoleg.sip.key_exchange import KeyExchange, StreamKeys
from twoleg.sip.layout import Layout, first_layout
from twoleg.sip.sdes import Crypto, CryptoSuite
from twoleg.sip.sdp import (
    Attributes,
    Direction,
    MalformedDescription,
    Media,
    SessionDescription,
    attribute_lines,
    format_address,
    usual_words,
)
from twoleg.sip.values import immutable
from twoleg.sip.webrtc import (
    DISCARD_PORT,
    NotWebRtc,
    WebRtc,
    WebRtcExchange,
    WebRtcLines,
)
from twoleg.sip.webrtc import PROTOCOLS as _WEBRTC

DEFAULT_PTIME = 20
"""Milliseconds of audio in a packet (RFC 3551 4.2)."""

# AVPF (RFC 4585) is AVP with leave, not duty, to send more RTCP; SAVPF (RFC 5124) likewise.
_PLAIN = ("RTP/AVP", "RTP/AVPF")
_ENCRYPTED = ("RTP/SAVP", "RTP/SAVPF")
_NOWHERE = "0.0.0.0"  # noqa: S104  # where nothing is sent, not bound to
_REMEMBERED = 256
"""Offers and answers that are remembered by what they say."""

_MAX_REMEMBERED_ANSWER = 1024
"""Bytes; longer ones are not worth their memory."""

_SAYS_RTCP = b"\na=rtcp:"
"""With it, a further port differs from call to call: its words come but once."""


class SessionRejected(SipError):
    """No session can be made of what the far end described: 488 Not Acceptable Here."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@immutable()
class LocalAudio:
    """What we can do: where we receive, our formats in order of preference, our packet time.

    `address` is an IP literal, `ptime` is in milliseconds. With `suites`, in order of preference,
    the stream is SRTP (RFC 4568) or is not; its descriptions hold keys then, and may only go where
    nobody else can read them. With `fingerprint`, what a=fingerprint says of our certificate, it is
    a browser's: SRTP whose keys DTLS gives (RFC 5763).
    """

    address: str
    port: int
    formats: tuple[AudioFormat, ...]
    ptime: int = DEFAULT_PTIME
    suites: tuple[CryptoSuite, ...] = ()
    fingerprint: str | None = None

    @property
    def protocols(self) -> tuple[str, ...]:
        """What the stream's m= line may name, first what ours does."""
        if self.fingerprint is not None:
            return _WEBRTC
        return _ENCRYPTED if self.suites else _PLAIN


@immutable()
class AgreedAudio:
    """What offer and answer came to.

    We send `format` under `send_payload_type` to `address` and `port` in packets of `ptime`
    milliseconds, and may get what `receive_payload_types` lists. `direction` is ours: RECVONLY
    or INACTIVE where the far end holds the call. `rtcp` is None where the far end wants none
    (RFC 3556); with `rtcp_mux` it is the stream's own address. An address of zeros is given only
    if no other was ever known; nothing may be sent to it, and `direction` says so. With `webrtc` it
    says nothing: ICE finds the far end. Without that and `keys` it is plain RTP.
    """

    address: str
    port: int
    rtcp: tuple[str, int] | None
    format: AudioFormat
    send_payload_type: int
    receive_payload_types: Mapping[int, AudioFormat] = field(hash=False)
    dtmf_send_payload_type: int | None
    direction: Direction
    ptime: int
    rtcp_mux: bool
    keys: StreamKeys | None = None
    webrtc: WebRtc | None = None


class AudioSession:
    """One audio stream of a dialog through all its offers and answers.

    `local` may be replaced before an offer is made or answered. `agreed` is what holds now; None
    before the first answer.
    """

    __slots__ = (
        "_described",
        "_direction",
        "_direction_before",
        "_keys",
        "_layout",
        "_offered",
        "_payload_types",
        "_session_id",
        "_version",
        "_webrtc",
        "agreed",
        "local",
    )

    def __init__(
        self,
        local: LocalAudio,
        session_id: int,
        make_key: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.local = local
        self.agreed: AgreedAudio | None = None
        self._session_id = session_id
        self._version = 0
        # Our last description without its origin: the version rises when this changes.
        self._described = ""
        self._layout = first_layout(local.protocols[0])
        self._keys = KeyExchange(make_key)
        self._webrtc = (
            None if local.fingerprint is None else WebRtcExchange(local.fingerprint, make_key)
        )
        self._direction = Direction.SENDRECV
        self._payload_types: dict[tuple[str, int, int], int] = {}
        """Those that `agreed` had before what it is now; most sessions agree only once."""

        self._offered: tuple[AudioFormat, ...] | None = None
        self._direction_before: Direction | None = None

    @property
    def offer_pending(self) -> bool:
        """Whether an offer of ours waits for its answer."""
        return self._direction_before is not None

    def create_offer(self, direction: Direction = Direction.SENDRECV) -> bytes:
        """Describe what we want, in a first or a later offer. `direction` is ours.

        Its answer must be accepted, or the offer abandoned, before the next.

        Raises LocalProtocolError while an offer of ours waits for its answer.
        """
        if self.offer_pending:
            raise LocalProtocolError("an offer of ours waits for its answer")
        self._direction_before = self._direction
        self._direction = direction
        self._offered = self.local.formats
        self._note_payload_types()
        if self._payload_types:
            self._offered = tuple([self._with_session_payload_type(f) for f in self._offered])
        # Another suite in mid-call is nothing to ask for.
        in_use = self.agreed.keys if self.agreed else None
        suites = self.local.suites if in_use is None else (in_use.suite,)
        lines = None
        if self._webrtc is not None:
            lines = self._webrtc.offer(self.local.address, self.local.port)
        return self._describe(self._offered, direction, self._keys.offer(suites), lines)

    def accept_answer(self, body: bytes) -> AgreedAudio:
        """Take in the answer to our last offer.

        Several answers to one offer are taken, and the last one holds: an early one (183) need
        not be that of the 2xx where the call was forked or has moved on. Once a later offer of
        the far end's was answered, what still comes is ignored (RFC 3261 13.2.1).

        Raises SessionRejected if it is no answer to the offer, which is then abandoned.
        Raises LocalProtocolError if we made no offer.
        """
        if self._offered is None:
            if self.agreed is None:
                raise LocalProtocolError("we made no offer")
            return self.agreed
        try:
            agreed = self._agreed_as_others(self._offered, body)
            if agreed is None:
                agreed = self.agreed_by(self._offered, _parse(body))
        except SessionRejected:
            self.abandon_offer()
            raise
        self._direction_before = None
        self._conclude(agreed)
        return agreed

    def answer_offer(self, body: bytes) -> tuple[bytes, AgreedAudio]:
        """Answer an offer of the far end's, in a request or in the 2xx to an INVITE without one.

        One codec is chosen: that in use if it is still offered, else the first of the offer that
        we have. With it goes telephone-event of the same clock rate.

        Raises SessionRejected if nothing fits, or while an offer of ours waits for its answer;
        the session is then as it was before.
        """
        if self.offer_pending:
            raise SessionRejected("our own offer waits for its answer")
        description = _parse(body)
        place, match, crypto, keys = self._choose_media(description)
        media = description.media[place]
        mux = media.attribute("rtcp-mux") is not None
        direction = self._direction_of(description, media).mirrored.within(self._direction)
        lines = webrtc = None
        if self._webrtc is not None:
            address, port = self.local.address, self.local.port
            lines, webrtc = self._webrtc.answer(description, media, address, port)
        agreed = self._agree(description, media, match, direction, keys, webrtc, mux=mux)
        self._layout = Layout.of(description.media, place)
        if webrtc is not None:
            self._layout = self._layout.named_as(description.media)
        self._offered = None
        self._conclude(agreed)
        formats = tuple(match.received.values())
        return self._describe(formats, direction, crypto, lines, mux=mux), agreed

    def abandon_offer(self) -> None:
        """Forget our offer, which was refused or never answered. Without one, do nothing."""
        if self._direction_before is not None:
            self._direction = self._direction_before
            self._direction_before = None
            self._offered = None

    def _describe(
        self,
        formats: tuple[AudioFormat, ...],
        direction: Direction,
        crypto: tuple[Crypto, ...],
        webrtc: WebRtcLines | None,
        *,
        mux: bool = False,
    ) -> bytes:
        """Write a description. Its version rises by one if it says something new."""
        local, layout = self.local, self._layout
        numbers, attributes = _audio_lines(formats, local.ptime, direction, mux or bool(webrtc))
        session = ""
        if webrtc is not None:
            session = _block(webrtc.session)
            attributes = _block(webrtc.audio) + attributes
        if crypto:
            attributes = _block(tuple([line.attribute for line in crypto])) + attributes
        before, after = layout.others
        address = format_address(local.address)
        described = (
            f"s=-\r\nc={address}\r\nt=0 0\r\n{session}{before}"
            f"m=audio {local.port} {layout.protocol} {numbers}\r\n{attributes}{after}"
        )
        if described != self._described:
            self._described = described
            self._version += 1
        origin = f"- {self._session_id} {self._version} {address}"
        return f"v=0\r\no={origin}\r\n{described}".encode("utf-8", "surrogateescape")

    def _choose_media(
        self, description: SessionDescription
    ) -> tuple[int, Match, tuple[Crypto, ...], StreamKeys | None]:
        """Find the audio section to be answered: its place, and what it has in common with us.

        A later offer's section stays where it was, if that can be. Beside it are the a=crypto
        that answers it, and the keys.
        """
        places = range(len(description.media))
        why = "there is no audio stream"
        for place in sorted(places, key=lambda place: place != self._layout.audio):
            media = description.media[place]
            if media.kind != "audio" or media.port == 0:
                continue
            if media.protocol.upper() not in self.local.protocols:
                why = self._wrong_protocol
                continue
            match = self._match_offer(read_formats(media))
            if match is None:
                why = "there is no codec that we have"
                continue
            if self._webrtc is not None:
                try:
                    self._webrtc.check(description, media)
                except NotWebRtc as problem:
                    why = problem.reason
                    continue
            chosen = self._keys.answer(media, self.local.suites)
            if chosen is not None:
                return place, match, *chosen
            why = "there is no a=crypto that we can take"
        raise SessionRejected(why)

    @property
    def _wrong_protocol(self) -> str:
        if self._webrtc is not None:
            return "the audio stream is not WebRTC's (UDP/TLS/RTP/SAVPF)"
        return f"the audio stream is not {'encrypted' if self.local.suites else 'plain RTP'}"

    def _agreed_as_others(
        self, offered: tuple[AudioFormat, ...], body: bytes
    ) -> AgreedAudio | None:
        """Give what a first answer comes to in whose words others answered the same offer.

        None where it may differ in more than its port: it is to be looked at then.
        """
        local = self.local
        is_first = self.agreed is None and self._direction is Direction.SENDRECV
        if not is_first or local.suites or local.fingerprint:
            return None
        if len(body) > _MAX_REMEMBERED_ANSWER or _SAYS_RTCP in body:
            return None
        usual = usual_words(body.decode("utf-8", "surrogateescape"))
        if usual is None or not 0 < usual[1] < MAX_PORT:
            return None
        words, port, _ = usual
        known = _agreed_first(words, offered, local.ptime, ":" in local.address)
        if known is None:
            return None
        return AgreedAudio(
            address=known.address,
            port=port,
            rtcp=None if known.rtcp is None else (known.address, port + 1),
            format=known.format,
            send_payload_type=known.send_payload_type,
            receive_payload_types=known.receive_payload_types,
            dtmf_send_payload_type=known.dtmf_send_payload_type,
            direction=known.direction,
            ptime=known.ptime,
            rtcp_mux=known.rtcp_mux,
        )

    def agreed_by(
        self, offered: tuple[AudioFormat, ...], answer: SessionDescription
    ) -> AgreedAudio:
        """Give what an answer comes to, and change nothing. Raises SessionRejected."""
        media = self._answering_media(answer)
        match = _match_answer(offered, media)
        keys = self._accepted_keys(media)
        direction = self._direction.within(self._direction_of(answer, media).mirrored)
        webrtc = self._accepted_webrtc(answer, media)
        return self._agree(answer, media, match, direction, keys, webrtc, mux=False)

    def _accepted_keys(self, answering: Media) -> StreamKeys | None:
        if not self.local.suites:
            return None
        keys = self._keys.accept(answering)
        if keys is None:
            raise SessionRejected("the a=crypto of the answer is none of the offer's")
        return keys

    def _accepted_webrtc(self, description: SessionDescription, media: Media) -> WebRtc | None:
        if self._webrtc is None:
            return None
        try:
            return self._webrtc.accept(description, media)
        except NotWebRtc as problem:
            raise SessionRejected(problem.reason) from problem

    def _direction_of(self, description: SessionDescription, media: Media) -> Direction:
        if self._webrtc is not None:
            # A browser that has no address yet holds nobody.
            return description.direction_of(media)
        return _direction(description, media)

    def _match_offer(self, offered: list[AudioFormat]) -> Match | None:
        ours = {f.kind: f for f in self.local.formats}
        common = [
            renumbered(ours[theirs.kind], theirs.payload_type)
            for theirs in offered
            if theirs.kind in ours
        ]
        codecs = [f for f in common if not f.is_telephone_event]
        if not codecs:
            return None
        # A change of codec in mid-call is heard, and may mean transcoding: it is the far end's
        # to ask for by leaving out the one in use.
        current = self.agreed.format.kind if self.agreed else None
        codec = next((f for f in codecs if f.kind == current), codecs[0])
        events = telephone_event_for(codec, common)
        received = {f.payload_type: f for f in (codec, events) if f is not None}
        return Match(codec, codec.payload_type, number_of(events), received)

    def _answering_media(self, description: SessionDescription) -> Media:
        """Find the section of an answer that answers our audio.

        Its place tells (RFC 3264 6), but answers that leave out refused sections have been seen:
        then the first audio will do.
        """
        sections = description.media
        place = self._layout.audio
        if place < len(sections) and sections[place].kind == "audio":
            media = sections[place]
        else:
            media = next((m for m in sections if m.kind == "audio"), self._layout.refused[place])
        if media.port == 0:
            raise SessionRejected("the far end refused the audio stream")
        if media.protocol.upper() not in self.local.protocols:
            raise SessionRejected(self._wrong_protocol)
        return media

    def _agree(
        self,
        description: SessionDescription,
        media: Media,
        match: Match,
        direction: Direction,
        keys: StreamKeys | None,
        webrtc: WebRtc | None,
        *,
        mux: bool,
    ) -> AgreedAudio:
        if webrtc is None:
            address, port = self._remote_address(description, media), media.port
        else:
            address, port, mux = _NOWHERE, DISCARD_PORT, True
        return AgreedAudio(
            address=address,
            port=port,
            rtcp=(address, port) if mux else rtcp_of(media, address),
            format=match.codec,
            send_payload_type=match.send_payload_type,
            receive_payload_types=match.received,
            dtmf_send_payload_type=match.dtmf_send_payload_type,
            direction=direction,
            ptime=ptime_of(description, media, self.local.ptime),
            rtcp_mux=mux,
            keys=keys,
            webrtc=webrtc,
        )

    def _remote_address(self, description: SessionDescription, media: Media) -> str:
        text = description.address_of(media)
        if text is None:
            raise SessionRejected("the audio stream has no address")
        reach = reach_of(text)
        if reach is None:
            raise SessionRejected("the address of the audio stream is no IP address")
        if reach is Reach.NOWHERE:
            # Held the old way (RFC 3264 8.4): where the far end is has not changed.
            return self.agreed.address if self.agreed else text
        if reach is Reach.MANY or (":" in text) != (":" in self.local.address):
            raise SessionRejected("the address of the audio stream cannot be reached from ours")
        return text

    def _with_session_payload_type(self, wanted: AudioFormat) -> AudioFormat:
        taken = {number for kind, number in self._payload_types.items() if kind != wanted.kind}
        number = self._payload_types.get(wanted.kind, wanted.payload_type)
        if number in taken:
            number = next(free for free in DYNAMIC_PAYLOAD_TYPES if free not in taken)
        return renumbered(wanted, number)

    def _conclude(self, agreed: AgreedAudio) -> None:
        self._note_payload_types()
        self.agreed = agreed

    def _note_payload_types(self) -> None:
        """Have each encoding keep its payload type for the whole session (RFC 3264 8.3.2)."""
        if self.agreed is None:
            return
        for number, entry in self.agreed.receive_payload_types.items():
            if entry.payload_type == number:
                self._payload_types[entry.kind] = number


def _parse(body: bytes | str) -> SessionDescription:
    try:
        return SessionDescription.parse(body)
    except MalformedDescription as error:
        raise SessionRejected(f"the session description cannot be read: {error}") from error


def _direction(description: SessionDescription, media: Media) -> Direction:
    """Return the direction as the far end sees it; who gives no address receives nothing."""
    direction = description.direction_of(media)
    if description.address_of(media) in ("0.0.0.0", "::"):  # noqa: S104  # held, not bound to
        return direction.within(Direction.SENDONLY)
    return direction


@lru_cache(_REMEMBERED)
def _agreed_first(
    words: str, offered: tuple[AudioFormat, ...], ptime: int, over_ipv6: bool
) -> AgreedAudio | None:
    """Give what the first answer in these words comes to, with any port.

    None where the words say themselves where RTCP goes. Raises SessionRejected.
    """
    ours = LocalAudio("::1" if over_ipv6 else "127.0.0.1", DISCARD_PORT, offered, ptime)
    before, found, after = words.partition("\nm=audio ")
    answer = _parse(f"{before}{found}{DISCARD_PORT}{after[1:]}")
    if any(media.attribute("rtcp") is not None for media in answer.media):
        return None
    return AudioSession(ours, 0).agreed_by(offered, answer)


def _match_answer(offered: tuple[AudioFormat, ...], media: Media) -> Match:
    rtpmaps = tuple([each for each in media.attributes if each[0] == "rtpmap"])
    match = match_of(offered, media.formats, rtpmaps)
    if match is None:
        raise SessionRejected("the answer has no codec of the offer")
    return match


def _block(attributes: Attributes) -> str:
    return "".join([f"{line}\r\n" for line in attribute_lines(attributes)])


@lru_cache(_REMEMBERED)
def _audio_lines(
    formats: tuple[AudioFormat, ...], ptime: int, direction: Direction, mux: bool
) -> tuple[str, str]:
    """Give the payload types and the block of attributes of our m= section."""
    attributes = [attribute for entry in formats for attribute in format_attributes(entry)]
    attributes.append(("ptime", str(ptime)))
    if mux:
        attributes.append(("rtcp-mux", None))
    attributes.append((direction.value, None))
    numbers = " ".join([str(entry.payload_type) for entry in formats])
    return numbers, _block(tuple(attributes))
