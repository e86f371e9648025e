"""STUN as ICE uses it: the Binding requests of a browser, and what answers them (RFC 8489)."""

import hmac
from dataclasses import dataclass
from ipaddress import ip_address
from struct import Struct
from typing import Final
from zlib import crc32

from twoleg.media.latch import SocketAddress

MAX_BYTES: Final = 1280
"""A request that is longer is not read; those of browsers have some 100 bytes."""

MAX_ATTRIBUTES: Final = 32

ROLE_CONFLICT: Final = 487
UNKNOWN_ATTRIBUTE: Final = 420

_REASONS: Final = {ROLE_CONFLICT: b"Role Conflict", UNKNOWN_ATTRIBUTE: b"Unknown Attribute"}

_HEADER: Final = Struct("!HHI12s")
_ATTRIBUTE: Final = Struct("!HH")
_COOKIE: Final = 0x2112A442
_COOKIE_BYTES: Final = _COOKIE.to_bytes(4, "big")

_BINDING_REQUEST: Final = 0x0001
_BINDING_SUCCESS: Final = 0x0101
_BINDING_ERROR: Final = 0x0111

_USERNAME: Final = 0x0006
_MESSAGE_INTEGRITY: Final = 0x0008
_ERROR_CODE: Final = 0x0009
_UNKNOWN_ATTRIBUTES: Final = 0x000A
_XOR_MAPPED_ADDRESS: Final = 0x0020
_PRIORITY: Final = 0x0024
_USE_CANDIDATE: Final = 0x0025
_FINGERPRINT: Final = 0x8028
_ICE_CONTROLLED: Final = 0x8029

_UNDERSTOOD: Final = frozenset(
    (_USERNAME, _MESSAGE_INTEGRITY, _PRIORITY, _USE_CANDIDATE, _FINGERPRINT, _ICE_CONTROLLED)
)
_OPTIONAL: Final = 0x8000
"""From here on, attributes may be left alone by who does not know them (RFC 8489 section 14)."""

_INTEGRITY_BYTES: Final = 20
_FINGERPRINT_BYTES: Final = 4
_FINGERPRINT_XOR: Final = 0x5354554E


class MalformedMessage(ValueError):
    """The bytes are no Binding request that ICE could have sent."""


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """A connectivity check (RFC 8445 section 7.1). Nothing in it is proved before `is_from`."""

    transaction: bytes
    username: bytes
    nominates: bool
    """It has USE-CANDIDATE: this pair is to be used."""

    is_controlled: bool
    """Its sender believes that we choose the pair."""

    unknown: tuple[int, ...]
    """Attributes that we would have to know."""

    _protected: bytes
    """What the integrity is that of, with the length that it was computed with."""

    _integrity: bytes

    @classmethod
    def parse(cls, data: bytes) -> "BindingRequest":
        """Read a datagram. Raises MalformedMessage, for other kinds of messages too."""
        if not _HEADER.size <= len(data) <= MAX_BYTES:
            raise MalformedMessage(f"{len(data)} bytes")
        kind, length, cookie, transaction = _HEADER.unpack_from(data)
        if kind != _BINDING_REQUEST or cookie != _COOKIE or length + _HEADER.size != len(data):
            raise MalformedMessage("it is no Binding request")
        places = _places(data)
        integrity, end = places.get(_MESSAGE_INTEGRITY), places.get(_FINGERPRINT)
        username = places.get(_USERNAME)
        if username is None or integrity is None or len(integrity) != _INTEGRITY_BYTES:
            raise MalformedMessage("it has no USERNAME or no MESSAGE-INTEGRITY")
        _check_fingerprint(data, end)
        protected = data[: integrity.start - _ATTRIBUTE.size]
        covered = integrity.stop - _HEADER.size
        return cls(
            transaction=transaction,
            username=data[username.start : username.stop],
            nominates=_USE_CANDIDATE in places,
            is_controlled=_ICE_CONTROLLED in places,
            unknown=tuple(
                [each for each in places if each < _OPTIONAL and each not in _UNDERSTOOD]
            ),
            _protected=protected[:2] + covered.to_bytes(2, "big") + protected[4:],
            _integrity=data[integrity.start : integrity.stop],
        )

    def is_from(self, password: bytes) -> bool:
        """Tell whether its sender has the password (RFC 8489 section 14.5)."""
        return hmac.compare_digest(_integrity_of(self._protected, password), self._integrity)


