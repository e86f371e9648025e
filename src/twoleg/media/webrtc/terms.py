"""What offer and answer have settled of a browser's audio, beside codecs."""

from dataclasses import dataclass, field
from typing import Final

SECURE_WITHIN_SECONDS: Final = 20.0
"""How long it may take until audio can flow; browsers give up on a pair after 15 or 30."""

NOT_FOUND: Final = f"the browser found no way to us (ICE) in {SECURE_WITHIN_SECONDS:g} s"
NOT_SECURED: Final = f"there was no DTLS association after {SECURE_WITHIN_SECONDS:g} s"
NOT_PROVED: Final = "the far end's certificate is not that of its a=fingerprint"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRtcTerms:
    """How a browser finds us (ICE), and how both prove who they are (DTLS)."""

    fragment: str
    """Our a=ice-ufrag."""

    password: str = field(repr=False)
    """Our a=ice-pwd, with which the browser's checks are signed. Never shown."""

    remote_fragment: str
    """The browser's a=ice-ufrag."""

    fingerprints: tuple[tuple[str, bytes], ...]
    """Hash function, by its name in SDP, and digest: the browser's certificate has one of them."""

    is_client: bool
    """Whether the DTLS handshake is ours to begin."""
