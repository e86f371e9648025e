"""Session descriptions (RFC 8866): reading what phones really send, and writing our own."""

from __future__ import annotations

from enum import Enum

from twoleg.sip.errors import SipError
from twoleg.sip.remembered import remembered
from twoleg.sip.values import immutable

MAX_BYTES = 16_384
"""The longest description that is read; browsers with all their candidates stay below 8 kB."""

MAX_LINES = 512
"""The most lines that are read."""

MAX_MEDIA = 16
"""The most m= lines that are read."""

Attributes = tuple[tuple[str, str | None], ...]
"""a= lines: names in lower case with what follows the colon; None where there is no colon."""

_MAX_PORT = 65_535
_USUAL_START = "v=0\r\no="
_CONNECTION_WORDS = 3


class MalformedDescription(SipError, ValueError):
    """A body is no session description; `line` counts from 1, and is 0 for the whole of it."""

    def __init__(self, problem: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.problem = problem
        self.line = line


class Direction(Enum):
    """Which way a stream flows, seen from whose description it is (RFC 8866 6.7)."""

    __hash__ = object.__hash__  # members are single; the hash of their name is slow

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> Direction:
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def mirrored(self) -> Direction:
        """The same stream seen from the other side."""
        return _MIRRORED.get(self, self)

    def within(self, other: Direction) -> Direction:
        """Return what both allow."""
        if self is other:
            return self
        return Direction.of(
            sends=self.sends and other.sends, receives=self.receives and other.receives
        )


_DIRECTIONS = {direction.value: direction for direction in Direction}
_MIRRORED = {
    Direction.SENDONLY: Direction.RECVONLY,
    Direction.RECVONLY: Direction.SENDONLY,
}


@immutable()
class Origin:
    """Who made the description, and which of its versions this is (RFC 8866 5.2)."""

    session_id: str
    version: str
    address: str
    username: str = "-"

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} {format_address(self.address)}"


@immutable()
class Media:
    """One m= section.

    `kind` is "audio", "video" and so on. `address` is that of its own c= line, if it has one.
    `formats` are the payload types of an RTP stream, as text. `bandwidths` are its b= lines.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    address: str | None = None
    attributes: Attributes = ()
    bandwidths: tuple[str, ...] = ()

    def attribute(self, name: str) -> str | None:
        """Return the value of the first attribute `name`: "" for none, None if it is not there."""
        return _find(self.attributes, name)

    def lines(self) -> list[str]:
        """Write the section as lines without their ends."""
        lines = [f"m={self.kind} {self.port} {self.protocol} {' '.join(self.formats)}".rstrip(" ")]
        if self.address is not None:
            lines.append(f"c={format_address(self.address)}")
        lines += [f"b={value}" for value in self.bandwidths]
        lines += attribute_lines(self.attributes)
        return lines


@immutable()
class SessionDescription:
    """A session description; `address` is that of the session's c= line, if it has one.

    What parse() reads and str() writes again is all that an offer or an answer depends upon.
    Lines of other types (i=, u=, e=, p=, k=, r=, z=, and any unknown one) are left out, and the
    times too, which SIP does not use (RFC 3264 5): `t=0 0` is written.
    """

    origin: Origin | None = None
    name: str = "-"
    address: str | None = None
    attributes: Attributes = ()
    media: tuple[Media, ...] = ()
    bandwidths: tuple[str, ...] = ()

    @classmethod
    def parse(cls, body: bytes | str) -> SessionDescription:
        """Read a description.

        Line ends may be LF or CR LF, o=, s= and t= may be missing, and nulls or blank lines may
        surround the text: phones send all of these.

        Raises MalformedDescription.
        """
        if len(body) > MAX_BYTES:
            raise MalformedDescription(f"it is longer than {MAX_BYTES} bytes")
        text = body if isinstance(body, str) else body.decode("utf-8", "surrogateescape")
        return _parse_as_before(text) or _Reader().read(text)

    def __str__(self) -> str:
        lines = ["v=0"]
        if self.origin is not None:
            lines.append(f"o={self.origin}")
        lines.append(f"s={self.name}")
        if self.address is not None:
            lines.append(f"c={format_address(self.address)}")
        lines += [f"b={value}" for value in self.bandwidths]
        lines.append("t=0 0")
        lines += attribute_lines(self.attributes)
        for media in self.media:
            lines += media.lines()
        lines.append("")
        return "\r\n".join(lines)

    def to_bytes(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")

    def attribute(self, name: str) -> str | None:
        """Return the value of the first session attribute `name`, as Media.attribute does."""
        return _find(self.attributes, name)

    def address_of(self, media: Media) -> str | None:
        """Where the section's stream is to be sent: its own c= line or else the session's."""
        return media.address if media.address is not None else self.address

    def direction_of(self, media: Media) -> Direction:
        """Return the direction of a section: its own, else the session's, else sendrecv."""
        for attributes in (media.attributes, self.attributes):
            for name, _ in attributes:
                direction = _DIRECTIONS.get(name)
                if direction is not None:
                    return direction
        return Direction.SENDRECV


