"""Requests and responses: a start line, headers, a body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from twoleg.sip.errors import InvalidValue
from twoleg.sip.fields import CSeq, NameAddr, Reason, Via
from twoleg.sip.grammar import parse_integer
from twoleg.sip.headers import Headers
from twoleg.sip.plain_fields import plain_branch, plain_identity
from twoleg.sip.remembered import remembered
from twoleg.sip.uri import Uri

T = TypeVar("T")

_NO_HEADERS: Final = Headers()
"""Of all that were answered; nobody adds to them."""

SIP_VERSION: Final = "SIP/2.0"

_CONTENT_LENGTH: Final = "Content-Length"
_STAR: Final = ["*"]
_ALWAYS_ACCEPTED: Final = "application/sdp"

REASON_PHRASES: Final = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}
"""The standard reason phrase of each status (RFC 3261 21, and the extensions that we speak)."""

MAX_NUMBER: Final = 2**32 - 1
"""Of Expires, Max-Forwards and the like (RFC 3261 20)."""


def reason_phrase(status: int) -> str:
    """Give the standard reason phrase, or that of its class for a status without one."""
    return REASON_PHRASES.get(status) or REASON_PHRASES.get(status // 100 * 100, "Unknown")


class Message:
    """What requests and responses have in common.

    Typed headers are read on first use and kept; each raises InvalidValue where the header is
    missing, unless it may be, or cannot be read. What tells messages apart is read by `identify`,
    as the parser has it do, and is what it was then even if its header changes.
    """

    __slots__ = (
        "body",
        "branch",
        "call_id",
        "cseq",
        "from_tag",
        "has_one_via",
        "headers",
        "to_tag",
    )

    branch: str | None
    """Of the topmost Via."""

    from_tag: str | None
    to_tag: str | None
    call_id: str
    cseq: CSeq
    has_one_via: bool
    """Whether nobody beside us is to have the response (RFC 3261 18.1.2)."""

    headers: Headers
    body: bytes

    def identify(self) -> None:
        """Read what tells messages apart. Raises InvalidValue if a mandatory header is not sound.

        All are read, but not taken apart where they look as usual.
        """
        lines = self.headers.by_name
        try:
            (from_,), (to,), (call_id,) = lines["From"], lines["To"], lines["Call-ID"]
            (cseq,), vias = lines["CSeq"], lines["Via"]
            identity, read_cseq = plain_identity(vias[0], from_, to), _cseq(cseq)
            for via in vias[1:]:
                plain_branch(via)
        except (KeyError, ValueError):
            call_id = ""
        if call_id:
            self.branch, self.from_tag, self.to_tag = identity
            self.cseq = read_cseq
            self.call_id, self.has_one_via = call_id, len(vias) == 1
            return
        for name, read in _IDENTITY.items():
            setattr(self, name, read(self))

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return self.headers.typed("Via", _parse_vias)[0]

    @property
    def vias(self) -> tuple[Via, ...]:
        return self.headers.typed("Via", _parse_vias)

    @property
    def from_(self) -> NameAddr:
        return self.headers.typed("From", _parse_from)

    @property
    def to(self) -> NameAddr:
        return self.headers.typed("To", _parse_to)

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """The Contact values; none for `*`, which `contact_is_star` tells."""
        return self.headers.typed("Contact", _parse_contacts)

    @property
    def contact_is_star(self) -> bool:
        """Whether Contact is `*`, as a REGISTER that removes all has it (RFC 3261 10.2.2)."""
        return self.headers.get("Contact") == "*"

    @property
    def record_routes(self) -> tuple[NameAddr, ...]:
        return self.headers.typed("Record-Route", _parse_record_routes)

    @property
    def content_type(self) -> str:
        """The media type in lower case without parameters; "" where there is none."""
        value = self.headers.get("Content-Type")
        return value.partition(";")[0].strip().lower() if value else ""

    @property
    def cause(self) -> tuple[Reason, ...]:
        """The Reason header's values (RFC 3326); those that cannot be read are left out."""
        return self.headers.typed("Reason", _parse_reasons)

    def number(self, name: str) -> int | None:
        """Read a header that is one number, such as Expires; None where it is missing."""
        value = self.headers.get(name)
        return None if value is None else parse_integer(value.strip(), MAX_NUMBER, name)

    def accepts(self, media_type: str) -> bool:
        """Whether a body of `media_type` (lower case) may be in the answer (RFC 3261 20.1)."""
        if "Accept" not in self.headers:
            return media_type == _ALWAYS_ACCEPTED
        try:
            ranges = self.headers.get_all("Accept")
        except InvalidValue:
            return True
        wanted = {media_type, f"{media_type.partition('/')[0]}/*", "*/*"}
        return any("".join(one.partition(";")[0].split()).lower() in wanted for one in ranges)

    def _to_bytes(self, start_line: str) -> bytes:
        lines = self.headers.to_text(without=_CONTENT_LENGTH)
        text = f"{start_line}\r\n{lines}{_CONTENT_LENGTH}: {len(self.body)}\r\n\r\n"
        return text.encode("utf-8", "surrogateescape") + self.body

    def _has_same_content(self, other: Message) -> bool:
        """Compare all but the start line; Content-Length says nothing that the body does not."""
        ours, theirs = self.headers.copy(), other.headers.copy()
        for headers in (ours, theirs):
            headers.remove(_CONTENT_LENGTH)
        return self.body == other.body and ours == theirs


