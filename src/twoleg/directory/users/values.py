"""Users of an account, and what their phones register with."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

# The realm that every phone of a user is challenged for.
SIP_REALM: Final = "twoleg"
MAX_SIP_USERNAME: Final = 64
MAX_EMAIL: Final = 254
_PASSWORD_CHARACTERS: Final = 24
_SUFFIX_CHARACTERS: Final = 6
_ALPHABET: Final = string.ascii_lowercase + string.digits
# RFC 3261 25.1 "user" without the signs that phones and URIs disagree about.
_SIP_USERNAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._+-]{{0,{MAX_SIP_USERNAME - 1}}}")
_EMAIL: Final = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_NOT_FOR_A_USERNAME: Final = re.compile(r"[^a-z0-9]+")


class Availability(StrEnum):
    """Whether a user wants to be rung."""

    AVAILABLE = "available"
    AWAY = "away"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user as it stands: `registered` has a phone now, `busy` is rung or talking now.

    `screening` None: the ring group's policy holds, or the account's.
    """

    id: int
    account_id: int
    name: str
    email: str
    phone_number: str | None
    availability: str
    sip_username: str
    screening: str | None
    media_encryption: str
    created_at: datetime
    last_call_ended_at: datetime | None
    """Of the last call that the user answered."""

    wrap_up_until: datetime | None
    """Until then no ring group rings the user."""

    registered: bool
    busy: bool


@dataclass(frozen=True, slots=True)
class UserWithPassword:
    """A user, and the SIP password where it was made or changed: the only time to see it."""

    user: User
    sip_password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A phone that is registered for a user."""

    contact_uri: str
    user_agent: str | None
    expires_at: datetime


def is_sip_username(text: str) -> bool:
    """Tell whether phones can register as `text`."""
    return _SIP_USERNAME.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Tell whether `text` may be an e-mail address; only a message to it could tell for sure."""
    return len(text) <= MAX_EMAIL and _EMAIL.fullmatch(text) is not None


def make_sip_username(name: str) -> str:
    """Return a user name of SIP that people can read and nobody else has."""
    stem = _NOT_FOR_A_USERNAME.sub("", name.lower())[: MAX_SIP_USERNAME // 2] or "user"
    return f"{stem}-{''.join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX_CHARACTERS))}"


def make_sip_password() -> str:
    """Return a password that can be typed into a desk phone: letters and digits."""
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(_PASSWORD_CHARACTERS))


def ha1s_of(username: str, password: str) -> dict[str, str]:
    """Return what is kept of a password: HA1 by digest algorithm (RFC 7616 3.4.2, RFC 8760)."""
    text = f"{username}:{SIP_REALM}:{password}".encode()
    return {
        "MD5": hashlib.md5(text, usedforsecurity=False).hexdigest(),
        "SHA-256": hashlib.sha256(text).hexdigest(),
    }
