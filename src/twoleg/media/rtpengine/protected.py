"""The SDP of streams that a node protects: keys of SRTP, ICE and DTLS. Pure."""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Final

from twoleg.media.own_end import KeyAgreement, OwnEnd
from twoleg.media.remote import RemoteStream
from twoleg.media.rtpengine.bencode import Encodable
from twoleg.media.rtpengine.descriptions import (
    ALL_FORMATS,
    DISCARD_PORT,
    NOWHERE,
    UnusableDescription,
    described,
    family_of,
)
from twoleg.media.srtp import SrtpKeys, SrtpSuite
from twoleg.media.webrtc.terms import WebRtcTerms

PROTOCOLS: Final = {
    KeyAgreement.SDES: "RTP/SAVP",
    KeyAgreement.DTLS: "UDP/TLS/RTP/SAVPF",
}

ASKED_FOR: Final[Mapping[KeyAgreement, Mapping[str, Encodable]]] = {
    KeyAgreement.SDES: {"DTLS": "off", "ICE": "remove"},
    KeyAgreement.DTLS: {
        "SDES": ("off",),
        "ICE": "force",
        # The lite side, as the embedded plane is: the far end finds it.
        "ICE_lite": "forward",
        "DTLS_fingerprint": "sha-256",
        "rtcp_mux": ("offer", "require"),
    },
}
"""What is said beside the protocol when a node is asked for an offer to such a far end."""

_KEY_OCTETS: Final = 30
_CRYPTO: Final = re.compile(rb"^a=crypto:([0-9]{1,9}) (\w+) inline:([\w+/=]+)", re.MULTILINE)
_FRAGMENT: Final = re.compile(rb"^a=ice-ufrag:([\w+/]{4,256})\r?$", re.MULTILINE)
_PASSWORD: Final = re.compile(rb"^a=ice-pwd:([\w+/]{22,256})\r?$", re.MULTILINE)
_FINGERPRINT: Final = re.compile(rb"^a=fingerprint:(sha-256 [0-9A-F:]{95})\r?$", re.MULTILINE)

_SUITES: Final = {suite.name: suite for suite in SrtpSuite}


class OfferedEnd:
    """What a node offers a far end, as it says so itself: keys, or ICE and DTLS.

    Raises UnusableDescription if it is not what was asked for.
    """

    def __init__(self, description: object, agreement: KeyAgreement) -> None:
        protocol = PROTOCOLS[agreement].encode()
        if not isinstance(description, bytes) or b" %b " % protocol not in description:
            raise UnusableDescription("an rtpengine node does not encrypt")
        self.tags: dict[SrtpSuite, int] = {}
        """By which number an answer takes a suite up (RFC 4568 5.1.2)."""

        if agreement is KeyAgreement.SDES:
            self.own_end = OwnEnd(keys=tuple(self._keys(description)))
        else:
            self.own_end = OwnEnd(
                fingerprint=_found(_FINGERPRINT, description),
                ice=(_found(_FRAGMENT, description), _found(_PASSWORD, description)),
            )

    def _keys(self, description: bytes) -> list[tuple[SrtpSuite, bytes]]:
        keys = []
        for tag, name, text in _CRYPTO.findall(description):
            suite, key = _SUITES.get(name.decode()), _decoded(text)
            if suite is not None and key is not None:
                self.tags[suite] = int(tag)
                keys.append((suite, key))
        if len(keys) != len(_SUITES):
            raise UnusableDescription("an rtpengine node has not the suites of SRTP that we offer")
        return keys


def far_end_answer(remote: RemoteStream, tags: Mapping[SrtpSuite, int], family: str) -> str:
    """Write what a far end has agreed to as its answer to the node's offer.

    Formats are always the same: to transcode is done behind the gateway, and so is to hold; but
    of who holds nothing is missed, since a node forgets a call without RTP after a minute.
    """
    direction = "sendrecv" if remote.sending and remote.receiving else "inactive"
    if remote.webrtc is not None:
        # Its password and its candidates are of no use to who waits to be found.
        lines = ["a=ice-options:trickle", "a=rtcp-mux", *_webrtc_lines(remote.webrtc)]
        protocol, host, port = PROTOCOLS[KeyAgreement.DTLS], NOWHERE[family], DISCARD_PORT
    else:
        assert remote.keys is not None
        lines = [_crypto_line(remote.keys, tags)]
        if remote.rtcp is not None:
            lines.append(f"a=rtcp:{remote.rtcp[1]} IN {family_of(remote.rtcp[0])} {remote.rtcp[0]}")
        protocol, host, port = PROTOCOLS[KeyAgreement.SDES], remote.host, remote.port
    return described(host, port, ALL_FORMATS, lines, direction, protocol)


def _crypto_line(keys: SrtpKeys, tags: Mapping[SrtpSuite, int]) -> str:
    key = b64encode(keys.theirs).decode()
    return f"a=crypto:{tags[keys.suite]} {keys.suite.name} inline:{key}"


def _webrtc_lines(terms: WebRtcTerms) -> list[str]:
    function, digest = terms.fingerprints[0]
    return [
        f"a=ice-ufrag:{terms.remote_fragment}",
        f"a=fingerprint:{function} {digest.hex(':').upper()}",
        # A browser keeps its DTLS when ICE begins anew (RFC 8842 section 4), which later nodes end
        # unless they are told that it is the same; one with another certificate begins another.
        f"a=tls-id:{digest.hex()}",
        f"a=setup:{'passive' if terms.is_client else 'active'}",
    ]


def _found(pattern: re.Pattern[bytes], description: bytes) -> str:
    match = pattern.search(description)
    if match is None:
        raise UnusableDescription("an rtpengine node does not speak ICE or DTLS")
    return match[1].decode()


def _decoded(text: bytes) -> bytes | None:
    try:
        key = b64decode(text, validate=True)
    except NotBase64:
        return None
    return key if len(key) == _KEY_OCTETS else None