class Request(Message):
    """A request. `uri` is kept as text too, since an unreadable one must be echoed nowhere.

    Of one that was not identified, what tells it apart is read on first use.
    """

    __slots__ = ("method", "uri")

    def __init__(
        self, method: str, uri: Uri, headers: Headers | None = None, body: bytes = b""
    ) -> None:
        self.headers = Headers() if headers is None else headers
        self.body = body
        self.method = method
        self.uri = uri

    if not TYPE_CHECKING:  # to a type checker, all attributes are those of Message

        def __getattr__(self, name: str) -> Any:
            read = _IDENTITY.get(name)
            if read is None:
                raise AttributeError(name)
            value = read(self)
            setattr(self, name, value)
            return value

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        return self.headers.typed("Route", _parse_routes)

    @property
    def max_forwards(self) -> int | None:
        return self.number("Max-Forwards")

    def to_bytes(self) -> bytes:
        """Write the message, with the right Content-Length."""
        return self._to_bytes(f"{self.method} {self.uri} {SIP_VERSION}")

    def without_content(self) -> Request:
        """Give what is left of a request when it has been answered: nothing to answer it by."""
        rest = Request(self.method, self.uri, _NO_HEADERS)
        rest.to_tag = self.to_tag
        return rest

    def make_response(
        self, status: int, reason: str = "", *, to_tag: str | None = None, body: bytes = b""
    ) -> Response:
        """Give a response with the headers that it takes over (RFC 3261 8.2.6.2).

        `to_tag` is added to a To that has no tag. Works on raw lines, so that a request whose
        headers cannot all be read is answered too.
        """
        headers = Headers()
        for name in ("Via", "From", "To", "Call-ID", "CSeq"):
            headers.copy_from(self.headers, name)
        if status == 100:
            headers.copy_from(self.headers, "Timestamp")
        if to_tag is not None:
            line = headers.get("To")
            if line is not None and not has_tag(line):
                headers.set("To", f"{line};tag={to_tag}")
        return Response(status, reason or reason_phrase(status), headers, body)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Request)
            and (self.method, self.uri) == (other.method, other.uri)
            and self._has_same_content(other)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Request({self.method}, {self.headers!r}, {len(self.body)} bytes)"


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(
        self, status: int, reason: str = "", headers: Headers | None = None, body: bytes = b""
    ) -> None:
        self.headers = Headers() if headers is None else headers
        self.body = body
        self.status = status
        self.reason = reason

    def to_bytes(self) -> bytes:
        """Write the message, with the right Content-Length."""
        return self._to_bytes(f"{SIP_VERSION} {self.status} {self.reason}")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Response)
            and (self.status, self.reason) == (other.status, other.reason)
            and self._has_same_content(other)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Response({self.status}, {self.headers!r}, {len(self.body)} bytes)"


_address = remembered(NameAddr.parse)
_cseq = remembered(CSeq.parse)


def has_tag(line: str) -> bool:
    """Tell whether a From or To has a tag, even if the rest of it cannot be read."""
    try:
        return _address(line).tag is not None
    except InvalidValue:
        return ";tag=" in line.lower()


def _parse_vias(headers: Headers) -> tuple[Via, ...]:
    lines = headers.by_name.get("Via", ())
    if len(lines) == 1 and "," not in lines[0]:
        return (Via.parse(lines[0]),)
    values = headers.get_all("Via")
    if not values:
        raise InvalidValue("Via", "it is missing")
    return tuple([Via.parse(value) for value in values])


def _parse_from(headers: Headers) -> NameAddr:
    return _address(headers.single("From"))


def _parse_to(headers: Headers) -> NameAddr:
    return _address(headers.single("To"))


def _addresses(headers: Headers, name: str) -> tuple[NameAddr, ...]:
    return tuple([_address(value) for value in headers.get_all(name)])


def _parse_contacts(headers: Headers) -> tuple[NameAddr, ...]:
    values = headers.get_all("Contact")
    return () if values == _STAR else tuple([_address(value) for value in values])


def _parse_record_routes(headers: Headers) -> tuple[NameAddr, ...]:
    return _addresses(headers, "Record-Route")


def _parse_routes(headers: Headers) -> tuple[NameAddr, ...]:
    return _addresses(headers, "Route")


def _parse_reasons(headers: Headers) -> tuple[Reason, ...]:
    reasons = []
    try:
        values = headers.get_all("Reason")
    except InvalidValue:
        return ()
    for value in values:
        try:
            reasons.append(Reason.parse(value))
        except InvalidValue:
            continue
    return tuple(reasons)


_IDENTITY: Final[Mapping[str, Callable[[Message], object]]] = {
    "branch": lambda message: message.via.branch,
    "from_tag": lambda message: message.from_.tag,
    "to_tag": lambda message: message.to.tag,
    "call_id": lambda message: message.headers.single("Call-ID"),
    "cseq": lambda message: _cseq(message.headers.single("CSeq")),
    "has_one_via": lambda message: len(message.vias) == 1,
}
