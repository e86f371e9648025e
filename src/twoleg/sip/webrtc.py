"""What descriptions of a browser's audio have beside RTP: ICE, DTLS and their groups (RFC 8829).

We are the lite side of ICE: one candidate, which everybody can reach (RFC 8839 4.1, RFC 8445 2.5).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import field
from enum import Enum
from typing import Final

from twoleg.sip.errors import SipError
from twoleg.sip.sdp import Attributes, Media, SessionDescription
from twoleg.sip.values import immutable

PROTOCOLS: Final = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP")
"""What the m= line names, first what ours does (RFC 8834 4.1, RFC 5764 8)."""

DISCARD_PORT: Final = 9
"""The port of a browser whose place is not known; ICE finds it (RFC 8840 4.3.1)."""

MAX_FINGERPRINTS: Final = 8

# RFC 8839 5.4: ice-char = ALPHA / DIGIT / "+" / "/"
_FRAGMENT: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
# RFC 8122 5: hash-func SP fingerprint; those of SHA-1 and older prove nothing any more.
_FINGERPRINT: Final = re.compile(
    r"(sha-(?:256|384|512))[ \t]+([0-9A-F]{2}(?::[0-9A-F]{2}){31,63})", re.IGNORECASE
)
_DIGEST_OCTETS: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}

# RFC 5888 4: a token, which we write as it came.
_TOKEN: Final = re.compile(r"[!-~]{1,32}")

_MID: Final = "0"
"""The name of our audio; browsers number theirs so."""

# RFC 8445 5.1.2.1: of the only host candidate, for the only component.
_HOST_PRIORITY: Final = 126 << 24 | 65_535 << 8 | 255

_FRAGMENT_OCTETS: Final = 6
_PASSWORD_OCTETS: Final = 18


class NotWebRtc(SipError):
    """The far end's description is none that a browser's audio can be had by; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Setup(Enum):
    """Who begins the DTLS handshake (RFC 4145 4, RFC 8842 5.1)."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"


_SETUPS: Final = {setup.value: setup for setup in Setup}


@immutable()
class IceCredentials:
    """What one side's checks are told by and signed with."""

    fragment: str
    password: str = field(repr=False)


@immutable()
class WebRtc:
    """How the two find each other and prove who they are.

    `fingerprints` are those of the far end's certificate: the hash function, by its name in SDP,
    and the digest. `is_dtls_client`: the handshake is ours to begin.
    """

    ours: IceCredentials
    theirs: IceCredentials
    fingerprints: tuple[tuple[str, bytes], ...]
    is_dtls_client: bool


@immutable()
class WebRtcLines:
    """Attributes that a description of ours has: the session's, and those of the audio."""

    session: Attributes
    audio: Attributes


