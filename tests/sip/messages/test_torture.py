"""The torture messages of RFC 4475, each with the treatment that its section describes.

They are sent to a user agent that takes INVITEs and REGISTERs, as single datagrams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

import pytest

from twoleg.sip import (
    Address,
    DigestVerifier,
    Flow,
    Invited,
    KeepAlive,
    RemoteProtocolError,
    Request,
    RequestReceived,
    StreamParser,
    Transport,
    UserAgent,
    UserAgentConfig,
    parse_message,
    register,
)

MESSAGES = Path(__file__).parents[1] / "data" / "rfc4475"
HERE = Address("192.0.2.200", 5060)
SOURCE = Address("192.0.2.254", 5060)
QUOTED = r'"Quoted string \"\"" '


@dataclass(frozen=True)
class Accepted:
    """It is read, with these values; `answer` is the final status of the user agent, if any."""

    answer: int | None
    values: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the answer has, by name."""


@dataclass(frozen=True)
class Refused:
    """It is not acted upon, and answered so."""

    status: int
    reason: str


@dataclass(frozen=True)
class Dropped:
    """It is not acted upon and not answered."""

    reason: str


TREATMENTS: list[tuple[str, str, Accepted | Refused | Dropped]] = [
    (
        "3.1.1.1",
        "wsinv",
        Accepted(
            481,  # its To has the tag of a dialog that there is not
            {
                "uri": "sip:vivekg@chair-dnrc.example.com;unknownparam",
                "to": "<sip:vivekg@chair-dnrc.example.com>;tag=1918181833n",
                "from_.display_name": 'J Rosenberg \\"',
                "from_.tag": "98asjd8",
                "max_forwards": 68,
                "cseq": "9 INVITE",
                "vias": (
                    "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw",
                    "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8",
                    "SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239",
                ),
                "routes": ("<sip:services.example.com;lr;unknownwith=value;unknown-no-value>",),
                "contacts": (
                    QUOTED + "<sip:jdrosen@example.com>;newparam=newvalue;secondparam;q=0.33",
                ),
                "content_type": "application/sdp",
            },
        ),
    ),
    (
        "3.1.1.2",
        "intmeth",
        Accepted(
            501,
            {
                "method": "!interesting-Method0123456789_*+`.%indeed'~",
                "uri.user": "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
                "uri.password": "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)",
                "to.display_name": "BEL:\a NUL:  DEL:\x7f",  # we keep no null
                "to.uri.user": "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
                "from_.display_name": "token1~` token2'+_ token3*%!.-",
                "from_.parameters": (
                    ("fromparam''~+*_!.-%", "работающий"),
                    ("tag", "_token~1'+`*%!-."),
                ),
                "max_forwards": 255,
            },
        ),
    ),
    (
        "3.1.1.3",
        "esc01",
        Accepted(
            200,
            {
                "uri.user": "sips:user@example.com",
                "uri.host": "example.net",
                "to": "<sip:user@example.com>",
                "from_.uri.user": "I have spaces",
                "contacts": ("<sip:caller@host5.example.net;lr;name=value%2541>",),
            },
        ),
    ),
    (
        "3.1.1.4",
        "escnull",
        Accepted(
            200,
            {
                "to.uri.user": "null-\0-null",
                "contacts": ("<sip:%00@host5.example.com>", "<sip:%00%00@host5.example.com>"),
            },
        ),
    ),
    (
        "3.1.1.5",
        "esc02",
        Accepted(
            501,  # it is no REGISTER
            {
                "method": "RE%47IST%45R",
                "to.display_name": "%Z%45",
                "via.branch": "z9hG4bK209%fzsnel234",
                "contacts": (
                    "<sip:alias1@host1.example.com>",
                    "<sip:alias3@host3.example.com>",
                ),
            },
        ),
    ),
    (
        "3.1.1.6",
        "lwsdisp",
        Accepted(
            200,
            {"from_.display_name": "caller", "from_.uri": "sip:caller@example.com"},
        ),
    ),
    (
        "3.1.1.7",
        "longreq",
        Accepted(
            200,
            {
                "call_id": f"longreq.one{20 * 'really'}longcallid",
                "via.host": "sip33.example.com",
                "from_.uri.host": "example.net",
                "max_forwards": 70,
            },
        ),
    ),
    ("3.1.1.8", "dblreq", Accepted(200, {"method": "REGISTER", "body": b""})),
    (
        "3.1.1.9",
        "semiuri",
        Accepted(
            200,
            {
                "uri.user": "user;par=u@example.net",
                "uri.host": "example.com",
                "uri.parameters": (),
            },
        ),
    ),
    (
        "3.1.1.10",
        "transports",
        Accepted(
            200,
            {
                "vias": (
                    "SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw",
                    "SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf",
                    "SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj",
                    "SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en",
                    "SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee",
                )
            },
        ),
    ),
    (
        "3.1.1.11",
        "mpart01",
        Accepted(
            405,  # MESSAGE is a method that we know and have no use for
            {
                "routes": ("<sip:127.0.0.1:5080>",),
                "content_type": "multipart/mixed",
                "uri.user": "kumiko",
            },
            {"Allow": "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REGISTER"},
        ),
    ),
    (
        "3.1.1.12",
        "unreason",
        Accepted(
            None, {"status": 200, "reason": "= 2**3 * 5**2 но сто девяносто девять - простое"}
        ),
    ),
    ("3.1.1.13", "noreason", Accepted(None, {"status": 100, "reason": ""})),
    ("3.1.2.1", "badinv01", Refused(400, "Malformed Via: the name of a parameter is no token")),
    ("3.1.2.2", "clerr", Refused(400, "Body Shorter Than Content-Length")),
    ("3.1.2.3", "ncl", Refused(400, "Malformed Content-Length")),
    ("3.1.2.4", "scalar02", Refused(400, "Malformed CSeq: its number is too large")),
    ("3.1.2.5", "scalarlg", Dropped("Malformed CSeq: it is no number, or one too large")),
    ("3.1.2.6", "quotbal", Refused(400, "Malformed quoted string: it is not closed")),
    (
        "3.1.2.7",
        "ltgtruri",
        Refused(400, "Malformed Request-URI: it has no scheme, or blanks in it"),
    ),
    ("3.1.2.8", "lwsruri", Refused(400, "Malformed Request Line")),
    ("3.1.2.9", "lwsstart", Refused(400, "Malformed Request Line")),
    ("3.1.2.10", "trws", Refused(400, "Malformed Request Line")),
    (
        "3.1.2.11",
        "escruri",  # what it would have us add to the request is left out
        Accepted(
            200,
            {"uri.user": "user", "uri.headers": (("route", "<sip:example.com>"),), "routes": ()},
        ),
    ),
    ("3.1.2.12", "baddate", Accepted(200)),
    ("3.1.2.13", "regbadct", Accepted(400)),
    ("3.1.2.14", "badaspec", Accepted(200, {"to.uri": "sip:t.watson@example.org"})),
    (
        "3.1.2.15",
        "baddn",
        Accepted(
            200,
            {"from_.display_name": "Bell, Alexander", "from_.uri": "sip:a.g.bell@example.com"},
        ),
    ),
    ("3.1.2.16", "badvers", Refused(505, "Version Not Supported")),
    ("3.1.2.17", "mismatch01", Refused(400, "CSeq Method Does Not Match")),
    ("3.1.2.18", "mismatch02", Refused(400, "CSeq Method Does Not Match")),
    ("3.1.2.19", "bigcode", Dropped("Malformed Status Line")),
    ("3.2.1", "badbranch", Accepted(200, {"via.branch": "z9hG4bK"})),
    ("3.3.1", "insuf", Refused(400, "Malformed From: it is missing")),
    ("3.3.2", "unkscm", Accepted(416, {"uri": "nobodyknowsthisscheme:totallyopaquecontent"})),
    ("3.3.3", "novelsc", Accepted(416, {"uri": "soap.beep://192.0.2.103:3002"})),
    (
        "3.3.4",
        "unksm2",
        Accepted(
            400,
            {
                "to": "<isbn:2983792873>",
                "from_.uri": "http://www.example.com",
                "contacts": ("<name:John_Smith>",),
            },
        ),
    ),
    (
        "3.3.5",
        "bext01",
        Accepted(420, headers={"Unsupported": "nothingSupportsThis, nothingSupportsThisEither"}),
    ),
    (
        "3.3.6",
        "invut",
        Accepted(415, {"content_type": "application/unknownformat"}, {"Accept": "application/sdp"}),
    ),
    ("3.3.7", "regaut01", Accepted(200)),
    ("3.3.8", "multi01", Refused(400, "Malformed From: it is there more than once")),
    ("3.3.9", "mcl01", Refused(400, "Several Content-Lengths")),
    ("3.3.10", "bcast", Accepted(None, {"status": 200})),
    ("3.3.11", "zeromf", Accepted(200, {"max_forwards": 0})),  # only a proxy must not go on
    (
        "3.3.12",
        "cparam01",
        Accepted(
            200,
            {"contacts": ("<sip:+19725552222@gw1.example.net>;unknownparam",)},
            {"Contact": "<sip:+19725552222@gw1.example.net>;expires=600"},
        ),
    ),
    (
        "3.3.13",
        "cparam02",
        Accepted(
            200,
            {"contacts": ("<sip:+19725552222@gw1.example.net;unknownparam>",)},
            {"Contact": "<sip:+19725552222@gw1.example.net;unknownparam>;expires=600"},
        ),
    ),
    (
        "3.3.14",
        "regescrt",
        Accepted(
            200,
            headers={
                "Contact": "<sip:user@example.com?route=%3Csip:sip.example.com%3E>;expires=600"
            },
        ),
    ),
    ("3.3.15", "sdp01", Accepted(406, headers={"Accept": "application/sdp"})),
    (
        "3.4.1",
        "inv2543",
        Accepted(
            200,
            {
                "from_.tag": None,
                "via.branch": None,
                "max_forwards": None,
                "record_routes": ("<sip:UserB@example.com;maddr=ss1.example.com>",),
            },
        ),
    ),
]
EACH = pytest.mark.parametrize(
    ("name", "treatment"),
    [
        pytest.param(name, treatment, id=f"{section}-{name}")
        for section, name, treatment in TREATMENTS
    ],
)


