"""Header values with a structure of their own: Via, name-addr, CSeq, Reason."""

from __future__ import annotations

import re
from collections.abc import Callable

from twoleg.sip.errors import InvalidValue
from twoleg.sip.remembered import remembered
from twoleg.sip.uri import (
    MAX_PARAMETERS,
    Parameters,
    SipUri,
    Uri,
    format_host,
    parse_host_port,
    parse_uri,
)
from twoleg.sip.values import immutable

MAX_CSEQ = 2**31 - 1
"""RFC 3261 8.1.1.5."""

MAX_VALUES = 256
"""Values in one line of a header."""

TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+").fullmatch
"""Matches a token (RFC 3261 25.1)."""

_BLANKS = " \t"
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_ESCAPE = re.compile(r'(["\\\x01-\x08\x0b\x0c\x0e-\x1f\x7f])')
_NEXT_OF = {",": re.compile('[",<]').search, ";": re.compile('[";<]').search}
_NEVER_IN_QUOTES = re.compile(r"[\r\n\0]")

# What nearly all values look like, read in one go; all others take the long way to the same end.
_PLAIN_HOST = r"([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::([1-9][0-9]{0,4}))?"
_PLAIN_PARAMETERS = r"((?:;[A-Za-z0-9-]+(?:=[A-Za-z0-9.*_+~-]+)?){0,32})"
_PLAIN_PARAMETER = re.compile(r";([^;=]+)=?([^;]*)").findall
_PLAIN_ADDRESS = re.compile(
    r'(?:"([^"\\]*)"[ \t]*|([A-Za-z0-9 .!*_+~-]*))'
    rf"<(sips?):(?:([A-Za-z0-9_.+*!~-]+)@)?{_PLAIN_HOST}{_PLAIN_PARAMETERS}>{_PLAIN_PARAMETERS}"
).fullmatch
_MAX_PORT = 65535

# The same, where all that is wanted of a value is one parameter: its first group.
_SOUND_PORT = (
    r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}"
    r"|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_SOUND_HOST = rf"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::{_SOUND_PORT})?"
_SOUND_PARAMETERS = r"(?:;[A-Za-z0-9-]+(?:=[A-Za-z0-9.*_+~-]+)?){0,32}"
_SOUND_SENT_BY = rf"SIP/2\.0/[A-Z]+ {_SOUND_HOST}"
_SOUND_ADDRESS = (
    r'(?:"[^"\\]*"[ \t]*|[A-Za-z0-9 .!*_+~-]*)'
    rf"<sips?:(?:[A-Za-z0-9_.+*!~-]+@)?{_SOUND_HOST}{_SOUND_PARAMETERS}>"
)


def _others_than(parameter: str) -> str:
    return _SOUND_PARAMETERS.replace("(?:;", rf"(?:;(?!(?i:{parameter})(?:[=;]|$))", 1)


def _with_parameter(parameter: str, before: str) -> Callable[[str], re.Match[str] | None]:
    others = _others_than(parameter)
    return re.compile(f"{before}(?:{others};{parameter}=([A-Za-z0-9.*_+~-]+))?{others}").fullmatch


_via_with_branch = _with_parameter("branch", _SOUND_SENT_BY)
_address_with_tag = _with_parameter("tag", _SOUND_ADDRESS)
# Letters and digits alone, as most are, are told quicker by str itself.
_plain_value = re.compile(r"[A-Za-z0-9.*_+~-]+").fullmatch
_sent_by = re.compile(_SOUND_SENT_BY).fullmatch
_address = re.compile(_SOUND_ADDRESS).fullmatch
_without_branch = re.compile(_others_than("branch")).fullmatch


@remembered
def _plain_sent_by(text: str) -> tuple[str, str, int | None] | None:
    """Read what stands before the parameters of a Via; None if it looks unusual."""
    if _sent_by(text) is None:
        return None
    protocol, _, sent_by = text.partition(" ")
    host, _, port = sent_by.partition(":")
    return protocol.rpartition("/")[2], host.lower(), int(port) if port else None


@remembered
def _plain_others(text: str) -> Parameters | None:
    """Read what follows the branch of a Via and its semicolon; None if it looks unusual."""
    if not text:
        return ()
    text = f";{text}"
    return None if _without_branch(text) is None else _plain_parameters(text)


@remembered
def _is_plain_address(text: str) -> bool:
    return _address(text) is not None


