"""The headers of a message: a multi-map that knows SIP's names and compact forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from twoleg.sip.errors import InvalidValue, LocalProtocolError
from twoleg.sip.grammar import TOKEN, split_values

T = TypeVar("T")

_COMPACT_FORMS = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

# Headers whose grammar is a comma-separated list, so that each line may hold several values.
_LISTS = frozenset({
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow",
    "Allow-Events", "Call-Info", "Contact", "Content-Encoding", "Content-Language", "Diversion",
    "Error-Info", "History-Info", "In-Reply-To", "P-Asserted-Identity", "P-Associated-URI",
    "P-Preferred-Identity", "Path", "Privacy", "Proxy-Require", "Reason", "Record-Route",
    "Require", "Route", "Service-Route", "Supported", "Unsupported", "Via", "Warning",
})  # fmt: skip

# The other names whose usual spelling is not what capitalising each part gives, or that are
# common enough to be found at once.
_SINGLES = (
    "Authorization", "CSeq", "Call-ID", "Content-Disposition", "Content-Length", "Content-Type",
    "Date", "Event", "Expires", "From", "MIME-Version", "Max-Forwards", "Min-Expires", "Min-SE",
    "Organization", "P-Access-Network-Info", "P-Charging-Vector", "Priority",
    "Proxy-Authenticate", "Proxy-Authorization", "RAck", "RSeq", "Refer-To", "Referred-By",
    "Remote-Party-ID", "Replaces", "Reply-To", "Retry-After", "SIP-ETag", "SIP-If-Match",
    "Server", "Session-Expires", "Session-ID", "Subject", "Subscription-State", "Timestamp", "To",
    "User-Agent", "WWW-Authenticate",
)  # fmt: skip

KNOWN_NAMES = {
    spelling: name
    for name in (*_LISTS, *_SINGLES, *_COMPACT_FORMS.values())
    for spelling in (name, name.lower(), name.upper(), name.title())
} | {
    spelling: name
    for compact, name in _COMPACT_FORMS.items()
    for spelling in (compact, compact.upper())
}


def canonical_name(name: str) -> str:
    """The one spelling that we use of a header's name: long form, capitalised as usual."""
    known = KNOWN_NAMES.get(name)
    if known is not None:
        return known
    lower = name.lower()
    return KNOWN_NAMES.get(lower) or "-".join(part.capitalize() for part in lower.split("-"))


class Headers:
    """Headers by name, whatever its case or form, each with the lines that it came in.

    The order of the lines of one name is kept, and names stay in the order in which each first
    came; the order among different names means nothing in SIP (RFC 3261 7.3.1).
    """

    __slots__ = ("_typed", "by_name")

    def __init__(
        self,
        items: Iterable[tuple[str, str]] = (),
        by_name: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        """Take `(name, value)` pairs, or over sound lines by canonical name.

        Raises LocalProtocolError if a pair cannot be written.
        """
        self.by_name: dict[str, tuple[str, ...]] = {} if by_name is None else by_name
        """The lines by canonical name, to be read only: no name without a line."""

        self._typed: dict[str, Any] | None = None
        for name, value in items:
            self.add(name, value)

    def get(self, name: str) -> str | None:
        """The first line of the header, as it came."""
        lines = self.by_name.get(name)
        if lines is None and KNOWN_NAMES.get(name) != name:
            lines = self.by_name.get(canonical_name(name))
        return lines[0] if lines else None

    def single(self, name: str) -> str:
        """The one line of the header `name` (canonical).

        Raises InvalidValue if it is missing, empty or there more than once.
        """
        lines = self.by_name.get(name)
        if not lines or not lines[0]:
            raise InvalidValue(name, "it is missing")
        if len(lines) > 1:
            raise InvalidValue(name, "it is there more than once")
        return lines[0]

    def lines(self, name: str) -> tuple[str, ...]:
        """The lines of the header, as they came."""
        return self.by_name.get(name) or self.by_name.get(canonical_name(name)) or ()

    def get_all(self, name: str) -> list[str]:
        """All values of the header: lines split at commas if the header is one with lists.

        Raises InvalidValue if a quote is left open.
        """
        lines = self.by_name.get(name)
        if lines is None:
            if KNOWN_NAMES.get(name) != name:
                name = canonical_name(name)
            lines = self.by_name.get(name, ())
        if name not in _LISTS:
            return list(lines)
        if len(lines) == 1:
            return split_values(lines[0])
        return [value for line in lines for value in split_values(line)]

    def has_token(self, name: str, token: str) -> bool:
        """Whether a list of tokens such as Supported or Require holds `token`, in any case."""
        token = token.lower()
        return any(value.lower() == token for value in self.get_all(name))

    def add(self, name: str, value: str) -> None:
        """Put a further line at the end.

        Raises LocalProtocolError if name or value cannot be written.
        """
        name = _checked(name, value)
        self.by_name[name] = (*self.by_name.get(name, ()), value)
        self._forget(name)

    def set(self, name: str, value: str) -> None:
        """Put one line in the place of all that the header has.

        Raises LocalProtocolError if name or value cannot be written.
        """
        name = _checked(name, value)
        self.by_name[name] = (value,)
        self._forget(name)

    def remove(self, name: str) -> None:
        """Take the header out, if it is there."""
        name = canonical_name(name)
        self.by_name.pop(name, None)
        self._forget(name)

    def copy_from(self, other: Headers, name: str) -> None:
        """Take over all lines of one header from another message, as they are."""
        lines = other.by_name.get(name)
        if lines:
            self.by_name[name] = lines
            self._forget(name)

    def typed(self, name: str, parse: Callable[[Headers], T]) -> T:
        """What `parse` makes of the header `name` (canonical), kept until the header changes."""
        typed = self._typed
        if typed is None:
            typed = self._typed = {}
        value: T | None = typed.get(name)
        if value is None:
            value = typed[name] = parse(self)
        return value

    def to_text(self, *, without: str = "") -> str:
        """All lines, each with its CRLF, but those of the header `without` (canonical)."""
        return "".join(
            [
                f"{name}: {value}\r\n"
                for name, lines in self.by_name.items()
                if name != without
                for value in lines
            ]
        )

    def copy(self) -> Headers:
        return Headers((), self.by_name.copy())

    def _forget(self, name: str) -> None:
        if self._typed is not None:
            self._typed.pop(name, None)

    def __contains__(self, name: str) -> bool:
        by_name = self.by_name
        if name in by_name:
            return True
        return KNOWN_NAMES.get(name) != name and canonical_name(name) in by_name

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for name, lines in self.by_name.items() for value in lines)

    def __len__(self) -> int:
        return sum(map(len, self.by_name.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.by_name == other.by_name

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # Values are left out: some are credentials.
        return f"Headers({', '.join(self.by_name)})"


def _checked(name: str, value: str) -> str:
    if "\r" in value or "\n" in value or "\0" in value:
        raise LocalProtocolError(f"a value of {name} has a line end or a null in it")
    known = KNOWN_NAMES.get(name)
    if known is not None:
        return known
    if not TOKEN(name):
        raise LocalProtocolError("the name of a header is no token")
    return canonical_name(name)
