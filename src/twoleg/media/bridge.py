"""Two ports joined: each far end hears the other."""

from twoleg.media.incoming import translation
from twoleg.media.port import MediaPort


class Bridge:
    """Passes the audio of two ports to each other until it is closed, or one of them is.

    Ends what is played to either. Raises CodecMismatch, and joins nothing, where both are connected
    with codecs between which no table translates.
    """

    __slots__ = ("_open", "left", "right")

    def __init__(self, left: MediaPort, right: MediaPort) -> None:
        if left.remote is not None and right.remote is not None:
            translation(left.remote.codec, right.remote.codec)
            translation(right.remote.codec, left.remote.codec)
        for port in (left, right):
            if port.bridge is not None:
                port.bridge.close()
        self.left = left
        self.right = right
        self._open = True
        left.join(right, self)
        right.join(left, self)

    def close(self) -> None:
        """Part the ports. Idempotent."""
        if self._open:
            self._open = False
            self.left.part()
            self.right.part()
