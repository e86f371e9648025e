"""Datagrams and streams: where a message ends, what is refused, and the bounds of it all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip import (
    KeepAlive,
    RemoteProtocolError,
    Request,
    Response,
    StreamParser,
    parse_message,
)
from twoleg.sip.headers import Headers, canonical_name
from twoleg.sip.parser import (
    MAX_BODY,
    MAX_DATAGRAM,
    MAX_HEAD,
    MAX_LINES,
    _response,
    parse_head,
)


def refusal(data: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as raised:
        parse_message(data)
    return raised.value


def test_a_datagram_without_content_length_has_all_that_follows_for_its_body(invite):
    assert parse_message(invite(Content_Length=None, body=b"v=0\r\n")).body == b"v=0\r\n"


def test_a_datagram_that_is_longer_than_its_content_length_is_cut(invite):
    assert parse_message(invite(Content_Length="3", body=b"v=0\r\n")).body == b"v=0"


def test_a_datagram_that_is_shorter_than_its_content_length_is_refused(invite):
    assert refusal(invite(Content_Length="6", body=b"v=0\r\n")).status == 400


@pytest.mark.parametrize("length", ["", "-1", "+1", "1.0", "0x1", "1 2", "٣", "²", "9" * 5000])
def test_a_content_length_that_is_no_number_is_refused(invite, length):
    assert refusal(invite(Content_Length=length)).status == 400


def test_content_lengths_that_say_the_same_are_one(invite):
    assert parse_message(invite("l: 3", Content_Length="003", body=b"v=0")).body == b"v=0"


def test_a_datagram_may_begin_with_line_ends(invite):
    assert isinstance(parse_message(b"\r\n\r\n" + invite()), Request)


def test_a_head_that_is_not_ended_is_refused(invite):
    assert refusal(invite()[:-4]).reason == "Missing Empty Line"
    assert refusal(invite()[:-2]).status == 400


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_request_without_a_mandatory_header_is_refused(invite, name):
    error = refusal(invite(**{name: None}))
    assert error.status == 400
    assert (error.request is None) == (name == "Via")


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq"])
def test_a_header_that_may_be_there_once_is_refused_twice(invite, name):
    value = dict(parse_message(invite()).headers)[name]
    assert refusal(invite(f"{name}: {value}")).status == 400


def test_max_forwards_may_be_missing(invite):
    assert parse_message(invite(**{"Max-Forwards": None})).max_forwards is None


@pytest.mark.parametrize(
    "start",
    [
        "INVITE",
        "INVITE sip:bob@biloxi.com",
        "INVITE sip:bob@biloxi.com HTTP/1.1",
        "INVITE  sip:bob@biloxi.com SIP/2.0",
        "INVITE sip:bob@biloxi.com SIP/2.0 ",
        "INVITE\tsip:bob@biloxi.com\tSIP/2.0",
        "INV(ITE sip:bob@biloxi.com SIP/2.0",
        "INVITE bob@biloxi.com SIP/2.0",
        " INVITE sip:bob@biloxi.com SIP/2.0",
    ],
)
def test_a_malformed_request_line_is_refused(invite, start):
    assert refusal(invite(start=start)).status == 400


@pytest.mark.parametrize("version", ["SIP/3.0", "SIP/2.1", "SIP/1.0"])
def test_another_version_is_refused_as_such(invite, version):
    error = refusal(invite(start=f"INVITE sip:bob@biloxi.com {version}"))
    assert (error.status, error.reason) == (505, "Version Not Supported")
    assert error.request is not None


def test_the_version_is_the_same_in_any_case(invite):
    assert parse_message(invite(start="INVITE sip:bob@biloxi.com sip/2.0")).method == "INVITE"


@pytest.mark.parametrize("status", ["099", "700", "20", "2000", "2OO", "٢٠٠", "-20"])
def test_a_response_whose_status_is_none_is_dropped(invite, status):
    assert refusal(invite(start=f"SIP/2.0 {status} OK")).request is None


def test_a_response_whose_reason_is_not_utf_8_is_read(invite):
    response = parse_message(invite(start="SIP/2.0 486 Besetzt \udcfc"))
    assert isinstance(response, Response)
    assert response.to_bytes().startswith(b"SIP/2.0 486 Besetzt \xfc\r\n")


def test_an_ack_is_never_answered(invite):
    data = invite(start="ACK sip:bob@biloxi.com SIP/2.0", CSeq="1 INVITE")
    assert refusal(data).request is None


@pytest.mark.parametrize("end", ["\n", "\r", "\n\r"])
def test_a_stray_line_end_is_refused(invite, end):
    error = refusal(invite(f"Subject: a{end}b: c"))
    assert error.reason == "Stray Line End"
    assert error.request is None  # we echo nothing of it


@pytest.mark.parametrize("value", ["\0", "\\\0", '"a\0"', '"a" \\\0', '"a\\\0', '\\\0"a"'])
def test_a_null_is_refused_where_it_is_not_escaped_in_a_quoted_string(invite, value):
    assert refusal(invite(f"Subject: {value}")).reason == "Stray Null"


def test_a_null_that_is_escaped_in_a_quoted_string_becomes_a_blank(invite):
    request = parse_message(invite(From='"a\\\0" <sip:a@b>;tag=1'))
    assert request.headers.get("From") == r'"a\ " <sip:a@b>;tag=1'


def test_a_line_without_a_name_is_refused(invite):
    for line in ("no colon", ": no name", "na me: x", "näme: x"):
        assert refusal(invite(line)).reason == "Malformed Header"


LINES = st.lists(
    st.tuples(
        st.sampled_from(["Via", "v", "VIA", "X-a", "Subject", "Call-ID", "call-id"]),
        st.sampled_from([":", ": ", " : ", "\t:", ":\t", ":  "]),
        st.text("a:, \t\u00a0\u2028\x0b", max_size=6),
    ),
    max_size=8,
)


@given(LINES)
def test_a_line_is_a_name_and_a_value_however_its_colon_is_set_apart(lines):
    written = "".join([f"\r\n{name}{colon}{value}" for name, colon, value in lines])
    expected: dict[str, tuple[str, ...]] = {}
    for line in written.split("\r\n")[1:]:
        name, value = re.fullmatch("(.*?)[ \t]*:(.*)", line, re.DOTALL).groups()
        known = canonical_name(name)
        expected[known] = (*expected.get(known, ()), value.strip())
    read = parse_head(f"SIP/2.0 200 OK{written}".encode())
    assert read.headers.by_name == expected


@given(st.text("9 2OKSIP/.0", max_size=14))
def test_a_status_line_is_read_alike_whether_it_is_usual_or_not(rest):
    line = f"SIP/2.0 {rest}"
    the_long_way = outcome(lambda line: _response(line, Headers()), line)
    assert outcome(parse_head, line.encode()) == the_long_way


def outcome(parse, data):
    try:
        message = parse(data)
    except RemoteProtocolError as error:
        return error.status, error.reason
    return message.status, message.reason


def test_a_value_goes_on_in_folded_lines(invite):
    request = parse_message(invite("Subject: I know\r\n  you are\t\r\n\tthere"))
    assert request.headers.get("Subject") == "I know you are there"


def test_a_datagram_of_the_greatest_length_is_read(invite):
    room = MAX_DATAGRAM - len(invite(Content_Length=None))
    assert len(parse_message(invite(Content_Length=None, body=bytes(room))).body) == room
    assert refusal(invite(Content_Length=None, body=bytes(room + 1))).status == 513


def test_as_many_lines_as_the_bound_says_are_read(invite):
    there = len(parse_message(invite()).headers)
    lines = [f"X-{number}: {number}" for number in range(MAX_LINES - there)]
    assert len(parse_message(invite(*lines)).headers) == MAX_LINES
    assert refusal(invite(*lines, "X-More: 1")).reason == "Too Many Headers"


def of_stream(*pieces: bytes) -> list[object]:
    parser = StreamParser()
    return [item for piece in pieces for item in parser.feed(piece)]


def test_a_message_is_given_with_its_last_byte_and_not_before(invite):
    data = invite(body=b"v=0")
    parser = StreamParser()
    assert list(parser.feed(data[:-1])) == []
    assert list(parser.feed(data[-1:])) == [parse_message(data)]


def test_messages_of_a_stream_come_in_order(invite):
    first, second = invite(body=b"one"), invite(body=b"two")
    assert [item.body for item in of_stream(first + second)] == [b"one", b"two"]


def test_a_double_line_end_is_a_keep_alive_and_a_single_one_nothing(invite):
    items = of_stream(b"\r\n\r\n", b"\r\n", invite(), b"\r", b"\n\r\n")
    assert [type(item) for item in items] == [KeepAlive, Request, KeepAlive]


@pytest.mark.parametrize("line", ["Content-Length: 3", "l:3", "L  :  3", "CONTENT-LENGTH:\r\n 3"])
def test_a_stream_is_framed_by_content_length_however_it_is_written(invite, line):
    (request,) = of_stream(invite(line, Content_Length=None) + b"v=0")
    assert request.body == b"v=0"


def test_what_only_looks_like_a_content_length_frames_nothing(invite):
    (request,) = of_stream(invite("Language: 9", "Content-Length-X: 9", body=b"v=0"))
    assert request.body == b"v=0"


@pytest.mark.parametrize(
    ("length", "status"),
    [(None, 400), ("x", 400), ("", 400), ("1, 1", 400), (f"{MAX_BODY + 1}", 513)],
)
def test_a_stream_whose_framing_is_lost_is_answered_and_given_up(invite, length, status):
    stream = StreamParser().feed(invite(Content_Length=length) + invite())
    answer = next(stream)
    assert isinstance(answer, RemoteProtocolError)
    assert answer.status == status
    assert answer.request.call_id == "a84b4c76e66710@pc33.atlanta.com"
    with pytest.raises(RemoteProtocolError):
        next(stream)


def test_a_lost_frame_that_cannot_be_answered_is_only_given_up():
    with pytest.raises(RemoteProtocolError):
        of_stream(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_body_of_the_greatest_length_is_taken_from_a_stream(invite):
    (request,) = of_stream(invite(body=bytes(MAX_BODY)))
    assert len(request.body) == MAX_BODY


def test_a_head_that_never_ends_is_given_up():
    parser = StreamParser()
    assert list(parser.feed(b"INVITE " + bytes(MAX_HEAD - 7))) == []
    with pytest.raises(RemoteProtocolError) as raised:
        list(parser.feed(b"x"))
    assert raised.value.status == 513