def _plain_via(via: str) -> tuple[tuple[str, str, int | None], str, Parameters] | None:
    """Read a Via as nearly all are: what sent it, its branch, what follows; None for any other.

    Of most only the branch is another than that of the Via before.
    """
    before, _, after = via.partition(";branch=")
    branch, _, others = after.partition(";")
    if (branch.isalnum() and branch.isascii()) or _plain_value(branch):
        sent_by, parameters = _plain_sent_by(before), _plain_others(others)
        if sent_by is not None and parameters is not None:
            return sent_by, branch, parameters
    return None


def plain_branch(via: str) -> str | None:
    """Read the branch of a Via as nearly all are. Raises InvalidValue for any other."""
    plain = _plain_via(via)
    if plain is not None:
        return plain[1]
    with_branch = _via_with_branch(via)
    if with_branch is None:
        raise InvalidValue("Via", "it looks unusual")
    return with_branch[1]


def plain_tag(address: str) -> str | None:
    """Read the tag of a From or To as nearly all are. Raises InvalidValue for any other.

    Of most only the tag is another than that of an address before.
    """
    before, _, tag = address.rpartition(";tag=")
    if ((tag.isalnum() and tag.isascii()) or _plain_value(tag)) and _is_plain_address(before):
        return tag
    with_tag = _address_with_tag(address)
    if with_tag is None:
        raise InvalidValue("address", "it looks unusual")
    return with_tag[1]


@immutable()
class Via:
    """One Via value (RFC 3261 20.42); `transport` is upper case and may be one unknown to us."""

    transport: str
    host: str
    port: int | None = None
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one Via value.

        Raises InvalidValue.
        """
        plain = _plain_via(text)
        if plain is not None:
            (transport, host, port), branch, others = plain
            return cls(transport, host, port, (("branch", branch), *others))
        return cls._parse_slowly(text)

    @classmethod
    def _parse_slowly(cls, text: str) -> Via:
        protocol, _, rest = text.partition(" ")
        parts = protocol.split("/")
        if len(parts) != 3 or not rest or not TOKEN(parts[2]):
            parts, rest = _sent_protocol_with_blanks(text)
        if parts[0].upper() != "SIP" or parts[1] != "2.0":
            raise InvalidValue("Via", "it does not begin with SIP/2.0")
        sent_by, semicolon, tail = rest.partition(";")
        sent_by = sent_by.strip(_BLANKS)
        if " " in sent_by or "\t" in sent_by:
            sent_by = ":".join([part.strip(_BLANKS) for part in sent_by.split(":")])
        host, port = parse_host_port(sent_by, "Via")
        return cls(
            parts[2].upper(),
            host,
            port,
            parse_parameters(tail, "Via") if semicolon else (),
        )

    def __str__(self) -> str:
        return (
            f"SIP/2.0/{self.transport} {format_host(self.host, self.port)}"
            f"{format_parameters(self.parameters)}"
        )

    def parameter(self, name: str) -> str | None:
        """The value of the parameter `name` (lower case); "" if it is there without a value."""
        return find_parameter(self.parameters, name)

    @property
    def branch(self) -> str | None:
        return find_parameter(self.parameters, "branch")

    @property
    def received(self) -> str | None:
        """The source address that a server saw, an IPv6 one without brackets."""
        received = find_parameter(self.parameters, "received")
        return received.strip("[]") if received else received

    @property
    def rport(self) -> int | None:
        """The source port that a server saw (RFC 3581); None also where `rport` has no value."""
        rport = find_parameter(self.parameters, "rport")
        if rport and len(rport) <= 5 and rport.isascii() and rport.isdigit():
            return int(rport)
        return None


@immutable()
class NameAddr:
    """An address with a display name (RFC 3261 20.10): From, To, Contact, Route and their like.

    `display_name` has no quotes nor escapes, and is "" where there is none.
    """

    uri: Uri
    display_name: str = ""
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Read one name-addr or addr-spec with its parameters.

        What stands unquoted before `<` is taken for the display name, even with characters that
        should have been quoted (RFC 4475 3.1.2.15).

        Raises InvalidValue.
        """
        plain = _PLAIN_ADDRESS(text)
        if plain is not None:
            quoted, name, scheme, user, host, port, uri_tail, tail = plain.groups()
            if port is None or int(port) <= _MAX_PORT:
                uri = SipUri(
                    scheme,
                    user,
                    None,
                    host.lower(),
                    int(port) if port else None,
                    _plain_parameters(uri_tail) if uri_tail else (),
                )
                display_name = quoted or (name or "").strip(_BLANKS)
                return cls(uri, display_name, _plain_parameters(tail) if tail else ())
        return cls._parse_slowly(text)

    @classmethod
    def _parse_slowly(cls, text: str) -> NameAddr:
        text = text.strip(_BLANKS)
        if text.startswith('"'):
            display_name, text = _take_quoted(text)
            if not text.startswith("<"):
                raise InvalidValue("address", "no < follows its display name")
            return cls._parse_bracketed(display_name, text)
        open_at = text.find("<")
        if open_at >= 0:
            display_name = text[:open_at].strip(_BLANKS)
            if '"' in display_name:
                raise InvalidValue("address", "its display name has a stray quote")
            return cls._parse_bracketed(display_name, text[open_at:])
        # RFC 3261 20.10: without brackets what follows ";" belongs to the header, and a URI
        # that holds "," or "?" may not be written so. A ";" in the user part may not either.
        address, semicolon, tail = text.partition(";")
        address = address.rstrip(_BLANKS)
        if "?" in address or "," in address:
            raise InvalidValue("address", "its URI needs brackets")
        return cls(parse_uri(address), "", parse_parameters(tail, "address") if semicolon else ())

    @classmethod
    def _parse_bracketed(cls, display_name: str, text: str) -> NameAddr:
        uri, bracket, tail = text[1:].partition(">")
        if not bracket:
            raise InvalidValue("address", "its < is not closed")
        tail = tail.strip(_BLANKS)
        if tail and tail[0] != ";":
            raise InvalidValue("address", "something other than parameters follows >")
        return cls(
            parse_uri(uri.strip(_BLANKS)),
            display_name,
            parse_parameters(tail[1:], "address") if tail else (),
        )

    def __str__(self) -> str:
        display_name = f"{quote(self.display_name)} " if self.display_name else ""
        parameters = format_parameters(self.parameters) if self.parameters else ""
        return f"{display_name}<{self.uri}>{parameters}"

    def parameter(self, name: str) -> str | None:
        """The value of the parameter `name` (lower case); "" if it is there without a value."""
        return find_parameter(self.parameters, name)

    def with_parameter(self, name: str, value: str | None) -> NameAddr:
        """The same address with the parameter set to `value`, at its old place or at the end."""
        kept = tuple((key, old) for key, old in self.parameters if key != name)
        return NameAddr(self.uri, self.display_name, (*kept, (name, value)))

    @property
    def tag(self) -> str | None:
        return find_parameter(self.parameters, "tag")


