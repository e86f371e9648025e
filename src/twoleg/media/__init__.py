"""RTP: ports, bridges, prompts, digits and quality figures of the calls' legs."""

from twoleg.media.bridge import Bridge
from twoleg.media.codec import Codec
from twoleg.media.incoming import CodecMismatch
from twoleg.media.plane import EmbeddedPlane
from twoleg.media.playback import Playback
from twoleg.media.port import MediaPort, NotConnected, PortClosed
from twoleg.media.ports import NoPortsLeft
from twoleg.media.quality import Quality
from twoleg.media.remote import RemoteStream

__all__ = [
    "Bridge",
    "Codec",
    "CodecMismatch",
    "EmbeddedPlane",
    "MediaPort",
    "NoPortsLeft",
    "NotConnected",
    "Playback",
    "PortClosed",
    "Quality",
    "RemoteStream",
]