def read(name: str) -> bytes:
    return (MESSAGES / f"{name}.dat").read_bytes()


def shown(value: object) -> object:
    """Messages' values as they are written; plain ones as they are."""
    if isinstance(value, tuple):
        return value if value and isinstance(value[0], tuple) else tuple(map(shown, value))
    return value if value is None or isinstance(value, str | int | bytes) else str(value)


class Answering:
    """A user agent that takes every INVITE and REGISTER."""

    def __init__(self) -> None:
        self.agent = UserAgent(
            UserAgentConfig(
                addresses=dict.fromkeys(Transport, HERE), handled_methods=frozenset({"REGISTER"})
            ),
            tokens=lambda length: length * "x",
        )

    def treat(self, data: bytes) -> tuple[bytes | None, int]:
        """Give the final response, and how many messages were dropped."""
        transport = Transport.TCP if b"SIP/2.0/TCP" in data.partition(b"\r\nVia")[2] else None
        flow = Flow(transport or Transport.UDP, HERE, SOURCE, connection=1)
        self.agent.receive(data, flow, 0.0)
        outgoing, events, _ = self.agent.take()
        for event in events:
            if isinstance(event, Invited):
                self.agent.accept(event.leg, 0.0, b"v=0")
            elif isinstance(event, RequestReceived):
                result = register(event.request, event.flow, (), 0.0)
                self.agent.respond(event.transaction, result.response, 0.0)
        outgoing += self.agent.take()[0]
        sent = [each.data for each in outgoing]
        finals = [each for each in sent if not each.startswith(b"SIP/2.0 100 ")]
        assert len(finals) <= 1
        counters = self.agent.counters
        return (finals[0] if finals else None), counters.malformed + counters.stray_responses


