"""Received payloads as samples, for measuring and for recordings; a bridge decodes nothing."""

from array import array

from twoleg.media.codec import Codec
from twoleg.media.g711 import decode_alaw, decode_ulaw
from twoleg.media.g722 import G722Decoder


class Decoder:
    """Decodes one stream, packet by packet, at the codec's own sample rate."""

    __slots__ = ("_g722", "codec")

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self._g722 = G722Decoder()

    def decode(self, payload: bytes) -> "array[int]":
        """Return the payload's 16-bit samples, in an `array("h")`."""
        match self.codec:
            case Codec.PCMU:
                return decode_ulaw(payload)
            case Codec.PCMA:
                return decode_alaw(payload)
            case Codec.G722:
                return self._g722.decode(payload)
