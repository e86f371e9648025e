"""The audio codecs that the media plane carries."""

from enum import Enum


class Codec(Enum):
    """An audio codec with its static payload type (RFC 3551 section 6).

    All three carry 20 ms in 160 bytes, and all three count RTP time at 8000 Hz: G.722 too, although
    it samples at 16000 Hz (RFC 3551 section 4.5.2).
    """

    PCMU = ("PCMU", 0, 8000)
    PCMA = ("PCMA", 8, 8000)
    G722 = ("G722", 9, 16000)

    def __init__(self, encoding: str, payload_type: int, sample_rate: int) -> None:
        self.encoding = encoding
        self.payload_type = payload_type
        self.sample_rate = sample_rate
        self.clock_rate = 8000
        self.frame_bytes = 160

    # There is one of each; Enum's own hash is several times the work.
    __hash__ = object.__hash__