@remembered
def format_address(address: str) -> str:
    """Write an address as o= and c= lines have it: `IN IP4 192.0.2.1`."""
    return f"IN {'IP6' if ':' in address else 'IP4'} {address}"


def parse_number(text: str, maximum: int) -> int | None:
    """Read a decimal number; None if it is none or larger than `maximum`."""
    if len(text) > 10 or not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number <= maximum else None


class _Part:
    """The session's part of a description, or one m= section, while it is read."""

    __slots__ = ("address", "attributes", "bandwidths")

    def __init__(self) -> None:
        self.address: str | None = None
        self.attributes: list[tuple[str, str | None]] = []
        self.bandwidths: list[str] = []


class _Reader:
    """Takes a description in line by line."""

    __slots__ = ("_media", "_name", "_origin", "_part", "_section")

    def __init__(self) -> None:
        self._origin: Origin | None = None
        self._name = "-"
        self._part = _Part()
        self._section: tuple[str, int, str, tuple[str, ...]] | None = None
        """The m= line of the part that is read; None: it is the session's."""

        self._media: list[Media] = []

    def read(self, text: str) -> SessionDescription:
        lines = text.strip("\0\r\n \t").split("\n")
        if len(lines) > MAX_LINES:
            raise MalformedDescription(f"it has more than {MAX_LINES} lines")
        if lines[0].rstrip("\r \t") != "v=0":
            raise MalformedDescription("a description begins with v=0", 1)
        session = self._part
        for number, line in enumerate(lines[1:], 2):
            line = line.rstrip("\r \t\0")
            if line.startswith("a="):
                # Keys are nothing to remember.
                read = _read_attribute if has_secret(line[2:10]) else _parse_attribute
                self._part.attributes.append(read(line))
                continue
            if not line:
                continue
            if line[1:2] != "=":
                raise MalformedDescription("it is not a letter and an equals sign", number)
            if line[0] == "m":
                self._close_section()
                if len(self._media) == MAX_MEDIA:
                    raise MalformedDescription(f"it has more than {MAX_MEDIA} m= lines", number)
                self._section = _parse_media(line[2:], number)
                self._part = _Part()
            else:
                self._take(line[0], line[2:].strip(" \t"), number)
        self._close_section()
        return SessionDescription(
            self._origin,
            self._name,
            session.address,
            tuple(session.attributes),
            tuple(self._media),
            tuple(session.bandwidths),
        )

    def _take(self, kind: str, value: str, number: int) -> None:
        if kind == "c":
            address = _parse_connection(value)
            if address is None:
                raise MalformedDescription(
                    "a c= line is IN, an address type and an address", number
                )
            if self._section is None or self._part.address is None:
                self._part.address = address
        elif kind == "b":
            self._part.bandwidths.append(value)
        elif kind == "o" and self._section is None:
            self._origin = _parse_origin(value)
        elif kind == "s" and self._section is None:
            self._name = value or "-"

    def _close_section(self) -> None:
        if self._section is not None:
            kind, port, protocol, formats = self._section
            part = self._part
            self._media.append(
                Media(
                    kind,
                    port,
                    protocol,
                    formats,
                    part.address,
                    tuple(part.attributes),
                    tuple(part.bandwidths),
                )
            )


