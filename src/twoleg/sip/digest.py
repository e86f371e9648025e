"""Digest authentication: its texts, its sums and its client (RFC 3261 22, RFC 7616, RFC 8760).

Of the qualities of protection `auth` is known, and none at all as RFC 2069 had it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from twoleg.sip.errors import InvalidValue, LocalProtocolError
from twoleg.sip.grammar import TOKEN, quote, split_outside_quotes
from twoleg.sip.headers import Headers
from twoleg.sip.values import immutable

MAX_CHALLENGES = 8
"""The most challenges of one response that are looked at."""

MAX_PARAMETERS = 32
"""The most parameters that a challenge or an answer to one may have."""

MAX_STALE = 3
"""How often in a row a nonce of ours may be called stale before we give up."""

_CNONCE_BYTES = 8
_BLANKS = " \t"


class DigestAlgorithm(Enum):
    """An algorithm that we compute; the value is its name on the wire, without `-sess`."""

    SHA_256 = "SHA-256"
    MD5 = "MD5"

    def hash(self, text: str) -> str:
        data = text.encode("utf-8", "surrogateescape")
        if self is DigestAlgorithm.SHA_256:
            return hashlib.sha256(data).hexdigest()
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    def ha1(self, username: str, realm: str, password: str) -> str:
        """Hash user name, realm and password: what a server may keep instead of a password."""
        return self.hash(f"{username}:{realm}:{password}")


_STRENGTH = {DigestAlgorithm.MD5: 1, DigestAlgorithm.SHA_256: 2}


def make_ha1s(username: str, realm: str, password: str) -> dict[str, str]:
    """Return the HA1 under each algorithm's name, as `Credentials` and `DigestVerifier` take it."""
    return {a.value: a.ha1(username, realm, password) for a in DigestAlgorithm}


@immutable()
class Credentials:
    """A user name with its password, or with HA1 by algorithm name ("MD5", "SHA-256").

    Without a realm a password serves any that asks. HA1 serves only the realm it was made for.
    """

    username: str
    password: str | None = field(default=None, repr=False)
    ha1: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    realm: str | None = None

    def __post_init__(self) -> None:
        if self.password is None and not self.ha1:
            raise LocalProtocolError("credentials need a password or an HA1")
        if self.ha1 and self.realm is None:
            raise LocalProtocolError("an HA1 needs the realm that it was made for")

    def ha1_for(self, algorithm: DigestAlgorithm, realm: str) -> str | None:
        """Return the HA1 for a challenge; None if these credentials are not for it."""
        if self.realm is not None and self.realm != realm:
            return None
        known = self.ha1.get(algorithm.value)
        if known is not None:
            return known
        if self.password is None:
            return None
        return algorithm.ha1(self.username, realm, self.password)


@immutable()
class Challenge:
    """A challenge that we can answer: the value of WWW-Authenticate or Proxy-Authenticate.

    `algorithm_name` is as it came, None where it did not. `session` tells a `-sess` algorithm.
    `qop` tells whether `auth` is offered; if not, none is asked for.
    """

    realm: str
    nonce: str
    algorithm: DigestAlgorithm = DigestAlgorithm.MD5
    algorithm_name: str | None = None
    session: bool = False
    qop: bool = True
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, text: str) -> Challenge:
        """Read the value of one header line.

        Raises InvalidValue if it is malformed, or asks for what we do not know.
        """
        values = _parse_digest(text, "challenge")
        realm, nonce = values.get("realm"), values.get("nonce")
        if realm is None or nonce is None:
            raise InvalidValue("challenge", "it has no realm or no nonce")
        name = values.get("algorithm")
        algorithm, session = read_algorithm(name)
        options = [option.strip(_BLANKS).lower() for option in values.get("qop", "").split(",")]
        if "auth" not in options and any(options):
            raise InvalidValue("challenge", "its qop is unknown")
        return cls(
            realm,
            nonce,
            algorithm,
            name,
            session,
            "auth" in options,
            values.get("opaque"),
            values.get("stale", "").lower() == "true",
        )


@dataclass(slots=True)
class _Answering:
    """A challenge that we answer, for as long as its nonce serves."""

    challenge: Challenge
    ha1: str
    cnonce: str
    used: int = 0  # requests that carried this nonce
    proven: bool = False  # one of them was let through
    stale_in_a_row: int = 0