@immutable()
class CSeq:
    """A CSeq value (RFC 3261 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read a CSeq value; its number is below 2**31.

        Raises InvalidValue.
        """
        parts = text.split()
        if len(parts) != 2 or not TOKEN(parts[1]):
            raise InvalidValue("CSeq", "it is not a number and a method")
        return cls(parse_integer(parts[0], MAX_CSEQ, "CSeq"), parts[1])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@immutable()
class Reason:
    """Why a request is sent (RFC 3326): `protocol` SIP or Q.850, its code, a text."""

    protocol: str
    cause: int | None = None
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Reason:
        """Read one Reason value.

        Raises InvalidValue.
        """
        protocol, _, tail = text.partition(";")
        protocol = protocol.strip(_BLANKS)
        if not TOKEN(protocol):
            raise InvalidValue("Reason", "its protocol is no token")
        parameters = parse_parameters(tail, "Reason")
        cause = find_parameter(parameters, "cause")
        return cls(
            protocol,
            parse_integer(cause, 999, "Reason") if cause else None,
            find_parameter(parameters, "text") or "",
        )

    def __str__(self) -> str:
        cause = "" if self.cause is None else f";cause={self.cause}"
        return f"{self.protocol}{cause}{f';text={quote(self.text)}' if self.text else ''}"


def parse_integer(text: str, maximum: int, kind: str) -> int:
    """Read 1*DIGIT of at most `maximum`.

    Raises InvalidValue of the given kind.
    """
    # Python refuses to read thousands of digits, and isdigit() knows digits beyond ASCII.
    if not (text.isascii() and text.isdigit()) or len(text.lstrip("0")) > 20:
        raise InvalidValue(kind, "it is no number, or one too large")
    number = int(text)
    if number > maximum:
        raise InvalidValue(kind, "its number is too large")
    return number


