"""Digest authentication as a server: challenges, and judging what answers them (RFC 7616)."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum
from itertools import count

from twoleg.sip.digest import (
    MAX_CHALLENGES,
    Authorization,
    DigestAlgorithm,
    digest_response,
    read_algorithm,
)
from twoleg.sip.errors import InvalidValue
from twoleg.sip.grammar import quote
from twoleg.sip.headers import Headers
from twoleg.sip.uri import SipUri

DEFAULT_NONCE_SECONDS = 300.0
"""How long a nonce of our verifier lives."""

MAX_NONCES = 20_000
"""The most nonces in use that a verifier remembers."""

_MAX_NONCE_COUNT = 0xFFFFFFFF
_MAC_BYTES = 16
_DUMMY_HA1 = "0" * 64


class DigestVerdict(Enum):
    """What a verifier thinks of an answer to its challenge."""

    OK = "ok"
    STALE = "stale"  # right, but the nonce is old or not ours: challenge again with stale=true
    REPLAYED = "replayed"  # right, but this nonce count was used before: as STALE
    WRONG = "wrong"  # wrong password, user, realm, algorithm or URI: challenge again, or 403

    @property
    def stale(self) -> bool:
        """Whether the next challenge must say that only the nonce was at fault."""
        return self in (DigestVerdict.STALE, DigestVerdict.REPLAYED)


class DigestVerifier:
    """Challenges for one realm, and judges the answers.

    Nonces carry the time at which they were made and are sealed with `secret`, so that they need
    no memory until they are used rightly. Verifiers that share a secret share a clock too; each
    has its own memory of nonce counts.
    """

    def __init__(
        self,
        realm: str,
        secret: bytes,
        lifetime: float = DEFAULT_NONCE_SECONDS,
        *,
        algorithms: tuple[DigestAlgorithm, ...] = tuple(DigestAlgorithm),
        max_nonces: int = MAX_NONCES,
    ) -> None:
        self.realm = realm
        self._secret = secret
        self._lifetime = lifetime
        self._algorithms = algorithms
        self._max_nonces = max_nonces
        self._serial = count()
        # The highest count of each nonce in use and when the nonce was made, oldest use first.
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        # Nonces made until then are not taken any more: some of them were forgotten.
        self._forgotten_until = float("-inf")

    def challenge(self, now: float, *, stale: bool = False) -> tuple[tuple[str, str], ...]:
        """Make the WWW-Authenticate headers of a 401, the strongest algorithm first."""
        start = f'Digest realm={quote(self.realm)}, nonce="{self._make_nonce(now)}"'
        end = ', qop="auth", stale=true' if stale else ', qop="auth"'
        return tuple(
            ("WWW-Authenticate", f"{start}, algorithm={algorithm.value}{end}")
            for algorithm in self._algorithms
        )

    def find(self, headers: Headers) -> Authorization | None:
        """Return the answer to a challenge of this realm, which names the user to look up.

        Raises InvalidValue if there is one that cannot be read (400).
        """
        for line in headers.lines("Authorization")[:MAX_CHALLENGES]:
            if line[:7].lower() != "digest ":
                continue
            authorization = Authorization.parse(line)
            if authorization.realm == self.realm:
                return authorization
        return None

    def verify(
        self,
        method: str,
        uri: str,
        authorization: Authorization,
        ha1s: Mapping[str, str],
        now: float,
    ) -> DigestVerdict:
        """Judge the answer that a request with this Request-URI carries.

        `ha1s` are the user's HA1 by algorithm name, empty for a user that does not exist: it
        takes as long to say WRONG.
        """
        try:
            algorithm, session = read_algorithm(authorization.algorithm)
        except InvalidValue:
            return DigestVerdict.WRONG
        ha1 = ha1s.get(algorithm.value)
        expected = digest_response(
            algorithm,
            ha1 or _DUMMY_HA1,
            authorization.nonce,
            method,
            authorization.uri,
            nonce_count=authorization.nonce_count,
            cnonce=authorization.cnonce or "",
        )
        right = hmac.compare_digest(
            expected.encode(), authorization.response.encode("utf-8", "surrogateescape")
        )
        if (
            not right
            or ha1 is None
            or session
            or algorithm not in self._algorithms
            or authorization.realm != self.realm
            or not _same_resource(authorization.uri, uri)
        ):
            return DigestVerdict.WRONG
        return self._judge_nonce(authorization, now)

    def _judge_nonce(self, authorization: Authorization, now: float) -> DigestVerdict:
        nonce = authorization.nonce
        made = self._open_nonce(nonce)
        if made is None or not 0 <= now - made <= self._lifetime or made <= self._forgotten_until:
            return DigestVerdict.STALE
        # Without a nonce count nothing tells a replay from a further request: one use it is.
        used = authorization.nonce_count or _MAX_NONCE_COUNT
        highest, _ = self._counts.get(nonce, (0, made))
        if used <= highest:
            return DigestVerdict.REPLAYED
        self._counts[nonce] = (used, made)
        self._counts.move_to_end(nonce)
        self._forget(now)
        return DigestVerdict.OK

    def _forget(self, now: float) -> None:
        while self._counts:
            nonce, (_, made) = next(iter(self._counts.items()))
            alive = now - made <= self._lifetime
            if alive and len(self._counts) <= self._max_nonces:
                return
            if alive:
                self._forgotten_until = max(self._forgotten_until, made)
            del self._counts[nonce]

    def _make_nonce(self, now: float) -> str:
        # The serial number keeps apart the nonces of one moment: each has its own nonce count.
        text = f"{int(now * 1000)}.{next(self._serial):x}"
        return base64.urlsafe_b64encode(self._seal(text) + text.encode()).decode().rstrip("=")

    def _open_nonce(self, nonce: str) -> float | None:
        """Return when the nonce was made; None if it is none of ours."""
        try:
            data = base64.urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))
            text = data[_MAC_BYTES:].decode("ascii")
        except (binascii.Error, ValueError):
            return None
        if not hmac.compare_digest(data[:_MAC_BYTES], self._seal(text)):
            return None
        return int(text.partition(".")[0]) / 1000

    def _seal(self, text: str) -> bytes:
        message = f"{self.realm}\0{text}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._secret, message, "sha256")[:_MAC_BYTES]


def _same_resource(said: str, asked: str) -> bool:
    """Whether the digest's URI is that of the request (RFC 7616 3.4.6).

    Proxies on the way and phones themselves add ports and parameters to one of the two: user and
    host must do.
    """
    if said == asked:
        return True
    try:
        one, other = SipUri.parse(said), SipUri.parse(asked)
    except InvalidValue:
        return False
    return (one.user, one.host) == (other.user, other.host)
