"""Dialogs (RFC 3261 12): the identifiers that join two user agents, and requests within."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twoleg.sip.drafts import Draft
from twoleg.sip.endpoint import Endpoint
from twoleg.sip.errors import InvalidValue, LocalProtocolError
from twoleg.sip.fields import NameAddr
from twoleg.sip.grammar import split_values
from twoleg.sip.header_lines import route_lines
from twoleg.sip.message import Message, Request, Response
from twoleg.sip.remembered import remembered
from twoleg.sip.transport import Destination, Flow, Transport
from twoleg.sip.uri import SipUri, TelUri, Uri, parse_uri
from twoleg.sip.values import immutable

RECOVERED_CSEQ_GAP = 1000
"""How far a recovered dialog skips ahead: past whatever its first owner sent (12.2.1.1)."""


@immutable()
class DialogIdentity:
    """All that a later request of the dialog needs, also from another process.

    `local_uri` and `remote_uri` are the values of From and To of our requests without their tags;
    `route_set` is in the order of our requests. `flow` is the connection that the dialog keeps to.
    """

    call_id: str
    local_tag: str
    remote_tag: str
    local_cseq: int
    remote_cseq: int | None
    local_uri: str
    remote_uri: str
    remote_target: str
    route_set: tuple[str, ...]
    transport: Transport
    destination: Destination | None = None
    flow: Flow | None = None

    def to_json(self) -> dict[str, Any]:
        """Give a dictionary that JSON can hold. A flow dies with its process, and is left out."""
        destination = self.destination
        return {
            "call_id": self.call_id,
            "local_tag": self.local_tag,
            "remote_tag": self.remote_tag,
            "local_cseq": self.local_cseq,
            "remote_cseq": self.remote_cseq,
            "local_uri": self.local_uri,
            "remote_uri": self.remote_uri,
            "remote_target": self.remote_target,
            "route_set": list(self.route_set),
            "transport": self.transport.value,
            "destination": destination
            and {
                "host": destination.host,
                "port": destination.port,
                "domain": destination.domain,
                "verify": destination.verify,
            },
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DialogIdentity:
        """Read what `to_json` gave. Raises InvalidValue."""
        try:
            transport = Transport(values["transport"])
            there = values.get("destination")
            return cls(
                call_id=str(values["call_id"]),
                local_tag=str(values["local_tag"]),
                remote_tag=str(values["remote_tag"]),
                local_cseq=int(values["local_cseq"]),
                remote_cseq=values["remote_cseq"],
                local_uri=str(values["local_uri"]),
                remote_uri=str(values["remote_uri"]),
                remote_target=str(values["remote_target"]),
                route_set=tuple(values["route_set"]),
                transport=transport,
                destination=Destination(transport, **there) if there else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidValue("dialog", "a part of it is missing or unreadable") from error


class Dialog:
    """Our side of a dialog: it numbers requests, checks those of the peer, and knows the way."""

    __slots__ = (
        "_first_hop",
        "_target_text",
        "_way",
        "call_id",
        "endpoint",
        "flow",
        "local_cseq",
        "local_tag",
        "local_uri",
        "remote_cseq",
        "remote_tag",
        "remote_target",
        "remote_uri",
        "route_set",
        "transport",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        call_id: str,
        local_tag: str,
        remote_tag: str,
        local_cseq: int,
        remote_cseq: int | None,
        local_uri: str,
        remote_uri: str,
        remote_target: Uri,
        route_set: tuple[str, ...],
        transport: Transport,
        first_hop: Destination | None,
        flow: Flow | None,
    ) -> None:
        self.endpoint = endpoint
        self.call_id = call_id
        self.local_tag = local_tag
        self.remote_tag = remote_tag
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.local_uri = local_uri
        self.remote_uri = remote_uri
        self.remote_target = remote_target
        self.route_set = route_set
        self.transport = transport
        self.flow = flow
        self._first_hop = first_hop
        self._target_text = str(remote_target)
        self._way: tuple[str, str, Destination, Flow | None] | None = None

    @classmethod
    def of_response(
        cls,
        endpoint: Endpoint,
        draft: Draft,
        response: Response,
        local_uri: str,
        local_tag: str,
        target: Uri,
    ) -> Dialog:
        """Give the dialog that a response to our INVITE makes (RFC 3261 12.1.2).

        `target` stands in where the response has no usable Contact.
        """
        call_id, local_cseq, remote_cseq = draft.call_id, draft.cseq, None
        remote_tag, remote_uri = response.to_tag or "", draft.to
        remote_target = contact_uri(response) or target
        route_set = record_route(response)[::-1]
        first_hop, flow = draft.destination, draft.flow
        return cls(
            endpoint, call_id, local_tag, remote_tag, local_cseq, remote_cseq, local_uri,
            remote_uri, remote_target, route_set, first_hop.transport, first_hop, flow,
        )  # fmt: skip

    @classmethod
    def of_request(cls, endpoint: Endpoint, request: Request, local_tag: str, flow: Flow) -> Dialog:
        """Give the dialog that a request to us makes with our answer (RFC 3261 12.1.1)."""
        return cls(
            endpoint,
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=request.from_tag or "",
            local_cseq=0,
            remote_cseq=request.cseq.number,
            local_uri=_without_tag(request.headers.get("To") or ""),
            remote_uri=_without_tag(request.headers.get("From") or ""),
            remote_target=contact_uri(request) or request.from_.uri,
            route_set=record_route(request),
            transport=flow.transport,
            first_hop=Destination(flow.transport, flow.remote.host, flow.remote.port),
            flow=flow if flow.transport.reliable else None,
        )

    @classmethod
    def of_identity(cls, endpoint: Endpoint, identity: DialogIdentity) -> Dialog:
        """Give a dialog that another process had. Raises InvalidValue, LocalProtocolError."""
        target = parse_uri(identity.remote_target)
        endpoint.address(identity.transport)
        if not isinstance(target, SipUri) and identity.destination is None:
            raise LocalProtocolError("the dialog's target names no host")
        for route in identity.route_set:
            NameAddr.parse(route)
        return cls(
            endpoint,
            call_id=identity.call_id,
            local_tag=identity.local_tag,
            remote_tag=identity.remote_tag,
            local_cseq=identity.local_cseq + RECOVERED_CSEQ_GAP,
            remote_cseq=identity.remote_cseq,
            local_uri=identity.local_uri,
            remote_uri=identity.remote_uri,
            remote_target=target,
            route_set=identity.route_set,
            transport=identity.transport,
            first_hop=identity.destination,
            flow=identity.flow,
        )

    def identity(self) -> DialogIdentity:
        """Give what the dialog is at this moment."""
        return DialogIdentity(
            self.call_id, self.local_tag, self.remote_tag, self.local_cseq, self.remote_cseq,
            self.local_uri, self.remote_uri, self._target_text, self.route_set, self.transport,
            self._first_hop, self.flow,
        )  # fmt: skip

    def next_cseq(self) -> int:
        self.local_cseq += 1
        return self.local_cseq

    def accepts(self, request: Request) -> bool:
        """Tell whether a request of the peer is in order, and note its number (12.2.2)."""
        number = request.cseq.number
        if self.remote_cseq is not None and number < self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh_target(self, message: Message) -> None:
        """Take a new Contact over (RFC 3261 12.2.1.2, 12.2.2)."""
        uri = contact_uri(message)
        if uri is not None and uri != self.remote_target:
            self.remote_target = uri
            self._target_text = str(uri)
            self._way = None

    def draft(
        self, method: str, cseq: int, headers: str = "", body: bytes = b"", branch: str = ""
    ) -> Draft:
        """Give a request of the dialog (RFC 3261 12.2.1.1)."""
        uri, routes, destination, flow = self._way or self._find_way()
        endpoint = self.endpoint
        via, branch = endpoint.via(destination.transport), branch or endpoint.branch()
        from_ = f"{self.local_uri};tag={self.local_tag}"
        to = f"{self.remote_uri};tag={self.remote_tag}" if self.remote_tag else self.remote_uri
        return Draft(
            method, uri, via, branch, from_, to, self.call_id, cseq, routes, headers, body,
            destination, flow,
        )  # fmt: skip

    def name_of(self, destination: Destination) -> Destination | None:
        """Give the next hop as the name that a destination was found for; None if it is none."""
        hop = NameAddr.parse(self.route_set[0]).uri if self.route_set else self.remote_target
        there = destination_of(hop, self.transport)
        if there is None or there.host != destination.domain:
            return None
        return replace(there, transport=destination.transport, verify=destination.verify)

    def goes_by(self, destination: Destination) -> None:
        """Have requests go where one got an answer, when the way before led nowhere."""
        destination = replace(destination, others=True)
        uri, routes, _, _ = self._way or self._find_way()
        self._way = (uri, routes, destination, None)
        self._first_hop = destination

    @property
    def leads_over(self) -> Transport:
        """The transport of our requests."""
        return (self._way or self._find_way())[2].transport

    def _find_way(self) -> tuple[str, str, Destination, Flow | None]:
        """Give, and keep, the Request-URI, the Route lines, and where to and by what flow."""
        hop, routes = self.remote_target, self.route_set
        uri, lines = self._target_text, ""
        if routes:
            hop = NameAddr.parse(routes[0]).uri
            if isinstance(hop, SipUri) and not hop.loose:
                # A strict router takes the Request-URI for itself.
                routes = (*routes[1:], f"<{uri}>")
                uri = str(replace(hop, headers=()))
            lines = route_lines(routes)
        destination, flow = self._next_hop(hop)
        way = self._way = (uri, lines, destination, flow)
        return way

    def _next_hop(self, hop: Uri) -> tuple[Destination, Flow | None]:
        there = destination_of(hop, self.transport)
        known = self._first_hop
        if there is None:
            if known is None:
                raise LocalProtocolError("the dialog's target names no host")
            there = known
        elif there.transport not in self.endpoint.config.addresses:
            there = replace(there, transport=self.transport)
        flow = self.flow
        if flow is not None and (not self.route_set or _is_end_of(flow, there, known)):
            # The peer is reached by its connection, which its NAT lets through (RFC 5626 5.3).
            return replace(there, transport=flow.transport), flow
        if (
            known is not None
            and known.transport is there.transport
            and there.host in (known.host, known.domain)
        ):
            if there.port == known.port:
                return known, None
            there = replace(there, domain=known.domain, verify=known.verify)
        return there, None


def _is_end_of(flow: Flow, there: Destination, known: Destination | None) -> bool:
    """Tell whether a next hop is what the flow leads to."""
    domain = known.domain if known is not None else None
    return there.transport is flow.transport and there.host in (flow.remote.host, domain)


def destination_of(uri: Uri, transport: Transport) -> Destination | None:
    """Give the next hop that a URI names; `transport` is for those that name none.

    None for a URI that names no host.
    """
    if not isinstance(uri, SipUri):
        return None
    if not uri.parameters and uri.scheme == "sip":
        return Destination(transport, uri.host, uri.port)
    host = uri.parameter("maddr") or uri.host
    asked = uri.transport
    if asked is not None and asked.by_websocket:
        # `ws` names both kinds (RFC 7118 5.2).
        asked = Transport.WSS if uri.scheme == "sips" or transport.secure else Transport.WS
    elif uri.scheme == "sips" or (asked is Transport.TCP and transport is Transport.TLS):
        asked = Transport.TLS
    return Destination(asked or transport, host, uri.port)


def contact_uri(message: Message) -> Uri | None:
    """Give the URI of the first Contact; None where there is none that can be used."""
    lines = message.headers.by_name.get("Contact")
    if lines is None:
        return None
    if len(lines) == 1:
        return _usable_uri(lines[0])
    try:
        contacts = message.contacts
    except InvalidValue:
        return None
    return contacts[0].uri if isinstance(contacts[0].uri, SipUri | TelUri) else None


@remembered
def _usable_uri(line: str) -> Uri | None:
    """Read the one line of a Contact header, which is the same in all calls of most far ends."""
    try:
        first, *_ = [NameAddr.parse(value) for value in split_values(line)]
    except InvalidValue:
        return None
    return first.uri if isinstance(first.uri, SipUri | TelUri) else None


def record_route(message: Message) -> tuple[str, ...]:
    """Give the Record-Route values as they came; none where they cannot be read."""
    if "Record-Route" not in message.headers.by_name:
        return ()
    try:
        routes = message.record_routes
    except InvalidValue:
        return ()
    return tuple([str(route) for route in routes])


def _without_tag(line: str) -> str:
    address = NameAddr.parse(line)
    if address.tag is None:
        return line
    kept = tuple((name, value) for name, value in address.parameters if name != "tag")
    return str(NameAddr(address.uri, address.display_name, kept))
