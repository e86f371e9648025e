"""What an offer of the far end's has for us (RFC 3264 6)."""

from __future__ import annotations

from typing import NamedTuple

from twoleg.sip.agreed_audio import AgreedAudio, LocalAudio
from twoleg.sip.audio_formats import read_formats
from twoleg.sip.errors import SessionRejected
from twoleg.sip.format_match import Match, match_of_offer
from twoleg.sip.key_exchange import KeyExchange, StreamKeys
from twoleg.sip.sdes import Crypto
from twoleg.sip.sdp import SessionDescription
from twoleg.sip.webrtc import NotWebRtc, WebRtcExchange


class Chosen(NamedTuple):
    """The audio section that is answered."""

    place: int
    match: Match
    """What it has in common with us."""

    crypto: tuple[Crypto, ...]
    """The a=crypto that answers it."""

    keys: StreamKeys | None


def choose_media(
    offer: SessionDescription,
    ours: LocalAudio,
    before: AgreedAudio | None,
    place_before: int,
    keys: KeyExchange,
    webrtc: WebRtcExchange | None,
) -> Chosen:
    """Find the audio section to be answered. Raises SessionRejected.

    A later offer's section stays where it was, if that can be.
    """
    places = range(len(offer.media))
    in_use = before.format.kind if before else None
    why = "there is no audio stream"
    for place in sorted(places, key=lambda place: place != place_before):
        media = offer.media[place]
        if media.kind != "audio" or media.port == 0:
            continue
        if media.protocol.upper() not in ours.protocols:
            why = f"the audio stream is not {ours.protocol_wanted}"
            continue
        match = match_of_offer(ours.formats, read_formats(media), in_use)
        if match is None:
            why = "there is no codec that we have"
            continue
        if webrtc is not None:
            try:
                webrtc.check(offer, media)
            except NotWebRtc as problem:
                why = problem.reason
                continue
        chosen = keys.answer(media, ours.suites)
        if chosen is not None:
            return Chosen(place, match, *chosen)
        why = "there is no a=crypto that we can take"
    raise SessionRejected(why)