def test_every_message_of_rfc_4475_is_in_the_table_once():
    names = [name for _, name, _ in TREATMENTS]
    assert sorted(names) == sorted(path.stem for path in MESSAGES.glob("*.dat"))
    assert len(names) == 49


@EACH
def test_it_is_read_as_its_section_says(name, treatment):
    data = read(name)
    if isinstance(treatment, Accepted):
        message = parse_message(data)
        values = {path: shown(attrgetter(path)(message)) for path in treatment.values}
        assert values == treatment.values
    else:
        with pytest.raises(RemoteProtocolError) as raised:
            parse_message(data)
        assert raised.value.reason == treatment.reason
        assert (raised.value.request is not None) == isinstance(treatment, Refused)


@EACH
def test_it_is_answered_as_its_section_says(name, treatment):
    response, dropped = Answering().treat(read(name))
    if isinstance(treatment, Dropped) or (
        isinstance(treatment, Accepted) and treatment.answer is None
    ):
        assert response is None
        assert dropped == 1
        return
    assert response is not None
    assert dropped == 0
    # What is wrong in a request is wrong in its answer too, and cannot be parsed.
    start_line, *lines = response.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    if isinstance(treatment, Refused):
        assert start_line == f"SIP/2.0 {treatment.status} {treatment.reason}"
    else:
        assert start_line.startswith(f"SIP/2.0 {treatment.answer} ")
        assert {f"{name}: {value}" for name, value in treatment.headers.items()} <= set(lines)


