"""What a leg's descriptions have to say of our end of its protection."""

from dataclasses import dataclass, field
from enum import Enum

from twoleg.media.srtp import SrtpSuite


class KeyAgreement(Enum):
    """How the two ends of a leg come by the keys of its SRTP."""

    SDES = "sdes"
    """They stand in the session descriptions (RFC 4568)."""

    DTLS = "dtls"
    """By a handshake between the two, who find each other by ICE: browsers (RFC 5763)."""


@dataclass(frozen=True, slots=True)
class OwnEnd:
    """Whatever is not given here, descriptions may make up."""

    fingerprint: str | None = None
    """The a=fingerprint of the certificate that the far end is shown: `sha-256 AB:CD:...`."""

    keys: tuple[tuple[SrtpSuite, bytes], ...] = field(default=(), repr=False)
    """What is sent under each suite: master key and salt. Never shown."""

    ice: tuple[str, str] | None = field(default=None, repr=False)
    """a=ice-ufrag and a=ice-pwd. Never shown."""
