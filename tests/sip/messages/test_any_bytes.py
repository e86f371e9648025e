"""Whatever bytes come in: a message or a RemoteProtocolError, and the same however they are cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from twoleg.sip import (
    InvalidValue,
    KeepAlive,
    NameAddr,
    RemoteProtocolError,
    Request,
    Response,
    StreamParser,
    Via,
    parse_message,
)

SAMPLES = sorted(
    path.read_bytes() for path in (Path(__file__).parents[1] / "data" / "rfc4475").glob("*.dat")
)
PIECES = [
    b"", b"\0", b"\\\0", b'"', b'\\"', b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\r\n ", b",", b";",
    b"<", b">", b"=", b":", b" ", b"\t", b"/", b"%", b"\xff", b"\xc3\xa9", b"@", b"[::1]", b"*",
    b"\r\nVia: ", b"\r\nv: SIP/2.0/UDP a", b"\r\nl: 3", b"\r\nContent-Length: 0", b"\r\nTo: <a:b>",
    b"\r\nMax-Forwards: -1", b"\r\nReason: SIP;cause=1e9", b"\r\nRoute: <sip:x;lr>, ", b"SIP/2.0",
    b"99999999999999999999", "٣".encode(), "²".encode(),
]  # fmt: skip
VALUES = ("method", "via", "vias", "from_", "to", "cseq", "call_id", "contacts", "contact_is_star",
          "routes", "record_routes", "max_forwards", "content_type", "cause")  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.sampled_from([0, 0, 1, 2, 40]))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
        data = data[:start] + piece + data[end:]
    return data


def parsed(data: bytes) -> Request | Response | RemoteProtocolError:
    try:
        return parse_message(data)
    except RemoteProtocolError as error:
        return error


def check_answer(error: RemoteProtocolError, request: Request) -> None:
    """What can be answered has a place where the answer goes to, and is written in whole lines."""
    assert request.method != "ACK"
    assert request.via.host
    response = request.make_response(error.status, error.reason, to_tag="1").to_bytes()
    head = response.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"SIP/2.0 %d " % error.status)
    assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n")
    assert b"\0" not in head


def read_all(message: Request | Response) -> None:
    """Read every typed value, as someone would in time."""
    for name in VALUES:
        if hasattr(type(message), name):
            try:
                getattr(message, name)
            except InvalidValue:
                pass
    message.accepts("application/sdp")


@given(st.binary(max_size=300) | damaged())
@example(b"")
@example(b"\r\n\r\n")
@example(b"INVITE")
@example(b"SIP/2.0 200\r\n\r\n")
@example(b" \r\n \r\n\r\n")
def test_any_datagram_is_a_message_or_a_remote_protocol_error(data):
    message = parsed(data)
    if isinstance(message, RemoteProtocolError):
        if message.request is not None:
            check_answer(message, message.request)
        return
    read_all(message)
    # What every user relies upon, without a look at whether it is there.
    assert message.via.host
    assert message.from_.uri
    assert message.to.uri
    assert message.call_id
    assert message.cseq.number >= 0


@given(damaged())
def test_a_message_that_is_written_reads_the_same(data):
    message = parsed(data)
    if isinstance(message, RemoteProtocolError):
        return
    written = message.to_bytes()
    assert parse_message(written) == message
    assert parse_message(written).to_bytes() == written
    assert message.to_bytes() == written


@given(damaged())
def test_values_that_are_written_read_the_same(data):
    message = parsed(data)
    if isinstance(message, RemoteProtocolError):
        return
    for address in (message.from_, message.to):
        assert NameAddr.parse(str(address)) == address
    for via in message.vias:
        assert Via.parse(str(via)) == via


def taken_apart(pieces: list[bytes]) -> list[object]:
    parser = StreamParser()
    items: list[object] = []
    try:
        for piece in pieces:
            items.extend(map(comparable, parser.feed(piece)))
    except RemoteProtocolError as error:
        items.append(("lost", error.status, error.reason))
    return items


def comparable(item: object) -> object:
    if isinstance(item, RemoteProtocolError):
        return item.status, item.reason
    return KeepAlive if isinstance(item, KeepAlive) else item


@given(
    st.lists(st.sampled_from([*SAMPLES, b"\r\n", b"\r\n\r\n"]) | damaged(), max_size=3), st.data()
)
def test_a_stream_gives_the_same_however_it_is_cut(messages, data):
    stream = b"".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]
    assert taken_apart(pieces) == taken_apart([stream])


@given(damaged())
def test_a_stream_byte_by_byte_gives_what_it_gives_at_once(data):
    assert taken_apart([data[at : at + 1] for at in range(len(data))]) == taken_apart([data])


@given(st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=3))
def test_a_message_is_the_same_from_a_stream_as_from_a_datagram(messages):
    for data in messages:
        message = parsed(data)
        if isinstance(message, RemoteProtocolError):
            continue
        (item,) = StreamParser().feed(message.to_bytes())
        assert item == message
