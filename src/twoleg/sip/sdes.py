"""Keys of SRTP in session descriptions: a=crypto (RFC 4568)."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from dataclasses import field
from enum import Enum
from typing import Final

from twoleg.sip.sdp import Attributes
from twoleg.sip.values import immutable

KEY_OCTETS: Final = 30
"""A master key of 16 octets and its salt of 14: both suites have the same (RFC 4568 6.2)."""

ATTRIBUTE: Final = "crypto"

# RFC 4568 9.1: crypto:<tag> <suite> <key-params> [<session-params>]
_TAG: Final = r"([0-9]{1,9})"
_SUITE: Final = r"([A-Za-z0-9_]+)"
# 9.2: inline:<key||salt>["|" lifetime]["|" MKI ":" length]. Some leave the padding out.
_KEY: Final = r"inline:([A-Za-z0-9+/]{40}=*)"
_LIFETIME: Final = r"(?:\|(?:(2\^)([0-9]{1,2})|([0-9]{1,15})))?"
_CRYPTO: Final = re.compile(
    rf"{_TAG}[ \t]+{_SUITE}[ \t]+{_KEY}{_LIFETIME}((?:[ \t]+[^ \t]+)*)[ \t]*", re.IGNORECASE
)
# 6.3.7: a hint, at least 64, that a receiver may leave alone.
_WINDOW_HINT: Final = re.compile(r"WSH=[0-9]{2,}", re.IGNORECASE)

_LONGEST_LIFETIME: Final = 2**48
"""Packets that one key may protect (RFC 3711 9.2)."""


class CryptoSuite(Enum):
    """What SRTP is done with, by its name in a=crypto (RFC 4568 6.2)."""

    AES_CM_128_HMAC_SHA1_80 = "AES_CM_128_HMAC_SHA1_80"
    AES_CM_128_HMAC_SHA1_32 = "AES_CM_128_HMAC_SHA1_32"


_SUITES: Final = {suite.value: suite for suite in CryptoSuite}


@immutable()
class Crypto:
    """One a=crypto: the suite, and the master key and salt that its writer sends with.

    `tag` is how an answer says which one of an offer it takes. The key is never shown.
    """

    tag: int
    suite: CryptoSuite
    key: bytes = field(repr=False)

    @property
    def attribute(self) -> tuple[str, str]:
        """The a= line, without a lifetime: ours is the longest, and no call lasts so long."""
        key = b64encode(self.key).decode()
        return ATTRIBUTE, f"{self.tag} {self.suite.value} inline:{key}"


def parse_crypto(value: str) -> Crypto | None:
    """Read what follows `a=crypto:`; None for what cannot be read, or that we do not do.

    Not done are other suites, several keys and an MKI (RFC 4568 6.1), and session parameters that
    change what is protected or how (6.3): all but the window's hint, and those that begin with
    `-`, may not be left alone (9.1). A lifetime binds whoever sends with the key; after it comes
    an offer with another.
    """
    match = _CRYPTO.fullmatch(value.strip(" \t"))
    if match is None:
        return None
    tag, suite_name, key_text, power_of_two, power, count, parameters = match.groups()
    suite = _SUITES.get(suite_name.upper())
    key = _decoded(key_text)
    if suite is None or key is None:
        return None
    if power_of_two is not None or count is not None:
        lifetime = 2 ** int(power) if power_of_two is not None else int(count)
        if not 0 < lifetime <= _LONGEST_LIFETIME:
            return None
    for parameter in parameters.split():
        if not parameter.startswith("-") and _WINDOW_HINT.fullmatch(parameter) is None:
            return None
    return Crypto(int(tag), suite, key)


def crypto_lines(attributes: Attributes) -> list[str]:
    """Give what follows each `a=crypto:` of a section, in its order."""
    return [value for name, value in attributes if name == ATTRIBUTE and value]


def _decoded(text: str) -> bytes | None:
    try:
        key = b64decode(text.rstrip("="), validate=True)
    except NotBase64:
        return None
    return key if len(key) == KEY_OCTETS else None
