"""The far end of a leg, as offer and answer agreed on it."""

from typing import NamedTuple

from twoleg.media.codec import Codec
from twoleg.media.srtp import SrtpKeys
from twoleg.media.webrtc.terms import WebRtcTerms


class RemoteStream(NamedTuple):
    """Where to send, in what codec, and in which directions audio flows."""

    host: str
    """IP literal of the far end's connection line."""

    port: int
    codec: Codec
    payload_type: int
    """The payload type of the codec, in both directions."""

    rtcp: tuple[str, int] | None = None
    """Where RTCP goes (RFC 3605); None: the port after `port`."""

    dtmf_payload_type: int | None = None
    """The payload type of telephone-event; None: the far end does not take it."""

    comfort_noise: bool = False
    """Whether comfort noise (RFC 3389, payload type 13) was agreed on."""

    sending: bool = True
    """We may send: False while the far end has us on hold."""

    receiving: bool = True
    """The far end should be sending."""

    ptime: int = 20
    rtcp_mux: bool = False
    keys: SrtpKeys | None = None
    """What the stream is encrypted with, both ways; None: nothing, or keys that DTLS gives."""

    webrtc: WebRtcTerms | None = None
    """How a browser is found and proved, wherever `host` and `port` say; None: it is none."""