def is_stun(data: bytes) -> bool:
    """Tell STUN from DTLS and RTP on one port, by the first byte (RFC 7983 section 7)."""
    return data[0] < 4


def success(request: BindingRequest, source: SocketAddress, password: bytes) -> bytes:
    """Answer a check: tell its sender where it was seen to come from."""
    mapped = _xor_address(source, request.transaction)
    return _response(_BINDING_SUCCESS, request, [(_XOR_MAPPED_ADDRESS, mapped)], password)


def error(request: BindingRequest, code: int, password: bytes) -> bytes:
    """Refuse a check whose sender has the password, with UNKNOWN_ATTRIBUTE or ROLE_CONFLICT."""
    attributes = [(_ERROR_CODE, bytes((0, 0, code // 100, code % 100)) + _REASONS[code])]
    if code == UNKNOWN_ATTRIBUTE:
        types = b"".join([each.to_bytes(2, "big") for each in request.unknown])
        attributes.append((_UNKNOWN_ATTRIBUTES, types))
    return _response(_BINDING_ERROR, request, attributes, password)


def _places(data: bytes) -> dict[int, range]:
    """Say where the value of each attribute stands, the first of each type.

    What follows the integrity is not protected by it, and left out but for the fingerprint.
    """
    places: dict[int, range] = {}
    at, end = _HEADER.size, len(data)
    for _ in range(MAX_ATTRIBUTES):
        if at == end:
            return places
        if at + _ATTRIBUTE.size > end:
            break
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        value = range(at + _ATTRIBUTE.size, at + _ATTRIBUTE.size + length)
        at = value.stop + -length % 4
        if at > end:
            break
        if kind not in places and (_MESSAGE_INTEGRITY not in places or kind == _FINGERPRINT):
            places[kind] = value
    raise MalformedMessage("its attributes do not end where it does, or are too many")


def _check_fingerprint(data: bytes, place: range | None) -> None:
    """ICE has one at the end of each message (RFC 8445 section 7.1)."""
    if place is None or len(place) != _FINGERPRINT_BYTES or place.stop != len(data):
        raise MalformedMessage("it does not end with a FINGERPRINT")
    if data[place.start :] != _fingerprint_of(data[: place.start - _ATTRIBUTE.size]):
        raise MalformedMessage("its FINGERPRINT is another one's")


def _response(
    kind: int, request: BindingRequest, attributes: list[tuple[int, bytes]], password: bytes
) -> bytes:
    body = b"".join([_attribute(each, value) for each, value in attributes])
    covered = len(body) + _ATTRIBUTE.size + _INTEGRITY_BYTES
    header = _HEADER.pack(kind, covered, _COOKIE, request.transaction)
    body += _attribute(_MESSAGE_INTEGRITY, _integrity_of(header + body, password))
    whole = covered + _ATTRIBUTE.size + _FINGERPRINT_BYTES
    message = _HEADER.pack(kind, whole, _COOKIE, request.transaction) + body
    return message + _attribute(_FINGERPRINT, _fingerprint_of(message))


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _integrity_of(message: bytes, password: bytes) -> bytes:
    # RFC 8489 has it so; HMAC with SHA-1 is not broken by what SHA-1 has become.
    return hmac.digest(password, message, "sha1")


def _fingerprint_of(message: bytes) -> bytes:
    return (crc32(message) ^ _FINGERPRINT_XOR).to_bytes(4, "big")


def _xor_address(source: SocketAddress, transaction: bytes) -> bytes:
    """Write an address so that no gateway on the way takes it for one (section 14.2)."""
    address = ip_address(source[0].partition("%")[0])
    port: int = source[1] ^ _COOKIE >> 16
    family = 1 if address.version == 4 else 2
    mask = _COOKIE_BYTES + transaction
    hidden = bytes([left ^ right for left, right in zip(address.packed, mask, strict=False)])
    return bytes((0, family)) + port.to_bytes(2, "big") + hidden
