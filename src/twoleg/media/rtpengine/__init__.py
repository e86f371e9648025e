"""The media plane at rtpengine nodes: their NG protocol, and ports and bridges by it."""

from twoleg.media.rtpengine.nodes import NoNodeLeft, answers
from twoleg.media.rtpengine.plane import NotTogether, RtpenginePlane
from twoleg.media.rtpengine.port import RtpenginePort

__all__ = ["NoNodeLeft", "NotTogether", "RtpenginePlane", "RtpenginePort", "answers"]