class WebRtcExchange:
    """ICE and DTLS of one stream through all offers and answers of its session.

    `fingerprint` is what a=fingerprint says of our certificate. `make_key` gives so many random
    octets. The association lasts as long as both sides' certificates and roles do: a hold or a
    change of codec repeats them (RFC 8842 3.1). `ice` are our credentials where a media server has
    made them, which has no others: they stay even when the far end restarts ICE.
    """

    def __init__(
        self,
        fingerprint: str,
        make_key: Callable[[int], bytes],
        ice: IceCredentials | None = None,
    ) -> None:
        self._fingerprint = fingerprint
        self._make_key = make_key
        self._given = ice
        self._ours = ice or self._new_credentials()
        self._agreed: WebRtc | None = None
        self._mid = _MID
        self._in_group = True

    def offer(self, address: str, port: int) -> WebRtcLines:
        """Give the lines of an offer."""
        # 5.2: whoever offers leaves it to the other, even where an association is in use.
        return self._lines(address, port, Setup.ACTPASS)

    def accept(self, description: SessionDescription, media: Media) -> WebRtc:
        """Take an answer. Raises NotWebRtc."""
        setup = _setup(description, media)
        if setup is Setup.ACTPASS:
            raise NotWebRtc("the a=setup of the answer chooses no side")
        agreed = self._read(description, media, is_client=setup is Setup.PASSIVE)
        self._agreed = agreed
        return agreed

    def check(self, description: SessionDescription, media: Media) -> None:
        """Make sure that an offer can be answered. Raises NotWebRtc."""
        _setup(description, media)
        self._read(description, media, is_client=False)

    def answer(
        self, description: SessionDescription, media: Media, address: str, port: int
    ) -> tuple[WebRtcLines, WebRtc]:
        """Answer an offer. Raises NotWebRtc."""
        setup = _setup(description, media)
        before = self._agreed
        if setup is Setup.ACTPASS:
            # Who has a part already keeps it (5.3); else the one that waits, which takes no timers.
            is_client = before is not None and before.is_dtls_client
        else:
            is_client = setup is Setup.PASSIVE
        agreed = self._read(description, media, is_client=is_client)
        if before is not None and agreed.theirs != before.theirs and self._given is None:
            # An ICE restart has both sides begin anew (RFC 8839 4.4.1.1.1).
            self._ours = self._new_credentials()
            agreed = self._read(description, media, is_client=is_client)
        self._agreed = agreed
        self._mid = mid_of(media) or ""
        self._in_group = self._mid in _bundle(description)
        ours = Setup.ACTIVE if is_client else Setup.PASSIVE
        return self._lines(address, port, ours), agreed

    def _read(self, description: SessionDescription, media: Media, *, is_client: bool) -> WebRtc:
        if description.attribute("ice-lite") is not None:
            # Two lite sides would both wait for checks.
            raise NotWebRtc("the far end is ICE-lite, as we are")
        if media.attribute("rtcp-mux") is None:
            raise NotWebRtc("there is no a=rtcp-mux")
        return WebRtc(
            self._ours, _credentials(description, media), _digests(description, media), is_client
        )

    def _lines(self, address: str, port: int, setup: Setup) -> WebRtcLines:
        session: list[tuple[str, str | None]] = [("ice-lite", None)]
        if self._in_group:
            session.append(("group", f"BUNDLE {self._mid}"))
        candidate = f"1 1 udp {_HOST_PRIORITY} {address} {port} typ host"
        audio: list[tuple[str, str | None]] = [
            ("ice-ufrag", self._ours.fragment),
            ("ice-pwd", self._ours.password),
            ("candidate", candidate),
            ("fingerprint", self._fingerprint),
            ("setup", setup.value),
            # What a page's script is given the audio as: without it some have a stream, some none.
            ("msid", "twoleg audio"),
        ]
        if self._mid:
            audio.insert(0, ("mid", self._mid))
        return WebRtcLines(tuple(session), tuple(audio))

    def _new_credentials(self) -> IceCredentials:
        fragment = b64encode(self._make_key(_FRAGMENT_OCTETS)).decode()
        return IceCredentials(fragment, b64encode(self._make_key(_PASSWORD_OCTETS)).decode())


def mid_of(media: Media) -> str | None:
    """Give the name of a section, if it has one that can be repeated (RFC 5888 4)."""
    mid = media.attribute("mid") or ""
    return mid if _TOKEN.fullmatch(mid) else None


def _attribute(description: SessionDescription, media: Media, name: str) -> str | None:
    """Give an attribute that may stand in the section or, for all of them, in the session."""
    value = media.attribute(name)
    return description.attribute(name) if value is None else value


def _setup(description: SessionDescription, media: Media) -> Setup:
    setup = _SETUPS.get((_attribute(description, media, "setup") or "").lower())
    if setup is None:
        raise NotWebRtc("there is no a=setup that we know")
    return setup


def _credentials(description: SessionDescription, media: Media) -> IceCredentials:
    fragment = _attribute(description, media, "ice-ufrag") or ""
    password = _attribute(description, media, "ice-pwd") or ""
    if _FRAGMENT.fullmatch(fragment) is None or _PASSWORD.fullmatch(password) is None:
        raise NotWebRtc("there is no a=ice-ufrag or no a=ice-pwd")
    return IceCredentials(fragment, password)


def _digests(description: SessionDescription, media: Media) -> tuple[tuple[str, bytes], ...]:
    """Read all a=fingerprint of the section, or else of the session, that we can check."""
    found: list[tuple[str, bytes]] = []
    for attributes in (media.attributes, description.attributes):
        for name, value in attributes:
            match = _FINGERPRINT.fullmatch(value or "") if name == "fingerprint" else None
            if match is None:
                continue
            function, digest = match[1].lower(), bytes.fromhex(match[2].replace(":", ""))
            if len(digest) == _DIGEST_OCTETS[function]:
                found.append((function, digest))
        if found:
            return tuple(found[:MAX_FINGERPRINTS])
    raise NotWebRtc("there is no a=fingerprint that we can check")


def _bundle(description: SessionDescription) -> frozenset[str]:
    """Give the sections that share one transport (RFC 9143 7.1)."""
    for name, value in description.attributes:
        words = (value or "").split() if name == "group" else []
        if words[:1] == ["BUNDLE"]:
            return frozenset(words[1:])
    return frozenset()
