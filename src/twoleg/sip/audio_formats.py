"""Audio formats as session descriptions name them (RFC 3551, RFC 8866 6.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from twoleg.sip.remembered import remembered
from twoleg.sip.sdp import Media, parse_number

DYNAMIC_PAYLOAD_TYPES = range(96, 128)
"""Payload types that mean what a=rtpmap says (RFC 3551 6)."""

_MAX_PAYLOAD_TYPE = 127


class AudioFormat(NamedTuple):
    """An encoding under its payload type; `parameters` is its a=fmtp, "" for none.

    A tuple of them is what descriptions are remembered by: it is hashed without a call.
    """

    payload_type: int
    encoding: str
    clock_rate: int
    channels: int = 1
    parameters: str = ""

    @property
    def kind(self) -> tuple[str, int, int]:
        """What makes it the same as another under a different payload type."""
        return self.encoding.lower(), self.clock_rate, self.channels

    @property
    def is_telephone_event(self) -> bool:
        return self.encoding.lower() == "telephone-event"


PCMU = AudioFormat(0, "PCMU", 8000)
PCMA = AudioFormat(8, "PCMA", 8000)
G722 = AudioFormat(9, "G722", 8000)
"""Sampled at 16 kHz; its RTP clock runs at 8 kHz by an old mistake (RFC 3551 4.5.2)."""
TELEPHONE_EVENT = AudioFormat(101, "telephone-event", 8000, 1, "0-15")
"""DTMF digits (RFC 4733)."""

# RFC 3551 table 4: the payload types that need no a=rtpmap, as far as telephones use them.
_STATIC_FORMATS = {
    static.payload_type: static
    for static in (
        PCMU,
        AudioFormat(3, "GSM", 8000),
        AudioFormat(4, "G723", 8000),
        PCMA,
        G722,
        AudioFormat(13, "CN", 8000),
        AudioFormat(15, "G728", 8000),
        AudioFormat(18, "G729", 8000),
    )
}


def read_formats(media: Media, known: Mapping[int, AudioFormat] | None = None) -> list[AudioFormat]:
    """Return the formats of a section that can be told, in its order.

    `known` are those that a payload type without a=rtpmap may mean beside the static ones.
    """
    mapped: dict[int, AudioFormat] = {}
    for name, value in media.attributes:
        if name == "rtpmap" and value:
            entry = _parse_rtpmap(value)
            if entry is not None:
                mapped.setdefault(entry.payload_type, entry)
    formats: list[AudioFormat] = []
    for text in dict.fromkeys(media.formats):
        number = parse_number(text, _MAX_PAYLOAD_TYPE)
        if number is None:
            continue
        entry = mapped.get(number)
        static = _STATIC_FORMATS.get(number) or (known or {}).get(number)
        if static is not None and (entry is None or entry.encoding.lower() == static.kind[0]):
            # Some write G722/16000 and the like: a static payload type knows better.
            entry = static
        if entry is not None:
            formats.append(entry)
    return formats


def format_attributes(entry: AudioFormat) -> list[tuple[str, str | None]]:
    """Return the a= lines that tell of a format."""
    number = entry.payload_type
    channels = f"/{entry.channels}" if entry.channels > 1 else ""
    lines: list[tuple[str, str | None]] = [
        ("rtpmap", f"{number} {entry.encoding}/{entry.clock_rate}{channels}")
    ]
    if entry.parameters:
        lines.append(("fmtp", f"{number} {entry.parameters}"))
    return lines


@remembered
def _parse_rtpmap(value: str) -> AudioFormat | None:
    number_text, _, mapping = value.partition(" ")
    encoding, *rates = mapping.strip().split("/")
    number = parse_number(number_text, _MAX_PAYLOAD_TYPE)
    clock_rate = parse_number(rates[0], 10**9) if rates else None
    channels = parse_number(rates[1], 255) if len(rates) > 1 else 1
    if number is None or not encoding or clock_rate is None or not channels:
        return None
    return AudioFormat(number, encoding, clock_rate, channels)
