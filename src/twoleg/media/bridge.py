"""Two ports joined: each far end hears the other."""

from typing import TYPE_CHECKING

from twoleg.media.incoming import translation

if TYPE_CHECKING:
    from twoleg.media.port import MediaPort


class Bridge:
    """Passes the audio of two ports to each other until it is closed, or one of them is.

    Ends what is played to either. Raises CodecMismatch, and joins nothing, where both are connected
    with codecs between which no table translates.
    """

    __slots__ = ("_open", "left", "right")

    def __init__(self, left: "MediaPort", right: "MediaPort") -> None:
        if left.remote is not None and right.remote is not None:
            translation(left.remote.codec, right.remote.codec)
            translation(right.remote.codec, left.remote.codec)
        for port in (left, right):
            if port.bridge is not None:
                port.bridge.close()
        self.left = left
        self.right = right
        self._open = True
        for port in (left, right):
            if port.playback is not None:
                port.playback.stop()
            port.bridge = self
        self.feed(left)
        self.feed(right)

    def other(self, port: "MediaPort") -> "MediaPort":
        """Give the one that a port is joined to."""
        return self.left if port is self.right else self.right

    def feed(self, port: "MediaPort") -> None:
        """Decide anew whether the other's stream goes to a port."""
        peer = self.left if port is self.right else self.right
        remote = port.remote
        flows = (
            remote is not None
            and remote.sending
            and port.outgoing.send is not None
            and port.playback is None
            and peer.remote is not None
            and peer.remote.receiving
        )
        if flows:
            peer.incoming.pass_to(port.outgoing, remote)
        else:
            peer.incoming.pass_to(None, None)

    def close(self) -> None:
        """Part the ports. Idempotent."""
        if self._open:
            self._open = False
            for port in (self.left, self.right):
                port.incoming.pass_to(None, None)
                port.bridge = None