def parse_parameters(text: str, kind: str) -> Parameters:
    """Read `name[=value];...`: names in lower case, quoted values without quotes and escapes.

    Blanks around names and values are left out, and so is one empty parameter at the end, as
    some phones write it.

    Raises InvalidValue of the given kind.
    """
    items = text.split(";") if '"' not in text else split_outside_quotes(text, ";")
    if len(items) > MAX_PARAMETERS:
        raise InvalidValue(kind, "it has too many parameters")
    if items and not items[-1].strip(_BLANKS):
        del items[-1]
    parameters: list[tuple[str, str | None]] = []
    for item in items:
        name, equals, value = item.partition("=")
        name = name.strip(_BLANKS)
        if not TOKEN(name):
            raise InvalidValue(kind, "the name of a parameter is no token")
        if not equals:
            parameters.append((name.lower(), None))
            continue
        value = value.strip(_BLANKS)
        if value.startswith('"'):
            value, rest = _take_quoted(value)
            if rest:
                raise InvalidValue(kind, "something follows a quoted value")
        elif '"' in value or "," in value:
            raise InvalidValue(kind, "a value needs quotes")
        parameters.append((name.lower(), value))
    return tuple(parameters)


def _plain_parameters(tail: str) -> Parameters:
    """Read `;name[=value]...` that is known to be sound, with no value that is empty."""
    return tuple([(name.lower(), value or None) for name, value in _PLAIN_PARAMETER(tail)])


def format_parameters(parameters: Parameters) -> str:
    """Write parameters with their leading semicolons; values that are no token are quoted."""
    text = ""
    for name, value in parameters:
        if value is None:
            text += f";{name}"
        elif TOKEN(value) or _is_bare_host(value):
            text += f";{name}={value}"
        else:
            text += f";{name}={quote(value)}"
    return text


def find_parameter(parameters: Parameters, name: str) -> str | None:
    """The value of the parameter `name`; "" if it is there without a value; None if it is not."""
    for key, value in parameters:
        if key == name:
            return value or ""
    return None


def quote(text: str) -> str:
    """Write `text` as a quoted-string (RFC 3261 25.1).

    Line ends, which it cannot hold, become blanks, and so do nulls, which many end a text at.
    """
    if not text.isprintable() or "\\" in text or '"' in text:
        text = _NEEDS_ESCAPE.sub(r"\\\1", _NEVER_IN_QUOTES.sub(" ", text))
    return f'"{text}"'


def end_of_quoted(text: str, start: int) -> int:
    """Give the place behind the quoted string that begins at `start`.

    Raises InvalidValue if it is left open.
    """
    position = start + 1
    while True:
        end = text.find('"', position)
        if end < 0:
            raise InvalidValue("quoted string", "it is not closed")
        backslashes = 0
        while text[end - 1 - backslashes] == "\\" and end - 1 - backslashes > start:
            backslashes += 1
        if backslashes % 2 == 0:
            return end + 1
        position = end + 1


def split_values(text: str) -> list[str]:
    """Split a header value at the commas outside quotes and angle brackets.

    Raises InvalidValue if a quote is left open, or there are more than MAX_VALUES.
    """
    if "," not in text:
        return [text]
    plain = '"' not in text and "<" not in text
    values = text.split(",") if plain else split_outside_quotes(text, ",")
    if len(values) > MAX_VALUES:
        raise InvalidValue("list", "it has too many values")
    return [value.strip(_BLANKS) for value in values]


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Split at "," or ";" where it stands outside quoted strings and angle brackets.

    Raises InvalidValue if a quote is left open.
    """
    next_of = _NEXT_OF[separator]
    values: list[str] = []
    start = position = 0
    while (found := next_of(text, position)) is not None:
        place = found.start()
        character = text[place]
        if character == '"':
            position = end_of_quoted(text, place)
        elif character == "<":
            position = text.find(">", place) + 1 or len(text)
        else:
            values.append(text[start:place])
            start = position = place + 1
    values.append(text[start:])
    return values


def _take_quoted(text: str) -> tuple[str, str]:
    end = end_of_quoted(text, 0)
    content = text[1 : end - 1]
    if "\\" in content:
        content = _QUOTED_PAIR.sub(r"\1", content)
    return content, text[end:].lstrip(_BLANKS)


def _is_bare_host(value: str) -> bool:
    # IPv6 addresses in `received` and `maddr`, and URIs in contact parameters of old phones.
    return bool(value) and all(character in "0123456789abcdefABCDEF:.[]" for character in value)


def _sent_protocol_with_blanks(text: str) -> tuple[list[str], str]:
    """Split a Via with blanks round its slashes: `SIP / 2.0 / UDP host`."""
    name, _, rest = text.partition("/")
    version, _, rest = rest.partition("/")
    transport, *sent_by = rest.split(None, 1) or [""]
    if not sent_by or not TOKEN(transport):
        raise InvalidValue("Via", "it has no transport or no host")
    return [name.strip(_BLANKS), version.strip(_BLANKS), transport], sent_by[0]
