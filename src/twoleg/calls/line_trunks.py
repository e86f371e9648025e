"""The trunks of a line: which of them is tried first, and how a number is dialled over each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

import phonenumbers

from twoleg.calls.plan import DEFAULT_CODECS, RESPONSE_SECONDS, LegPlan
from twoleg.calls.trunk_health import TrunkHealth
from twoleg.directory.media_encryption import MediaEncryption
from twoleg.directory.trunks import CallerIdMode, NumberFormat, Privacy
from twoleg.media import Codec
from twoleg.sip import Credentials, Destination, NameAddr, SipUri, Transport
from twoleg.sip.values import immutable

MAX_REDIRECTS: Final = 3
"""How often a trunk may send us elsewhere for one call."""

MAX_LINES: Final = 1024
"""Lines whose trunks are kept as they were read last."""

_ANONYMOUS: Final = NameAddr(SipUri("sip", "anonymous", None, "anonymous.invalid"), "Anonymous")
"""From of a caller that is not to be known (RFC 3323 4.1.1.3)."""

_CODECS: Final = {codec.name: codec for codec in Codec}


@immutable(kw_only=True)
class LineTrunk:
    """A trunk as the calls of one line go over it: all that is the same whoever is dialled."""

    id: int
    priority: int
    weight: int
    is_limited: bool
    country: str | None
    """The line's."""

    number_format: str
    dial_prefix: str
    destination: Destination
    port: int | None
    """As a URI has it."""

    parameters: tuple[tuple[str, str], ...]
    from_: NameAddr
    headers: tuple[tuple[str, str], ...]
    credentials: Credentials | None
    codecs: tuple[Codec, ...]
    encrypted: bool

    def leg(self, number: str, response_seconds: float | None = None) -> LegPlan:
        """Plan how a number in E.164 is dialled over it."""
        dialled = self.dial_prefix + _written(number, self.number_format, self.country)
        host = self.destination.host
        return LegPlan(
            target=SipUri("sip", dialled, None, host, self.port, self.parameters),
            from_=self.from_,
            to=NameAddr(SipUri("sip", dialled, None, host, self.port)),
            destinations=(self.destination,),
            headers=self.headers,
            credentials=self.credentials,
            max_redirects=MAX_REDIRECTS,
            codecs=self.codecs,
            encrypted=self.encrypted,
            trunk_id=self.id,
            is_limited=self.is_limited,
            response_seconds=response_seconds,
        )


@lru_cache(maxsize=MAX_LINES)
def trunks_of(
    trunks: str, line_phone_number: str, country: str | None, our_host: str
) -> tuple[LineTrunk, ...]:
    """Read the trunks of a line, a JSON text that most of its calls bring alike."""
    return tuple(
        [_line_trunk(each, line_phone_number, country, our_host) for each in json.loads(trunks)]
    )


def in_turn(
    trunks: Sequence[LineTrunk], chance: Callable[[], float], health: TrunkHealth
) -> Sequence[LineTrunk]:
    """Order trunks by priority; among equals their weights share the calls (RFC 2782).

    `chance` gives numbers from 0 to below 1. Those that fail at the moment come last: one of them
    may be all there is.
    """
    if len(trunks) < 2:
        return trunks

    def rank(trunk: LineTrunk) -> tuple[bool, int, float]:
        share = chance() ** (1 / max(1, trunk.weight))
        return health.is_failing(trunk.id), trunk.priority, -share

    return sorted(trunks, key=rank)


def legs_over(trunks: Sequence[LineTrunk], number: str) -> tuple[LegPlan, ...]:
    """Plan a number over each trunk; of all but the last little patience is had."""
    if not trunks:
        return ()
    *others, last = trunks
    return (*[each.leg(number, RESPONSE_SECONDS) for each in others], last.leg(number))


def leg_over(trunks: Sequence[LineTrunk], number: str) -> LegPlan:
    """Plan a number over the first trunk, with the others behind it, one after the other."""
    *others, leg = legs_over(trunks, number)
    for each in reversed(others):
        leg = replace(each, otherwise=leg)
    return leg


def _line_trunk(
    trunk: Mapping[str, Any], line_phone_number: str, country: str | None, our_host: str
) -> LineTrunk:
    transport = Transport(trunk["transport"].upper())
    host, port = trunk["host"], trunk["port"]
    if port is None and _is_ip(host):
        port = transport.default_port
    from_, headers = _caller_id(
        trunk, _written(line_phone_number, trunk["number_format"], country), our_host
    )
    credentials = None
    if trunk["username"] and trunk["password"]:
        credentials = Credentials(trunk["username"], trunk["password"])
    return LineTrunk(
        id=trunk["id"],
        priority=trunk["priority"],
        weight=trunk["weight"],
        is_limited=trunk["is_limited"],
        country=country,
        number_format=trunk["number_format"],
        dial_prefix=trunk["dial_prefix"] or "",
        destination=Destination(transport, host, port, domain=host),
        port=trunk["port"],
        parameters=() if transport is Transport.UDP else (("transport", transport.value.lower()),),
        from_=from_,
        headers=headers,
        credentials=credentials,
        codecs=tuple([_CODECS[name] for name in trunk["codecs"] if name in _CODECS])
        or DEFAULT_CODECS,
        encrypted=trunk["media_encryption"] == MediaEncryption.SDES,
    )


def _caller_id(
    trunk: Mapping[str, Any], number: str, our_host: str
) -> tuple[NameAddr, tuple[tuple[str, str], ...]]:
    """Put the line's number where the trunk wants it; every leg over a trunk shows it.

    With privacy the carrier alone is to know it: From does not tell it where it stands elsewhere
    (RFC 3323 4.1, RFC 3325 9.3).
    """
    domain = trunk["from_domain"] or (trunk["host"] if trunk["username"] else our_host)
    line = SipUri("sip", number, None, domain)
    mode = trunk["caller_id_mode"]
    is_private = trunk["privacy"] == Privacy.ID
    if mode == CallerIdMode.FROM:
        return NameAddr(line), (("Privacy", "user;id"),) if is_private else ()
    from_ = NameAddr(SipUri("sip", trunk["username"] or number, None, domain))
    privacy: tuple[tuple[str, str], ...] = ()
    if is_private:
        from_, privacy = _ANONYMOUS, (("Privacy", "id"),)
    if mode == CallerIdMode.P_ASSERTED_IDENTITY:
        return from_, (("P-Asserted-Identity", f"<{line}>"), *privacy)
    hidden = "full" if is_private else "off"
    told = f"<{line}>;party=calling;screen=yes;privacy={hidden}"
    return from_, (("Remote-Party-ID", told), *privacy)


@lru_cache(maxsize=4096)
def _written(number: str, number_format: str, country: str | None) -> str:
    """Write an E.164 number as the trunk wants it; one of another country has all its digits."""
    if number_format == NumberFormat.E164:
        return number
    if number_format == NumberFormat.NATIONAL:
        parsed = phonenumbers.parse(number)
        if phonenumbers.region_code_for_number(parsed) == country:
            written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
            return "".join([character for character in written if character.isdigit()])
    return number.removeprefix("+")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
