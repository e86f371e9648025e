"""SIP, SIPS and tel URIs (RFC 3261 19.1, RFC 3966), and others as they are."""

from __future__ import annotations

import re
from dataclasses import field
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import quote, unquote

from twoleg.sip.errors import InvalidValue
from twoleg.sip.transport import Transport
from twoleg.sip.values import immutable

Parameters = tuple[tuple[str, str | None], ...]
"""Names in lower case with their values; None for a parameter that has no `=`."""

MAX_PARAMETERS = 128
"""Parameters of one URI or header value, and headers of one URI."""

# Never part of a URI unescaped, in whatever place (RFC 3261 25.1).
_FORBIDDEN = re.compile(r'[\x00-\x20\x7f<>"]').search
# hostname and IPv4address; the underscore is no host name by the letter, but is in use.
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?").fullmatch
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*").fullmatch
_PHONE_DIGITS = re.compile(r"\+?[0-9A-Fa-f*#]+").fullmatch

# What needs no escape beside letters, digits and "_.-~": mark and the sets of RFC 3261 25.1.
_USER_SAFE = "!*'()&=+$,;?/"
_PASSWORD_SAFE = "!*'()&=+$,"  # noqa: S105
_PARAMETER_SAFE = "!*'()[]/:&+$"
_HEADER_SAFE = "!*'()[]/?:+$"
# What needs none in any place: most of what is written.
_PLAIN = re.compile(r"[A-Za-z0-9_.~!*'()+$-]*").fullmatch

# RFC 3261 19.1.4: these parameters never match their absence. The rules there leave transport out,
# its examples do not.
_STRICT_PARAMETERS = ("user", "ttl", "method", "maddr", "transport")


@immutable()
class SipUri:
    """A `sip:` or `sips:` URI with all escapes taken out.

    `host` is in lower case, an IPv6 address without brackets. `headers` are what follows `?`.
    `==` compares what is written; `equivalent` compares as RFC 3261 19.1.4 has it.
    """

    scheme: str
    user: str | None
    password: str | None = field(repr=False)
    host: str
    port: int | None = None
    parameters: Parameters = ()
    headers: tuple[tuple[str, str], ...] = ()
    _text: str | None = field(default=None, init=False, repr=False, compare=False)
    """As it is written, once it was."""

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Read a SIP URI without angle brackets.

        Raises InvalidValue.
        """
        scheme, _, rest = text.partition(":")
        scheme = scheme.lower()
        if scheme not in ("sip", "sips"):
            raise InvalidValue("SIP URI", "its scheme is neither sip nor sips")
        return _parse_sip_uri(scheme, rest)

    def __str__(self) -> str:
        text = self._text
        if text is None:
            text = self._written()
            object.__setattr__(self, "_text", text)
        return text

    def _written(self) -> str:
        text = f"{self.scheme}:"
        user = self.user
        if user is not None:
            text += user if _PLAIN(user) else _escape(user, _USER_SAFE)
            if self.password is not None:
                text += f":{_escape(self.password, _PASSWORD_SAFE)}"
            text += "@"
        text += self.host if ":" not in self.host else f"[{self.host}]"
        if self.port is not None:
            text += f":{self.port}"
        for name, value in self.parameters:
            text += f";{_escape(name, _PARAMETER_SAFE)}"
            if value is not None:
                text += f"={_escape(value, _PARAMETER_SAFE)}"
        if self.headers:
            text += "?" + "&".join(
                f"{_escape(name, _HEADER_SAFE)}={_escape(value, _HEADER_SAFE)}"
                for name, value in self.headers
            )
        return text

    def parameter(self, name: str) -> str | None:
        """The value of the parameter `name` (lower case); "" if it is there without a value."""
        for key, value in self.parameters:
            if key == name:
                return value or ""
        return None

    @property
    def transport(self) -> Transport | None:
        """The transport that the URI asks for; None if it names none, or one unknown to us."""
        name = self.parameter("transport")
        return Transport.from_name(name) if name else None

    @property
    def loose(self) -> bool:
        """Whether it carries `lr` (RFC 3261 19.1.1): a loose router."""
        return self.parameter("lr") is not None

    def equivalent(self, other: object) -> bool:
        """Whether both mean the same resource (RFC 3261 19.1.4)."""
        if not isinstance(other, SipUri):
            return False
        if (self.scheme, self.user, self.password, self.host, self.port) != (
            other.scheme,
            other.user,
            other.password,
            other.host,
            other.port,
        ):
            return False
        ours, theirs = dict(self.parameters), dict(other.parameters)
        for name in {**ours, **theirs}:
            if name in ours and name in theirs:
                if (ours[name] or "").lower() != (theirs[name] or "").lower():
                    return False
            elif name in _STRICT_PARAMETERS:
                return False
        return sorted(self.headers) == sorted(other.headers)


@immutable()
class TelUri:
    """A `tel:` URI (RFC 3966); `number` has no visual separators, and a `+` if it is global."""

    number: str
    parameters: Parameters = ()

    def __str__(self) -> str:
        text = f"tel:{self.number}"
        for name, value in self.parameters:
            text += f";{_escape(name, _PARAMETER_SAFE)}"
            if value is not None:
                text += f"={_escape(value, _PARAMETER_SAFE)}"
        return text

    @property
    def scheme(self) -> str:
        return "tel"


@immutable()
class OtherUri:
    """A URI of a scheme that we do not take apart."""

    scheme: str
    rest: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


Uri = SipUri | TelUri | OtherUri


def parse_uri(text: str) -> Uri:
    """Read a URI of any scheme, without angle brackets.

    Raises InvalidValue.
    """
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme in ("sip", "sips"):
        return _parse_sip_uri(scheme, rest)
    if not colon or not rest or not _SCHEME(scheme) or _FORBIDDEN(rest):
        raise InvalidValue("URI", "it has no scheme, or blanks in it")
    if scheme == "tel":
        return _parse_tel_uri(rest)
    return OtherUri(scheme, rest)


def parse_host_port(text: str, kind: str) -> tuple[str, int | None]:
    """Read `host[:port]`; the host comes in lower case, an IPv6 address without its brackets.

    Raises InvalidValue of the given kind.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        try:
            IPv6Address(host)
        except AddressValueError:
            raise InvalidValue(kind, "its IPv6 address is none") from None
        if not bracket or "%" in host or (rest and rest[0] != ":"):
            raise InvalidValue(kind, "its IPv6 address is not closed")
        port = rest[1:]
    else:
        host, rest, port = text.partition(":")
        if not _HOST(host):
            raise InvalidValue(kind, "its host is none")
    if not rest:
        return host.lower(), None
    if len(port) > 5 or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise InvalidValue(kind, "its port is none")
    return host.lower(), int(port)


