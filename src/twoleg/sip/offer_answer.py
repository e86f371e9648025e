"""Offer and answer for one audio stream (RFC 3264), on whichever side we stand."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from twoleg.sip.agreed_audio import AgreedAudio, LocalAudio, agree, read_description
from twoleg.sip.audio_description import described
from twoleg.sip.audio_ends import direction_of
from twoleg.sip.audio_formats import DYNAMIC_PAYLOAD_TYPES, AudioFormat
from twoleg.sip.errors import LocalProtocolError, SessionRejected
from twoleg.sip.format_match import renumbered
from twoleg.sip.key_exchange import KeyExchange, StreamKeys
from twoleg.sip.layout import Layout, first_layout
from twoleg.sip.received_answer import agreed_as_others, answering_media, match_answer
from twoleg.sip.received_offer import choose_media
from twoleg.sip.sdp import Direction, Media, SessionDescription, format_address
from twoleg.sip.webrtc import NotWebRtc, WebRtc, WebRtcExchange


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
        "_make_key",
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
        self._make_key = make_key
        self._keys: KeyExchange | None = None
        self._webrtc = (
            None
            if local.fingerprint is None
            else WebRtcExchange(local.fingerprint, make_key, local.ice)
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
        if self._direction_before is not None:
            raise LocalProtocolError("an offer of ours waits for its answer")
        self._direction_before = self._direction
        self._direction = direction
        self._offered = self.local.formats
        if self.agreed is not None:
            self._note_payload_types()
            self._offered = tuple([self._with_session_payload_type(f) for f in self._offered])
        # Another suite in mid-call is nothing to ask for.
        in_use = self.agreed.keys if self.agreed else None
        suites = self.local.suites if in_use is None else (in_use.suite,)
        lines = None
        if self._webrtc is not None:
            lines = self._webrtc.offer(self.local.address, self.local.port)
        crypto = self._key_exchange.offer(suites) if suites else ()
        offer = described(self.local, self._layout, self._offered, direction, crypto, lines)
        return self._versioned(offer)

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
            agreed = None
            if self.agreed is None and self._direction is Direction.SENDRECV:
                agreed = agreed_as_others(self.local, self._offered, body)
            if agreed is None:
                agreed = self.agreed_by(self._offered, read_description(body))
        except SessionRejected:
            self.abandon_offer()
            raise
        self._direction_before = None
        if self.agreed is not None:
            self._note_payload_types()
        self.agreed = agreed
        return agreed

    def answer_offer(self, body: bytes) -> tuple[bytes, AgreedAudio]:
        """Answer an offer of the far end's, in a request or in the 2xx to an INVITE without one.

        One codec is chosen: that in use if it is still offered, else the first of the offer that
        we have. With it goes telephone-event of the same clock rate.

        Raises SessionRejected if nothing fits, or while an offer of ours waits for its answer;
        the session is then as it was before.
        """
        if self._direction_before is not None:
            raise SessionRejected("our own offer waits for its answer")
        description = read_description(body)
        place, match, crypto, keys = choose_media(
            description,
            self.local,
            self.agreed,
            self._layout.audio,
            self._key_exchange,
            self._webrtc,
        )
        media = description.media[place]
        mux = media.attribute("rtcp-mux") is not None
        direction = self._direction_of(description, media).mirrored.within(self._direction)
        lines = webrtc = None
        if self._webrtc is not None:
            address, port = self.local.address, self.local.port
            lines, webrtc = self._webrtc.answer(description, media, address, port)
        agreed = agree(
            description,
            media,
            match,
            direction,
            self.local,
            self.agreed,
            mux=mux,
            keys=keys,
            webrtc=webrtc,
        )
        self._layout = Layout.of(description.media, place)
        if webrtc is not None:
            self._layout = self._layout.named_as(description.media)
        self._offered = None
        self._note_payload_types()
        self.agreed = agreed
        formats = tuple(match.received.values())
        answer = described(self.local, self._layout, formats, direction, crypto, lines, mux=mux)
        return self._versioned(answer), agreed

    def abandon_offer(self) -> None:
        """Forget our offer, which was refused or never answered. Without one, do nothing."""
        if self._direction_before is not None:
            self._direction = self._direction_before
            self._direction_before = None
            self._offered = None

    def agreed_by(
        self, offered: tuple[AudioFormat, ...], answer: SessionDescription
    ) -> AgreedAudio:
        """Give what an answer comes to, and change nothing. Raises SessionRejected."""
        media = answering_media(answer, self._layout, self.local)
        match = match_answer(offered, media)
        keys = self._accepted_keys(media)
        direction = self._direction.within(self._direction_of(answer, media).mirrored)
        webrtc = self._accepted_webrtc(answer, media)
        return agree(
            answer, media, match, direction, self.local, self.agreed, keys=keys, webrtc=webrtc
        )

    @property
    def _key_exchange(self) -> KeyExchange:
        """What the keys of the stream are agreed by; a plain one has none."""
        if self._keys is None:
            self._keys = KeyExchange(self._make_key, self.local.keys)
        return self._keys

    def _versioned(self, text: str) -> bytes:
        """Give a description its origin, whose version rises by one if it says something new."""
        if text != self._described:
            self._described = text
            self._version += 1
        address = format_address(self.local.address)
        origin = f"- {self._session_id} {self._version} {address}"
        return f"v=0\r\no={origin}\r\n{text}".encode("utf-8", "surrogateescape")

    def _accepted_keys(self, answering: Media) -> StreamKeys | None:
        if not self.local.suites:
            return None
        keys = self._key_exchange.accept(answering)
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
        return direction_of(description, media)

    def _with_session_payload_type(self, wanted: AudioFormat) -> AudioFormat:
        taken = {number for kind, number in self._payload_types.items() if kind != wanted.kind}
        number = self._payload_types.get(wanted.kind, wanted.payload_type)
        if number in taken:
            number = next(free for free in DYNAMIC_PAYLOAD_TYPES if free not in taken)
        return renumbered(wanted, number)

    def _note_payload_types(self) -> None:
        """Have each encoding keep its payload type for the whole session (RFC 3264 8.3.2)."""
        if self.agreed is None:
            return
        for number, entry in self.agreed.receive_payload_types.items():
            if entry.payload_type == number:
                self._payload_types[entry.kind] = number
