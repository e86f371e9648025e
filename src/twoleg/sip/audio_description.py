"""The descriptions of our audio, as offers and answers have them (RFC 3264 5, 6)."""

from __future__ import annotations

from functools import lru_cache

from twoleg.sip.agreed_audio import LocalAudio
from twoleg.sip.audio_formats import AudioFormat, format_attributes
from twoleg.sip.layout import Layout
from twoleg.sip.sdes import Crypto
from twoleg.sip.sdp import Attributes, Direction, attribute_lines, format_address
from twoleg.sip.webrtc import WebRtcLines

_REMEMBERED = 256
"""Blocks of attributes that are remembered by what they say."""


def described(
    ours: LocalAudio,
    layout: Layout,
    formats: tuple[AudioFormat, ...],
    direction: Direction,
    crypto: tuple[Crypto, ...],
    webrtc: WebRtcLines | None,
    *,
    mux: bool = False,
) -> str:
    """Write a description without what tells it from those before: its version and origin."""
    numbers, attributes = _audio_lines(formats, ours.ptime, direction, mux or bool(webrtc))
    session = ""
    if webrtc is not None:
        session = _block(webrtc.session)
        attributes = _block(webrtc.audio) + attributes
    if crypto:
        attributes = _block(tuple([line.attribute for line in crypto])) + attributes
    before, after = layout.others
    return (
        f"s=-\r\nc={format_address(ours.address)}\r\nt=0 0\r\n{session}{before}"
        f"m=audio {ours.port} {layout.protocol} {numbers}\r\n{attributes}{after}"
    )


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