def format_host(host: str, port: int | None = None) -> str:
    """Write `host[:port]`, an IPv6 address in brackets."""
    if ":" in host:
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"


def _parse_sip_uri(scheme: str, rest: str) -> SipUri:
    if _FORBIDDEN(rest):
        raise InvalidValue("SIP URI", "it has blanks or brackets in it")
    user: str | None = None
    password: str | None = None
    # The user part may hold ";" and "?", and nothing before "@" may hold a bare "@": so it ends
    # at the first one, which leaves careless headers (?Replaces=id@host) readable.
    userinfo, at, host_part = rest.partition("@")
    if at:
        user, colon, secret = userinfo.partition(":")
        if "%" in userinfo:
            user, secret = _unescape(user), _unescape(secret)
        if colon:
            password = secret
    else:
        host_part = rest
    headers: tuple[tuple[str, str], ...] = ()
    if "?" in host_part:
        host_part, _, text = host_part.partition("?")
        headers = _parse_uri_headers(text)
    host_part, semicolon, text = host_part.partition(";")
    host, port = parse_host_port(host_part, "SIP URI")
    parameters = _parse_uri_parameters(text) if semicolon else ()
    return SipUri(scheme, user, password, host, port, parameters, headers)


def _parse_uri_parameters(text: str) -> Parameters:
    if text.count(";") >= MAX_PARAMETERS:
        raise InvalidValue("URI", "it has too many parameters")
    parameters: list[tuple[str, str | None]] = []
    for item in text.split(";"):
        name, equals, value = item.partition("=")
        if "%" in item:
            name, value = _unescape(name), _unescape(value)
        if not name:
            raise InvalidValue("URI", "a parameter has no name")
        parameters.append((name.lower(), value if equals else None))
    return tuple(parameters)


def _parse_uri_headers(text: str) -> tuple[tuple[str, str], ...]:
    if text.count("&") >= MAX_PARAMETERS:
        raise InvalidValue("SIP URI", "it has too many headers")
    headers: list[tuple[str, str]] = []
    for item in text.split("&"):
        name, equals, value = item.partition("=")
        name = _unescape(name)
        if not name or not equals:
            raise InvalidValue("SIP URI", "a header has no name or no value")
        headers.append((name.lower(), _unescape(value)))
    return tuple(headers)


def _parse_tel_uri(rest: str) -> TelUri:
    number, semicolon, text = rest.partition(";")
    number = number.translate({ord(separator): None for separator in "-.()"})
    if not _PHONE_DIGITS(number):
        raise InvalidValue("tel URI", "its number has other than digits")
    return TelUri(number, _parse_uri_parameters(text) if semicolon else ())


def _unescape(text: str) -> str:
    return unquote(text, errors="surrogateescape") if "%" in text else text


def _escape(text: str, safe: str) -> str:
    return text if _PLAIN(text) else quote(text, safe, errors="surrogateescape")
