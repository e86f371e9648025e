"""Which formats offer and answer have in common (RFC 3264 6, 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from twoleg.sip.audio_formats import AudioFormat, read_formats
from twoleg.sip.sdp import Attributes, Media
from twoleg.sip.values import immutable

_REMEMBERED: Final = 256
"""Answers that are remembered by what they say of codecs."""


@immutable()
class Match:
    """The formats that both sides have, ours by the payload types that we receive them under."""

    codec: AudioFormat
    send_payload_type: int
    dtmf_send_payload_type: int | None
    received: Mapping[int, AudioFormat]


@lru_cache(_REMEMBERED)
def match_of_answer(
    offered: tuple[AudioFormat, ...], formats: tuple[str, ...], rtpmaps: Attributes
) -> Match | None:
    """Find what an answer has of an offer; a phone gives the same answer call after call."""
    answer = Media("audio", 0, "", formats, attributes=rtpmaps)
    answered = read_formats(answer, {f.payload_type: f for f in offered})
    ours = {f.kind: f for f in offered}
    common = [f for f in answered if f.kind in ours]
    codec = next((f for f in common if not f.is_telephone_event), None)
    if codec is None:
        return None
    events = telephone_event_for(codec, common)
    received = {ours[f.kind].payload_type: ours[f.kind] for f in common}
    # We are sent our own payload types (RFC 3264 5.1), but some send those of their answer.
    for theirs in common:
        received.setdefault(theirs.payload_type, ours[theirs.kind])
    return Match(ours[codec.kind], codec.payload_type, number_of(events), received)


def match_of_offer(
    formats: tuple[AudioFormat, ...],
    offered: list[AudioFormat],
    in_use: tuple[str, int, int] | None,
) -> Match | None:
    """Choose of an offer what we answer with: the kind of codec that is in use, if it is there."""
    ours = {f.kind: f for f in formats}
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
    codec = next((f for f in codecs if f.kind == in_use), codecs[0])
    events = telephone_event_for(codec, common)
    received = {f.payload_type: f for f in (codec, events) if f is not None}
    return Match(codec, codec.payload_type, number_of(events), received)


def telephone_event_for(codec: AudioFormat, formats: Iterable[AudioFormat]) -> AudioFormat | None:
    """Events run on the clock of the codec that they stand between (RFC 4733 2.2)."""
    for entry in formats:
        if entry.is_telephone_event and entry.clock_rate == codec.clock_rate:
            return entry
    return None


def renumbered(entry: AudioFormat, number: int) -> AudioFormat:
    return entry if entry.payload_type == number else entry._replace(payload_type=number)


def number_of(entry: AudioFormat | None) -> int | None:
    return None if entry is None else entry.payload_type
