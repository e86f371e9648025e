"""Trunks: the SIP connections to carriers and PBXs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

MAX_HOST: Final = 253
# RFC 1034 3.5 and RFC 1123 2.1; an underscore too, as private DNS zones have them.
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DIAL_PREFIX: Final = re.compile(r"\+?[0-9*#]{1,15}", re.ASCII)
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")


class TrunkTransport(StrEnum):
    """What SIP goes over."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class CallerIdMode(StrEnum):
    """Where the line's number stands in an INVITE."""

    FROM = "from"
    P_ASSERTED_IDENTITY = "p_asserted_identity"  # RFC 3325
    REMOTE_PARTY_ID = "remote_party_id"


class Privacy(StrEnum):
    """What the carrier is asked to keep to itself (RFC 3323)."""

    NONE = "none"
    ID = "id"  # the line's number: RFC 3325 9.3


class NumberFormat(StrEnum):
    """How the trunk wants dialled numbers written."""

    E164 = "e164"
    E164_NO_PLUS = "e164_no_plus"
    NATIONAL = "national"


class TrunkCodec(StrEnum):
    """What a trunk may be offered, by its name in SDP."""

    PCMU = "PCMU"
    PCMA = "PCMA"
    G722 = "G722"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """A trunk, without its password; the engines write `state`, `state_detail`, `state_at`.

    Lower `priority` goes first; among equals `weight` shares the calls (RFC 2782).
    """

    id: int
    account_id: int
    name: str
    host: str
    port: int | None
    transport: str
    media_encryption: str
    username: str | None
    register: bool
    from_domain: str | None
    max_calls: int | None
    calls_per_second: int | None
    caller_id_mode: str
    privacy: str
    number_format: str
    dial_prefix: str | None
    codecs: Sequence[str]
    priority: int
    weight: int
    state: str
    state_detail: str | None
    state_at: datetime | None
    created_at: datetime


def is_dial_prefix(text: str) -> bool:
    """Tell whether `text` can stand before a number that is dialled: digits, `*`, `#`, one `+`."""
    return _DIAL_PREFIX.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Tell whether `text` is a host: a name, or an IPv4 or IPv6 address without brackets."""
    try:
        ip_address(text)
    except ValueError:
        return len(text) <= MAX_HOST and _NAME.fullmatch(text) is not None
    return "%" not in text
