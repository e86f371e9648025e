"""What a registrar does with a REGISTER (RFC 3261 10.3), with Path (RFC 3327).

Who may register what is settled before: by digest, and by the user that it names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twoleg.sip.errors import InvalidValue
from twoleg.sip.fields import NameAddr
from twoleg.sip.interface import ResponseSpec
from twoleg.sip.transport import Address, Flow, Transport
from twoleg.sip.uri import SipUri
from twoleg.sip.values import immutable

if TYPE_CHECKING:
    from twoleg.sip.message import Request

MAX_CONTACTS = 16
"""The most Contact values of one request."""

MAX_PATH = 16
"""The most Path values of one request."""

MAX_TEXT = 1024
"""The longest contact URI, Path value or Call-ID that is stored, in characters."""

MAX_USER_AGENT = 200
"""The most characters of User-Agent that are kept."""

_SUPPORTED = frozenset({"path"})


@immutable(kw_only=True)
class RegistrarRules:
    """Seconds that a binding may live, and how many a user may have.

    A shorter wish is refused by 423, a longer one is cut. A binding more than `max_bindings`
    takes the place of the one that would run out first: phones that have lost power leave theirs
    behind, and must not shut themselves out.
    """

    min_expires: int = 60
    default_expires: int = 600
    max_expires: int = 3600
    max_bindings: int = 10


@immutable(kw_only=True)
class Binding:
    """Where a user is reached: a contact URI, and the way there.

    `path` are the proxies to go through, as values for Route. `flow` is how the request came.
    `expires_at` is on the clock that register() is given. `q` is the preference, from 0 to 1.
    """

    contact: str
    call_id: str
    cseq: int
    expires_at: float
    path: tuple[str, ...] = ()
    q: float = 1.0
    user_agent: str = ""
    flow: Flow | None = None

    @property
    def uri(self) -> SipUri:
        """The contact, read. Raises InvalidValue if a stored one was tampered with."""
        return SipUri.parse(self.contact)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {
            "contact": self.contact,
            "call_id": self.call_id,
            "cseq": self.cseq,
            "expires_at": self.expires_at,
            "path": list(self.path),
            "q": self.q,
            "user_agent": self.user_agent,
            "flow": None if self.flow is None else flow_to_json(self.flow),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Binding:
        flow = value["flow"]
        return cls(
            contact=value["contact"],
            call_id=value["call_id"],
            cseq=value["cseq"],
            expires_at=value["expires_at"],
            path=tuple(value["path"]),
            q=value["q"],
            user_agent=value["user_agent"],
            flow=None if flow is None else flow_from_json(flow),
        )


@immutable()
class RegistrarResult:
    """The bindings that hold from now on, and the response that says so.

    `changed`: they are not those that were given. A refused request changes nothing, save that
    what had run out is gone.
    """

    bindings: tuple[Binding, ...]
    response: ResponseSpec
    changed: bool


class _Refused(Exception):
    """The request is answered so, and changes nothing."""

    def __init__(self, response: ResponseSpec) -> None:
        super().__init__(response.status)
        self.response = response


def register(
    request: Request,
    flow: Flow | None,
    bindings: Iterable[Binding],
    now: float,
    rules: RegistrarRules | None = None,
) -> RegistrarResult:
    """Do what a REGISTER asks for, all of it or nothing.

    `bindings` are those of the user that the request names, `now` is in seconds.
    """
    rules = rules or RegistrarRules()
    before = tuple(bindings)
    alive = tuple(binding for binding in before if binding.expires_at > now)
    try:
        _require_known_extensions(request)
        after = _update(request, flow, alive, now, rules)
        response = _list_bindings(request, after, now)
    except _Refused as refused:
        after, response = alive, refused.response
    except InvalidValue as error:
        after, response = alive, ResponseSpec(400, f"Bad {error.kind}")
    return RegistrarResult(after, response, changed=after != before)


def flow_to_json(flow: Flow) -> dict[str, Any]:
    """Return a flow as JSON has it."""
    return {
        "transport": flow.transport.value,
        "local": [flow.local.host, flow.local.port],
        "remote": [flow.remote.host, flow.remote.port],
        "connection": flow.connection,
    }


def flow_from_json(value: dict[str, Any]) -> Flow:
    """Read what flow_to_json() wrote."""
    return Flow(
        Transport(value["transport"]),
        Address(*value["local"]),
        Address(*value["remote"]),
        value["connection"],
    )


def _require_known_extensions(request: Request) -> None:
    unknown = [t for t in request.headers.get_all("Require") if t.lower() not in _SUPPORTED]
    if unknown:
        raise _Refused(ResponseSpec(420, headers=(("Unsupported", ", ".join(unknown)),)))


def _update(
    request: Request,
    flow: Flow | None,
    bindings: tuple[Binding, ...],
    now: float,
    rules: RegistrarRules,
) -> tuple[Binding, ...]:
    contacts = request.headers.get_all("Contact")
    if len(contacts) > MAX_CONTACTS:
        raise _Refused(ResponseSpec(400, "Too Many Contacts"))
    if "*" in contacts:
        return _remove_all(request, contacts, bindings)
    template = _binding_template(request, flow)
    updated = list(bindings)
    for text in contacts:
        contact = NameAddr.parse(text)
        uri = contact.uri
        if not isinstance(uri, SipUri) or len(text) > MAX_TEXT:
            raise _Refused(ResponseSpec(400, "Bad Contact"))
        expires = _granted_expires(contact, request, rules)
        place = _find(updated, uri)
        # Whether it is the same contact twice in one request: the later one holds.
        if place is not None and updated[place] in bindings:
            _require_order(request, updated[place])
        if expires == 0:
            if place is not None:
                del updated[place]
            continue
        binding = replace(
            template, contact=str(uri), q=_preference(contact), expires_at=now + expires
        )
        if place is None:
            updated.append(binding)
        else:
            updated[place] = binding
    while len(updated) > rules.max_bindings:
        updated.remove(min(updated, key=lambda binding: binding.expires_at))
    return tuple(updated)


def _remove_all(
    request: Request, contacts: list[str], bindings: tuple[Binding, ...]
) -> tuple[Binding, ...]:
    # RFC 3261 10.3 step 6.
    if len(contacts) > 1 or (request.headers.get("Expires") or "").strip() != "0":
        raise _Refused(ResponseSpec(400, "Bad Contact"))
    for binding in bindings:
        _require_order(request, binding)
    return ()


def _require_order(request: Request, binding: Binding) -> None:
    """Refuse a request that was overtaken by a later one of the same phone (10.3 step 7)."""
    if request.call_id == binding.call_id and request.cseq.number <= binding.cseq:
        raise _Refused(ResponseSpec(500, "CSeq Out Of Order"))


def _binding_template(request: Request, flow: Flow | None) -> Binding:
    path = request.headers.get_all("Path")
    if len(path) > MAX_PATH or any(len(value) > MAX_TEXT for value in path):
        raise _Refused(ResponseSpec(400, "Bad Path"))
    if not all(isinstance(NameAddr.parse(value).uri, SipUri) for value in path):
        raise _Refused(ResponseSpec(400, "Bad Path"))
    if len(request.call_id) > MAX_TEXT:
        raise _Refused(ResponseSpec(400, "Bad Call-ID"))
    return Binding(
        contact="",
        call_id=request.call_id,
        cseq=request.cseq.number,
        expires_at=0.0,
        path=tuple(path),
        user_agent=(request.headers.get("User-Agent") or "")[:MAX_USER_AGENT],
        flow=flow,
    )


def _granted_expires(contact: NameAddr, request: Request, rules: RegistrarRules) -> int:
    """Return for how many seconds the contact is bound; 0 to unbind it."""
    wanted = contact.parameter("expires")
    if wanted is None:
        wanted = request.headers.get("Expires")
    expires = rules.default_expires if wanted is None else _parse_expires(wanted)
    if 0 < expires < rules.min_expires:
        raise _Refused(ResponseSpec(423, headers=(("Min-Expires", str(rules.min_expires)),)))
    return min(expires, rules.max_expires)


def _parse_expires(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return 3600  # what a malformed value means (RFC 3261 10.2.1.1)
    return int(text)


def _preference(contact: NameAddr) -> float:
    try:
        q = float(contact.parameter("q") or 1)
    except ValueError:
        return 1.0
    return q if 0 <= q <= 1 else 1.0


def _find(bindings: list[Binding], uri: SipUri) -> int | None:
    text = str(uri)
    for place, binding in enumerate(bindings):
        if binding.contact == text or binding.uri.equivalent(uri):
            return place
    return None


def _list_bindings(request: Request, bindings: tuple[Binding, ...], now: float) -> ResponseSpec:
    headers = [
        (
            "Contact",
            f"<{binding.contact}>;expires={max(1, round(binding.expires_at - now))}"
            + ("" if binding.q == 1 else f";q={binding.q:.3g}"),
        )
        for binding in bindings
    ]
    if request.headers.has_token("Supported", "path"):
        # RFC 3327 5.3: only who knows of Path is told.
        headers += [("Path", value) for value in request.headers.get_all("Path")]
    return ResponseSpec(200, headers=tuple(headers))
