"""Checks of the files of SIP over TLS."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

from twoleg.cli.doctor.finding import Finding, fail, ok, warn
from twoleg.settings import Settings

WARN_DAYS = 21
DAY_SECONDS = 86_400


def check_certificates(settings: Settings) -> Iterator[Finding]:
    """Look at the certificate that we show, and at the authorities that we trust."""
    if settings.tls_certificate is not None and settings.tls_key is not None:
        yield _check_own(settings.tls_certificate, settings.tls_key)
    if settings.tls_authorities is not None:
        yield _check_authorities(settings.tls_authorities)


def _check_own(certificate: Path, key: Path) -> Finding:
    subject = "tls certificate"
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        return fail(
            subject,
            f"{certificate} and {key} cannot be used: {error.strerror or error}",
            "name a PEM file with the chain and one with the key that belongs to it",
        )
    try:
        ends_at = _end_of_validity(server, certificate)
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", None) or str(error)
        return fail(subject, f"{certificate}: {reason}", "renew it, then restart")
    days = int((ends_at - time.time()) // DAY_SECONDS)
    if days < WARN_DAYS:
        return warn(subject, f"{certificate} ends in {days} days", "renew it, then restart")
    return ok(subject, f"{certificate} is good for {days} days")


def _end_of_validity(server: ssl.SSLContext, certificate: Path) -> float:
    """Let a client of our own meet the server in memory, and read what it was shown.

    That is the one way of the standard library to a certificate's fields. Raises ssl.SSLError
    where the certificate is not valid today.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(certificate)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    while waiting:
        for end in tuple(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    shown = ends[0].getpeercert()
    assert shown is not None
    return ssl.cert_time_to_seconds(str(shown["notAfter"]))


def _check_authorities(path: Path) -> Finding:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except (OSError, ssl.SSLError) as error:
        return fail(
            "tls authorities",
            f"{path} cannot be used: {error.strerror or error}",
            "name a PEM file with the certificates of the authorities",
        )
    return ok("tls authorities", f"{path} holds {context.cert_store_stats()['x509']}")
