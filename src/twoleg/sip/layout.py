"""The m= lines of a session through all its offers and answers (RFC 3264 8)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from twoleg.sip.sdp import Media
from twoleg.sip.values import immutable
from twoleg.sip.webrtc import mid_of


@immutable()
class Layout:
    """The m= lines of the session in their order, with port 0; `audio` is the place of ours.

    Each keeps its place for as long as the session lasts (RFC 3264 8).
    """

    refused: tuple[Media, ...]
    audio: int = 0

    @classmethod
    def of(cls, media: tuple[Media, ...], audio: int) -> Layout:
        return cls(tuple(Media(m.kind, 0, m.protocol, m.formats or ("0",)) for m in media), audio)

    def named_as(self, media: tuple[Media, ...]) -> Layout:
        """Give each section the name that it has in an offer, by which browsers know it."""
        named = [
            each if mid is None else replace(each, attributes=(("mid", mid),))
            for each, mid in zip(self.refused, map(mid_of, media), strict=True)
        ]
        return Layout(tuple(named), self.audio)

    @property
    def others(self) -> tuple[str, str]:
        """The sections before our audio, and those after it, as they are written."""
        if len(self.refused) == 1:
            return "", ""
        before, after = self.refused[: self.audio], self.refused[self.audio + 1 :]
        return _written(before), _written(after)

    @property
    def protocol(self) -> str:
        return self.refused[self.audio].protocol


@lru_cache
def first_layout(protocol: str) -> Layout:
    """Give that of a session whose first offer is ours."""
    return Layout((Media("audio", 0, protocol, ()),))


def _written(sections: tuple[Media, ...]) -> str:
    return "".join([f"{line}\r\n" for media in sections for line in media.lines()])