def has_secret(text: str) -> bool:
    """Tell whether a text may hold keys, which are nothing to remember."""
    text = text.lower()
    return "crypto" in text or "ice-pwd" in text


def _read(text: str) -> SessionDescription:
    return _Reader().read(text)


_read_again = remembered(_read, most=512, max_length=1024, unless=has_secret)


def usual_words(text: str) -> tuple[str, int, str] | None:
    """Take a description apart: what it says, its audio port, its origin.

    A far end describes itself in the same words in call after call: only the other two differ, so
    that the words, in which they are nought and nothing, are something to remember a result by.
    None for a text in which they are not found where they usually are.
    """
    before, found, after = text.partition("\nm=audio ")
    digits, _, rest = after.partition(" ")
    port = parse_number(digits, _MAX_PORT)
    if port is None or not text.startswith(_USUAL_START):
        return None
    origin, line_end, session = before[len(_USUAL_START) :].partition("\r\n")
    if not line_end or "\n" in origin or before.count("\no=") > 1:
        return None
    return f"{_USUAL_START}{line_end}{session}{found}0 {rest}", port, origin


def _parse_as_before(text: str) -> SessionDescription | None:
    """Read a description that says what another did. Raises MalformedDescription."""
    usual = usual_words(text)
    if usual is None:
        return None
    words, port, origin = usual
    known = _read_again(words)
    media = list(known.media)
    place = words.partition("\nm=audio ")[0].count("\nm=")
    audio = media[place]
    media[place] = Media(
        audio.kind,
        port,
        audio.protocol,
        audio.formats,
        audio.address,
        audio.attributes,
        audio.bandwidths,
    )
    return SessionDescription(
        _parse_origin(origin.rstrip("\r \t\0").strip(" \t")),
        known.name,
        known.address,
        known.attributes,
        tuple(media),
        known.bandwidths,
    )


def _read_attribute(line: str) -> tuple[str, str | None]:
    name, colon, rest = line[2:].strip(" \t").partition(":")
    return name.strip(" \t").lower(), rest.lstrip() if colon else None


_parse_attribute = remembered(_read_attribute)


def _parse_media(value: str, number: int) -> tuple[str, int, str, tuple[str, ...]]:
    words = value.split()
    if len(words) < 3:
        raise MalformedDescription("an m= line has a kind, a port, a protocol and formats", number)
    # "49170/2" asks for two pairs of ports: layered codings do, telephones do not.
    port = parse_number(words[1].partition("/")[0], _MAX_PORT)
    if port is None:
        raise MalformedDescription("the port of an m= line is none", number)
    return words[0].lower(), port, words[2], tuple(words[3:])


@remembered
def _parse_connection(value: str) -> str | None:
    words = value.split()
    if len(words) != _CONNECTION_WORDS or words[0].upper() != "IN":
        return None
    # What follows the slash are the TTL and the count of multicast addresses.
    return words[2].partition("/")[0].strip("[]") or None


def _parse_origin(value: str) -> Origin | None:
    # Some phones have blanks in the user name; the five words after it have none. Nothing that
    # we do depends on this line, so one that cannot be read is none.
    words = value.rsplit(None, 5)
    if len(words) < 6:
        return None
    username, session_id, version, _, _, address = words
    return Origin(session_id, version, address, username if len(username.split()) == 1 else "-")


def attribute_lines(attributes: Attributes) -> list[str]:
    """Write attributes as lines without their ends."""
    return [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]


def _find(attributes: Attributes, name: str) -> str | None:
    for key, value in attributes:
        if key == name:
            return value or ""
    return None
