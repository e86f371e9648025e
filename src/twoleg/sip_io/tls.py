"""Certificates: TLS contexts, and who a peer's certificate says it is (RFC 5922)."""

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twoleg.sip import SipError, SipUri
from twoleg.sip.values import immutable


class WrongCertificate(Exception):
    """A peer's certificate is valid, but not for the domain that the request is for."""

    def __init__(self, domain: str, identities: tuple[str, ...]) -> None:
        super().__init__(f"certificate is for {', '.join(identities) or 'nobody'}, not {domain}")
        self.domain = domain
        self.identities = identities


@immutable(kw_only=True)
class TlsConfig:
    """Our own certificate (needed to listen, sent to peers that ask) and whom we trust.

    `authorities` is a PEM file of certificate authorities; None means those of the system.
    """

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None


class TlsContexts:
    """The contexts of one configuration, each made once, when it is first needed."""

    def __init__(self, config: TlsConfig) -> None:
        self._config = config
        self._clients: dict[bool, ssl.SSLContext] = {}

    def client(self, *, verify: bool) -> ssl.SSLContext:
        context = self._clients.get(verify)
        if context is None:
            # The name is checked by require_identity: RFC 5922 has rules of its own.
            context = ssl.create_default_context(cafile=self._config.authorities)
            context.check_hostname = False
            if not verify:
                context.verify_mode = ssl.CERT_NONE
            if self._config.certificate is not None:
                context.load_cert_chain(self._config.certificate, self._config.key)
            self._clients[verify] = context
        return context

    def server(self) -> ssl.SSLContext:
        """Raises ValueError when no certificate is configured."""
        if self._config.certificate is None:
            raise ValueError("TLS needs a certificate to listen with")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._config.certificate, self._config.key)
        return context


def require_identity(certificate: Mapping[str, Any], domain: str) -> None:
    """Check that a validated certificate (`getpeercert()`) names `domain`.

    RFC 5922 7.1: SIP URIs decide where there are any, DNS names otherwise; 7.2: compared
    whole, without wildcards. An address is named as one (RFC 5280 4.2.1.6).
    Raises WrongCertificate.
    """
    names = certificate.get("subjectAltName", ())
    uris = [_uri_domain(value) for kind, value in names if kind == "URI"]
    identities = [domain for domain in uris if domain is not None]
    if not identities:
        identities = [value.lower() for kind, value in names if kind == "DNS"]
    addresses = [_address(value) for kind, value in names if kind == "IP Address"]
    if domain.lower().rstrip(".") in identities:
        return
    address = _address(domain)
    if address is not None and address in addresses:
        return
    raise WrongCertificate(domain, (*identities, *(str(each) for each in addresses if each)))


def _uri_domain(value: str) -> str | None:
    """The domain of a SIP URI; a URI with a user names that user, not the domain (7.1)."""
    if not value.lower().startswith("sip:"):
        return None
    try:
        uri = SipUri.parse(value)
    except SipError:
        return None
    return uri.host if uri.user is None else None


def _address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None
