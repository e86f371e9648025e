"""Header values with a structure of their own: Via, name-addr, CSeq, Reason."""

from __future__ import annotations

from twoleg.sip.errors import InvalidValue
from twoleg.sip.grammar import (
    BLANKS,
    TOKEN,
    find_parameter,
    format_parameters,
    parse_integer,
    parse_parameters,
    quote,
    take_quoted,
)
from twoleg.sip.plain_fields import PLAIN_ADDRESS, plain_parameters, plain_via
from twoleg.sip.uri import Parameters, SipUri, Uri, format_host, parse_host_port, parse_uri
from twoleg.sip.values import immutable

MAX_CSEQ = 2**31 - 1
"""RFC 3261 8.1.1.5."""

_MAX_PORT = 65535


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
        plain = plain_via(text)
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
        sent_by = sent_by.strip(BLANKS)
        if " " in sent_by or "\t" in sent_by:
            sent_by = ":".join([part.strip(BLANKS) for part in sent_by.split(":")])
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
        plain = PLAIN_ADDRESS(text)
        if plain is not None:
            quoted, name, scheme, user, host, port, uri_tail, tail = plain.groups()
            if port is None or int(port) <= _MAX_PORT:
                uri = SipUri(
                    scheme,
                    user,
                    None,
                    host.lower(),
                    int(port) if port else None,
                    plain_parameters(uri_tail) if uri_tail else (),
                )
                display_name = quoted or (name or "").strip(BLANKS)
                return cls(uri, display_name, plain_parameters(tail) if tail else ())
        return cls._parse_slowly(text)

    @classmethod
    def _parse_slowly(cls, text: str) -> NameAddr:
        text = text.strip(BLANKS)
        if text.startswith('"'):
            display_name, text = take_quoted(text)
            if not text.startswith("<"):
                raise InvalidValue("address", "no < follows its display name")
            return cls._parse_bracketed(display_name, text)
        open_at = text.find("<")
        if open_at >= 0:
            display_name = text[:open_at].strip(BLANKS)
            if '"' in display_name:
                raise InvalidValue("address", "its display name has a stray quote")
            return cls._parse_bracketed(display_name, text[open_at:])
        # RFC 3261 20.10: without brackets what follows ";" belongs to the header, and a URI
        # that holds "," or "?" may not be written so. A ";" in the user part may not either.
        address, semicolon, tail = text.partition(";")
        address = address.rstrip(BLANKS)
        if "?" in address or "," in address:
            raise InvalidValue("address", "its URI needs brackets")
        return cls(parse_uri(address), "", parse_parameters(tail, "address") if semicolon else ())

    @classmethod
    def _parse_bracketed(cls, display_name: str, text: str) -> NameAddr:
        uri, bracket, tail = text[1:].partition(">")
        if not bracket:
            raise InvalidValue("address", "its < is not closed")
        tail = tail.strip(BLANKS)
        if tail and tail[0] != ";":
            raise InvalidValue("address", "something other than parameters follows >")
        return cls(
            parse_uri(uri.strip(BLANKS)),
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
        protocol = protocol.strip(BLANKS)
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


def _sent_protocol_with_blanks(text: str) -> tuple[list[str], str]:
    """Split a Via with blanks round its slashes: `SIP / 2.0 / UDP host`."""
    name, _, rest = text.partition("/")
    version, _, rest = rest.partition("/")
    transport, *sent_by = rest.split(None, 1) or [""]
    if not sent_by or not TOKEN(transport):
        raise InvalidValue("Via", "it has no transport or no host")
    return [name.strip(BLANKS), version.strip(BLANKS), transport], sent_by[0]