class DigestClient:
    """Answers the challenges that one dialog, registration or call meets.

    Give each 401 or 407 to `challenged`; if it says so, send the request again with `headers`.
    Call `accepted` on any other final response. Further requests carry `headers` from the start.
    `tokens(n)` makes a random text of n bytes of randomness.
    """

    def __init__(self, credentials: Credentials, tokens: Callable[[int], str]) -> None:
        self._credentials = credentials
        self._tokens = tokens
        # By header and realm: several proxies on the way may each ask (RFC 3261 22.3).
        self._answering: dict[tuple[str, str], _Answering] = {}

    def challenged(self, headers: Headers) -> bool:
        """Take in the challenges of a response; True if sending again may help.

        It may not if we have no credentials for any, or they were refused with a nonce that was
        not stale. Of several challenges of a realm the strongest that we have credentials for
        is taken, and the first of those alike.
        """
        answerable = False
        for name, answer_name in (
            ("WWW-Authenticate", "Authorization"),
            ("Proxy-Authenticate", "Proxy-Authorization"),
        ):
            for challenge in self._choose(headers.lines(name)):
                if not self._take(answer_name, challenge):
                    return False
                answerable = True
        return answerable

    def accepted(self) -> None:
        """Note that the last request was let through: its nonces may be used until refused."""
        for answering in self._answering.values():
            if answering.used:
                answering.proven = True
                answering.stale_in_a_row = 0

    def headers(self, method: str, uri: str) -> tuple[tuple[str, str], ...]:
        """Answer all challenges known, for a request with this Request-URI.

        Each call counts as a request: its headers must be sent, once.
        """
        return tuple(
            (name, self._answer(answering, method, uri))
            for (name, _), answering in self._answering.items()
        )

    def _choose(self, lines: tuple[str, ...]) -> list[Challenge]:
        """Return the challenge to take of each realm."""
        chosen: dict[str, Challenge] = {}
        for line in lines[:MAX_CHALLENGES]:
            try:
                challenge = Challenge.parse(line)
            except InvalidValue:
                continue
            if self._credentials.ha1_for(challenge.algorithm, challenge.realm) is None:
                continue
            rival = chosen.get(challenge.realm)
            if rival is None or _STRENGTH[challenge.algorithm] > _STRENGTH[rival.algorithm]:
                chosen[challenge.realm] = challenge
        return list(chosen.values())

    def _take(self, name: str, challenge: Challenge) -> bool:
        key = (name, challenge.realm)
        old = self._answering.get(key)
        stale_in_a_row = 0
        if old is not None and old.used and not old.proven:
            if not challenge.stale or old.stale_in_a_row >= MAX_STALE:
                return False
            stale_in_a_row = old.stale_in_a_row + 1
        if old is None and len(self._answering) >= MAX_CHALLENGES:
            return False
        ha1 = self._credentials.ha1_for(challenge.algorithm, challenge.realm)
        if ha1 is None:
            return False
        cnonce = self._tokens(_CNONCE_BYTES)
        if challenge.session:
            ha1 = challenge.algorithm.hash(f"{ha1}:{challenge.nonce}:{cnonce}")
        self._answering[key] = _Answering(challenge, ha1, cnonce, stale_in_a_row=stale_in_a_row)
        return True

    def _answer(self, answering: _Answering, method: str, uri: str) -> str:
        answering.used += 1
        challenge = answering.challenge
        return str(
            Authorization(
                username=self._credentials.username,
                realm=challenge.realm,
                nonce=challenge.nonce,
                uri=uri,
                response=digest_response(
                    challenge.algorithm,
                    answering.ha1,
                    challenge.nonce,
                    method,
                    uri,
                    nonce_count=answering.used if challenge.qop else None,
                    cnonce=answering.cnonce,
                ),
                algorithm=challenge.algorithm_name,
                cnonce=answering.cnonce if challenge.qop or challenge.session else None,
                nonce_count=answering.used if challenge.qop else None,
                opaque=challenge.opaque,
            )
        )


