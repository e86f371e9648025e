"""What the answer to an offer of ours says (RFC 3264 7)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from twoleg.sip.agreed_audio import AgreedAudio, LocalAudio, agree, read_description
from twoleg.sip.audio_ends import MAX_PORT, direction_of
from twoleg.sip.audio_formats import AudioFormat
from twoleg.sip.errors import SessionRejected
from twoleg.sip.format_match import Match, match_of_answer
from twoleg.sip.layout import Layout, first_layout
from twoleg.sip.remembered import remembered
from twoleg.sip.sdp import Direction, Media, SessionDescription, has_secret, usual_words
from twoleg.sip.webrtc import DISCARD_PORT

_OFFERS = 32
"""Kinds of offers whose answers are remembered."""

_REMEMBERED = 256
"""Answers to each that are remembered by what they say."""

_MAX_REMEMBERED_ANSWER = 1024
"""Bytes; longer ones are not worth their memory."""

_SAYS_RTCP = b"\na=rtcp:"
"""With it, a further port differs from call to call: its words come but once."""


def answering_media(answer: SessionDescription, layout: Layout, ours: LocalAudio) -> Media:
    """Find the section of an answer that answers our audio. Raises SessionRejected.

    Its place tells (RFC 3264 6), but answers that leave out refused sections have been seen:
    then the first audio will do.
    """
    sections, place = answer.media, layout.audio
    if place < len(sections) and sections[place].kind == "audio":
        media = sections[place]
    else:
        media = next((m for m in sections if m.kind == "audio"), layout.refused[place])
    if media.port == 0:
        raise SessionRejected("the far end refused the audio stream")
    if media.protocol.upper() not in ours.protocols:
        raise SessionRejected(f"the audio stream is not {ours.protocol_wanted}")
    return media


def match_answer(offered: tuple[AudioFormat, ...], media: Media) -> Match:
    """Find what an answer takes of the formats that were offered. Raises SessionRejected."""
    rtpmaps = tuple([each for each in media.attributes if each[0] == "rtpmap"])
    match = match_of_answer(offered, media.formats, rtpmaps)
    if match is None:
        raise SessionRejected("the answer has no codec of the offer")
    return match


def agreed_as_others(
    ours: LocalAudio, offered: tuple[AudioFormat, ...], body: bytes
) -> AgreedAudio | None:
    """Give what a first answer comes to in whose words others answered the same offer.

    None where it may differ in more than its port: it is to be looked at then.
    Raises SessionRejected.
    """
    if ours.suites or ours.fingerprint:
        return None
    if len(body) > _MAX_REMEMBERED_ANSWER or _SAYS_RTCP in body:
        return None
    usual = usual_words(body.decode("utf-8", "surrogateescape"))
    if usual is None or not 0 < usual[1] < MAX_PORT:
        return None
    words, port, _ = usual
    known = _answers_to(offered, ours.ptime, ":" in ours.address)(words)
    return None if known is None else known.at_port(port)


@lru_cache(_OFFERS)
def _answers_to(
    offered: tuple[AudioFormat, ...], ptime: int, over_ipv6: bool
) -> Callable[[str], AgreedAudio | None]:
    """Remember what the words of the first answers to an offer come to."""

    def agreed(words: str) -> AgreedAudio | None:
        return _agreed_first(words, offered, ptime, over_ipv6)

    return remembered(agreed, _REMEMBERED, _MAX_REMEMBERED_ANSWER, unless=has_secret)


def _agreed_first(
    words: str, offered: tuple[AudioFormat, ...], ptime: int, over_ipv6: bool
) -> AgreedAudio | None:
    """Give what the first answer in these words comes to, with any port.

    None where the words say themselves where RTCP goes. Raises SessionRejected.
    """
    ours = LocalAudio("::1" if over_ipv6 else "127.0.0.1", DISCARD_PORT, offered, ptime)
    before, found, after = words.partition("\nm=audio ")
    answer = read_description(f"{before}{found}{DISCARD_PORT}{after[1:]}")
    if any(media.attribute("rtcp") is not None for media in answer.media):
        return None
    media = answering_media(answer, first_layout(ours.protocols[0]), ours)
    direction = Direction.SENDRECV.within(direction_of(answer, media).mirrored)
    return agree(answer, media, match_answer(offered, media), direction, ours, None)
