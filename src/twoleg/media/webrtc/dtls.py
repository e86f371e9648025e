"""DTLS, which gives a browser's audio its keys (RFC 5764).

OpenSSL does it, on memory: datagrams are the caller's. Neither side's certificate is anybody's but
its own: that it is the right one its fingerprint in the session description tells (RFC 5763).
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from twoleg.media.srtp import SrtpKeys, SrtpSuite
from twoleg.media.webrtc.terms import NOT_PROVED

MAX_DATAGRAM_BYTES: Final = 1200
"""What gets through any tunnel on the way, without being cut into pieces."""

_VALID: Final = timedelta(days=3650)
"""Longer than any process lives; browsers look at the fingerprint alone."""

_DTLS_1_2: Final = 0xFEFD
_CIPHERS: Final = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
)
# The one that all have to have (RFC 8827 section 6.5).
_SUITE: Final = SrtpSuite.AES_CM_128_HMAC_SHA1_80
_PROFILE: Final = b"SRTP_AES128_CM_SHA1_80"
_KEY_BYTES: Final = 16
_SALT_BYTES: Final = 14
_EXPORTER: Final = b"EXTRACTOR-dtls_srtp"

_HASHES: Final = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}
_RECORD_HEADER_BYTES: Final = 13
_READ_BYTES: Final = 1 << 16


class DtlsFailed(Exception):
    """There is no association, or no longer one; the message says why."""


class Certificate:
    """Who we are to browsers for as long as this process lives: a key of our own, self-signed."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "twoleg")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + _VALID)
            .sign(key, hashes.SHA256())
        )
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        """Its SHA-256 as a=fingerprint has it, without the name of the hash function."""

        self.context = _context()
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)


class DtlsAssociation:
    """One side of an association. `send` takes a datagram.

    Raises DtlsFailed from all that handles what came, and from `keys`.
    """

    __slots__ = ("_connection", "_is_client", "_send", "is_established")

    def __init__(
        self, certificate: Certificate, send: Callable[[bytes], None], *, is_client: bool
    ) -> None:
        self._connection = SSL.Connection(certificate.context)
        self._connection.set_ciphertext_mtu(MAX_DATAGRAM_BYTES)
        self._is_client = is_client
        self._send = send
        self.is_established = False
        if is_client:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()

    def begin(self) -> None:
        """Send what the client begins with."""
        self._go_on()

    def receive(self, datagram: bytes) -> None:
        """Take a datagram of the far end's."""
        self._connection.bio_write(datagram)
        self._go_on()

    def retransmit(self) -> None:
        """Send again what was not answered, if it is time; to be called every now and then."""
        if self.is_established or self._connection.DTLSv1_get_timeout() != 0:
            return
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            raise DtlsFailed("the DTLS handshake was given up") from error
        self._flush()

    def check(self, fingerprints: tuple[tuple[str, bytes], ...]) -> None:
        """Make sure that the far end is who the session description says."""
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            raise DtlsFailed("the far end showed no certificate")
        encoded = certificate.public_bytes(serialization.Encoding.DER)
        for name, digest in fingerprints:
            function = _HASHES.get(name)
            if function is not None and function(encoded).digest() == digest:
                return
        raise DtlsFailed(NOT_PROVED)

    def keys(self) -> SrtpKeys:
        """Give what the audio is encrypted with (RFC 5764 section 4.2)."""
        if self._connection.get_selected_srtp_profile() != _PROFILE:
            raise DtlsFailed("the far end does not take SRTP_AES128_CM_HMAC_SHA1_80")
        material = self._connection.export_keying_material(
            _EXPORTER, 2 * (_KEY_BYTES + _SALT_BYTES)
        )
        client_salt = 2 * _KEY_BYTES
        server_salt = client_salt + _SALT_BYTES
        client = material[:_KEY_BYTES] + material[client_salt:server_salt]
        server = material[_KEY_BYTES:client_salt] + material[server_salt:]
        if self._is_client:
            return SrtpKeys(_SUITE, ours=client, theirs=server)
        return SrtpKeys(_SUITE, ours=server, theirs=client)

    def close(self) -> None:
        """Tell the far end that this is over, if there is anything, and send no more."""
        if self.is_established:
            with suppress(SSL.Error):
                self._connection.shutdown()
            self._flush()
        self._send = _ignore

    def _go_on(self) -> None:
        try:
            if self.is_established:
                # Nothing is said in here after the handshake but its end, and its last words again.
                self._connection.recv(_READ_BYTES)
            else:
                self._connection.do_handshake()
                self.is_established = True
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError as error:
            raise DtlsFailed("the far end has closed the DTLS association") from error
        except SSL.Error as error:
            self._flush()
            raise DtlsFailed(f"DTLS failed: {_reason(error)}") from error
        self._flush()

    def _flush(self) -> None:
        written = b""
        with suppress(SSL.WantReadError):
            while True:
                written += self._connection.bio_read(_READ_BYTES)
        for datagram in _datagrams(written):
            self._send(datagram)


def _ignore(datagram: bytes) -> None:
    del datagram


def _datagrams(written: bytes) -> Iterator[bytes]:
    """Cut what OpenSSL has written into datagrams, each of whole records (RFC 6347 section 4.1)."""
    start = at = 0
    while at < len(written):
        length = int.from_bytes(written[at + 11 : at + _RECORD_HEADER_BYTES], "big")
        end = at + _RECORD_HEADER_BYTES + length
        if at > start and end - start > MAX_DATAGRAM_BYTES:
            yield written[start:at]
            start = at
        at = end
    if start < at:
        yield written[start:]


def _reason(error: SSL.Error) -> str:
    queue = error.args[0] if error.args else ()
    if isinstance(queue, list) and queue:
        return str(queue[-1][-1])
    return type(error).__name__


def _context() -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_min_proto_version(_DTLS_1_2)
    context.set_cipher_list(_CIPHERS)
    context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_tlsext_use_srtp(_PROFILE)
    # No authority vouches for a browser: `DtlsAssociation.check` does.
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _take_any)
    return context


def _take_any(*_: object) -> bool:
    return True