def digest_response(
    algorithm: DigestAlgorithm,
    ha1: str,
    nonce: str,
    method: str,
    uri: str,
    *,
    nonce_count: int | None = None,
    cnonce: str = "",
) -> str:
    """Compute the response of RFC 7616 3.4.1 with qop `auth`; without a nonce count as RFC 2069.

    For a `-sess` algorithm, `ha1` is that of the session.
    """
    ha2 = algorithm.hash(f"{method}:{uri}")
    if nonce_count is None:
        return algorithm.hash(f"{ha1}:{nonce}:{ha2}")
    return algorithm.hash(f"{ha1}:{nonce}:{nonce_count:08x}:{cnonce}:auth:{ha2}")


@immutable(kw_only=True)
class Authorization:
    """The value of Authorization or Proxy-Authorization: the answer to a challenge.

    `nonce_count` is None where the answer has no qop.
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str = field(repr=False)
    algorithm: str | None = None
    cnonce: str | None = None
    nonce_count: int | None = None
    opaque: str | None = None

    @classmethod
    def parse(cls, text: str) -> Authorization:
        """Read the value of one header line.

        Raises InvalidValue.
        """
        values = _parse_digest(text, "authorization")
        try:
            username, realm, nonce, uri, response = (
                values[name] for name in ("username", "realm", "nonce", "uri", "response")
            )
        except KeyError as error:
            raise InvalidValue("authorization", f"it has no {error.args[0]}") from None
        cnonce, nonce_count = values.get("cnonce"), None
        if "qop" in values:
            if values["qop"].lower() != "auth":
                raise InvalidValue("authorization", "its qop is unknown")
            nonce_count = _parse_nonce_count(values.get("nc", ""))
            if cnonce is None:
                raise InvalidValue("authorization", "it has a qop and no cnonce")
        return cls(
            username=username,
            realm=realm,
            nonce=nonce,
            uri=uri,
            response=response.lower(),
            algorithm=values.get("algorithm"),
            cnonce=cnonce,
            nonce_count=nonce_count,
            opaque=values.get("opaque"),
        )

    def __str__(self) -> str:
        parts = [
            f"Digest username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f'response="{self.response}"',
        ]
        if self.algorithm is not None:
            parts.append(f"algorithm={self.algorithm}")
        if self.cnonce is not None:
            parts.append(f"cnonce={quote(self.cnonce)}")
        if self.nonce_count is not None:
            parts.append(f"qop=auth, nc={self.nonce_count:08x}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        return ", ".join(parts)


def read_algorithm(name: str | None) -> tuple[DigestAlgorithm, bool]:
    """Return the algorithm of that name, and whether it is a `-sess` one. No name means MD5."""
    text = (name or "MD5").upper()
    session = text.endswith("-SESS")
    try:
        return DigestAlgorithm(text.removesuffix("-SESS")), session
    except ValueError:
        raise InvalidValue("digest", "its algorithm is unknown") from None


def _parse_digest(text: str, kind: str) -> dict[str, str]:
    """Read `Digest name=value, ...`; names in lower case, values without quotes and escapes."""
    scheme, _, rest = text.strip(_BLANKS).partition(" ")
    if scheme.lower() != "digest":
        raise InvalidValue(kind, "its scheme is not Digest")
    items = split_outside_quotes(rest, ",")
    if len(items) > MAX_PARAMETERS:
        raise InvalidValue(kind, "it has too many parameters")
    values: dict[str, str] = {}
    for item in items:
        if not item.strip(_BLANKS):
            continue
        name, equals, value = item.partition("=")
        name, value = name.strip(_BLANKS).lower(), value.strip(_BLANKS)
        if not equals or not TOKEN(name) or name in values:
            raise InvalidValue(kind, "a parameter has no value, or comes twice")
        values[name] = _unquote(value, kind)
    return values


def _unquote(value: str, kind: str) -> str:
    if not value.startswith('"'):
        return value
    if len(value) < 2 or not value.endswith('"'):
        raise InvalidValue(kind, "a quoted value is not closed")
    if "\\" not in value:
        return value[1:-1]
    characters: list[str] = []
    escaped = False
    for character in value[1:-1]:
        if character == "\\" and not escaped:
            escaped = True
            continue
        characters.append(character)
        escaped = False
    return "".join(characters)


def _parse_nonce_count(text: str) -> int:
    if len(text) != 8 or not all(character in "0123456789abcdefABCDEF" for character in text):
        raise InvalidValue("authorization", "its nonce count is not eight digits")
    return int(text, 16)
