"""Which URLs and addresses webhooks may be sent to: no inside of the operator's network."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

MAX_URL: Final = 2000
MAX_PORT: Final = 65535
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""IPv4 behind a translator (RFC 6052): the last four bytes are the address."""

_PRINTABLE: Final = range(0x21, 0x7F)


class InvalidUrl(Exception):
    """A URL that nothing may be sent to; the text says why."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Public addresses over TLS only, or whatever the operator's network has."""

    allow_private: bool = False

    def allows(self, address: str) -> bool:
        """Tell whether a connection to `address`, an IP, may be opened."""
        return self.allow_private or is_public(address)

    def check(self, url: str) -> str:
        """Return `url` with scheme and host in lower case. Raises InvalidUrl.

        A name is looked up only when something is sent, and judged then.
        """
        if len(url) > MAX_URL:
            raise InvalidUrl(f"must not be longer than {MAX_URL} characters")
        if not all(ord(character) in _PRINTABLE for character in url):
            raise InvalidUrl("must be ASCII without blanks")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise InvalidUrl("must be a URL") from error
        schemes = ("https", "http") if self.allow_private else ("https",)
        if parts.scheme not in schemes:
            raise InvalidUrl(f"must begin with {' or '.join(f'{name}://' for name in schemes)}")
        host = parts.hostname or ""
        if not host or port == 0:
            raise InvalidUrl("must name a host")
        if "@" in parts.netloc or "#" in url:
            raise InvalidUrl("must have no password and no fragment")
        if _is_address(host) and not self.allows(host):
            raise InvalidUrl("must be a public address")
        return parts._replace(netloc=parts.netloc.lower()).geturl()


def is_public(address: str) -> bool:
    """Tell whether the IP `address` is one of the public internet, none of a network's inside.

    An IPv4 address within an IPv6 one counts as itself.
    """
    ip = ip_address(address.partition("%")[0])
    inner = _inner(ip) if isinstance(ip, IPv6Address) else None
    if inner is not None:
        ip = inner
    if isinstance(ip, IPv6Address) and ip.is_site_local:
        # What unique local addresses were before them (RFC 3879); to ipaddress it is global.
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _inner(ip: IPv6Address) -> IPv4Address | None:
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    if ip in _TRANSLATED:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