@EACH
def test_it_is_written_as_it_was_read(name, treatment):
    if isinstance(treatment, Accepted):
        message = parse_message(read(name))
        assert parse_message(message.to_bytes()) == message


def test_what_follows_the_body_in_a_datagram_is_left_out_but_in_a_stream_is_the_next_message():
    data = read("dblreq")
    in_stream = StreamParser().feed(data)
    assert next(in_stream) == parse_message(data)
    assert next(in_stream).method == "INVITE"


def test_all_of_a_long_request_is_read():
    request = parse_message(read("longreq"))
    assert [via.host for via in request.vias] == [
        *[f"sip{number}.example.com" for number in range(33, 0, -1)],
        "host.example.com",
    ]
    assert request.vias[-1].received == "192.0.2.5"
    assert len(request.to.uri.parameters) == 3
    assert [len(value or "") for _, value in request.from_.parameters] == [155, 92, 0]


def test_the_binary_parts_of_a_body_are_kept_byte_for_byte():
    request = parse_message(read("mpart01"))
    assert len(request.body) == 553
    assert read("mpart01").endswith(request.body)


def test_unknown_headers_are_kept_as_they_are():
    request = parse_message(read("wsinv"))
    assert request.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert request.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert request.headers.get("Subject") == ""


def test_a_header_whose_name_is_escaped_is_another_header():
    request = parse_message(read("esc02"))
    assert request.headers.get("C%6Fntact") == "<sip:alias2@host2.example.com>"


def test_credentials_of_an_unknown_scheme_are_as_none_at_all():
    verifier = DigestVerifier("example.com", bytes(32))
    assert verifier.find(parse_message(read("regaut01")).headers) is None


def test_the_answer_to_an_unreadable_via_goes_where_its_readable_part_says():
    with pytest.raises(RemoteProtocolError) as raised:
        parse_message(read("badinv01"))
    assert str(raised.value.request.via) == "SIP/2.0/UDP 192.0.2.15"


def test_a_broken_frame_in_a_stream_is_answered_and_ends_the_stream():
    for name in ("ncl", "mcl01", "inv2543"):
        parser = StreamParser().feed(read(name))
        answerable = next(parser)
        assert isinstance(answerable, RemoteProtocolError)
        assert answerable.request is not None
        with pytest.raises(RemoteProtocolError) as raised:
            next(parser)
        assert raised.value is answerable


def test_a_message_of_a_stream_that_is_not_sound_leaves_the_next_one_alone():
    items = list(StreamParser().feed(read("quotbal") + b"\r\n\r\n" + read("lwsdisp")))
    assert [type(item) for item in items] == [RemoteProtocolError, KeepAlive, Request]
