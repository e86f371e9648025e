"""Reading and writing session descriptions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip.sdp import (
    MAX_BYTES,
    MAX_LINES,
    MAX_MEDIA,
    Direction,
    MalformedDescription,
    Media,
    Origin,
    SessionDescription,
)

RFC_8866 = """\
v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
t=0 0
m=audio 49170 RTP/AVP 0
m=audio 49180 RTP/AVP 0
m=video 51372 RTP/AVP 99
c=IN IP6 2001:db8::2
a=rtpmap:99 h263-1998/90000
"""


def test_the_example_of_rfc_8866_5():
    read = SessionDescription.parse(RFC_8866)
    assert read.origin == Origin("3724394400", "3724394405", "198.51.100.1", "jdoe")
    assert read.name == "Call to John Smith"
    assert [(m.kind, m.port) for m in read.media] == [
        ("audio", 49170),
        ("audio", 49180),
        ("video", 51372),
    ]
    assert [read.address_of(m) for m in read.media] == [
        "198.51.100.1",
        "198.51.100.1",
        "2001:db8::2",
    ]
    assert read.media[2].attribute("rtpmap") == "99 h263-1998/90000"


def test_a_description_is_written_in_the_order_of_rfc_8866():
    description = SessionDescription(
        Origin("1", "2", "192.0.2.1"),
        address="192.0.2.1",
        bandwidths=("AS:84",),
        attributes=(("sendonly", None),),
        media=(
            Media(
                "audio", 4000, "RTP/AVP", ("0", "8"), "2001:db8::1", (("ptime", "20"),), ("RS:0",)
            ),
            Media("video", 0, "RTP/AVP", ("31",)),
        ),
    )
    assert str(description).split("\r\n") == [
        "v=0",
        "o=- 1 2 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "b=AS:84",
        "t=0 0",
        "a=sendonly",
        "m=audio 4000 RTP/AVP 0 8",
        "c=IN IP6 2001:db8::1",
        "b=RS:0",
        "a=ptime:20",
        "m=video 0 RTP/AVP 31",
        "",
    ]
    assert SessionDescription.parse(description.to_bytes()) == description


@pytest.mark.parametrize("line_end", ["\r\n", "\n", " \r\n", "\r\r\n"])
def test_line_ends_may_be_any_that_phones_send(line_end):
    text = RFC_8866.replace("\n", line_end)
    assert SessionDescription.parse(text) == SessionDescription.parse(RFC_8866)
    assert SessionDescription.parse(text.encode()) == SessionDescription.parse(RFC_8866)


@pytest.mark.parametrize("around", ["\r\n", "\n\n", "\0", " "])
def test_blank_lines_and_nulls_at_the_ends_are_left_out(around):
    padded = around + RFC_8866 + around
    assert SessionDescription.parse(padded) == SessionDescription.parse(RFC_8866)
    inside = RFC_8866.replace("t=0 0\n", "t=0 0\n\n")
    assert SessionDescription.parse(inside) == SessionDescription.parse(RFC_8866)


def test_origin_name_and_times_may_be_missing():
    read = SessionDescription.parse("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n")
    assert read.origin is None
    assert read.name == "-"
    assert read.address_of(read.media[0]) == "192.0.2.1"


@pytest.mark.parametrize(
    ("line", "origin"),
    [
        ("o=SIP UA 1 2 IN IP4 192.0.2.1", Origin("1", "2", "192.0.2.1")),
        ("o=- 123abc 0x1 IN IP6 ::1", Origin("123abc", "0x1", "::1")),
        ("o=- 1 IN IP4 192.0.2.1", None),
        ("o=", None),
    ],
)
def test_an_odd_origin_spoils_nothing(line, origin):
    assert SessionDescription.parse(f"v=0\n{line}\ns=-\n").origin == origin


def test_unknown_lines_are_passed_over():
    text = "v=0\nx=what\nZ=0\no=- 1 1 IN IP4 192.0.2.1\nq=5\nm=audio 4000 RTP/AVP 0\ny=1\n"
    assert SessionDescription.parse(text).media == (Media("audio", 4000, "RTP/AVP", ("0",)),)


def test_the_slash_of_a_multicast_address_or_of_a_pair_of_ports_is_left_out():
    read = SessionDescription.parse("v=0\nc=IN IP4 224.2.1.1/127/3\nm=audio 4000/2 RTP/AVP 0\n")
    assert read.address == "224.2.1.1"
    assert read.media[0].port == 4000


@pytest.mark.parametrize(
    ("session", "media", "direction"),
    [
        ("", "", Direction.SENDRECV),
        ("a=sendonly", "", Direction.SENDONLY),
        ("a=sendonly", "a=recvonly", Direction.RECVONLY),
        ("", "a=Inactive", Direction.INACTIVE),
        ("a=inactive", "a=sendrecv", Direction.SENDRECV),
    ],
)
def test_a_direction_holds_for_the_session_unless_the_media_has_its_own(session, media, direction):
    read = SessionDescription.parse(f"v=0\n{session}\nm=audio 4000 RTP/AVP 0\n{media}\n")
    assert read.direction_of(read.media[0]) is direction


def test_directions_mirror_and_narrow():
    assert [d.mirrored for d in Direction] == [
        Direction.SENDRECV,
        Direction.RECVONLY,
        Direction.SENDONLY,
        Direction.INACTIVE,
    ]
    assert Direction.SENDONLY.within(Direction.RECVONLY) is Direction.INACTIVE
    assert Direction.SENDRECV.within(Direction.RECVONLY) is Direction.RECVONLY


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("hello", 1),
        ("v=1\n", 1),
        ("o=- 1 1 IN IP4 192.0.2.1\nv=0\n", 1),
        ("v=0\ns=-\nno equals sign\n", 3),
        ("v=0\nc=IN IP4\n", 2),
        ("v=0\nc=ATM NSAP 47.0091\n", 2),
        ("v=0\nc=IN IP4 /127\n", 2),
        ("v=0\n\nm=audio\n", 3),
        ("v=0\nm=audio x RTP/AVP 0\n", 2),
        ("v=0\nm=audio 65536 RTP/AVP 0\n", 2),
        ("v=0\nm=audio -1 RTP/AVP 0\n", 2),
        ("v=0\nm=audio ४००० RTP/AVP 0\n", 2),
    ],
)
def test_an_error_names_its_line(text, line):
    with pytest.raises(MalformedDescription) as caught:
        SessionDescription.parse(text)
    assert caught.value.line == line


def test_size_lines_and_media_are_bounded():
    head = "v=0\n"
    SessionDescription.parse(head + "a=x\n" * (MAX_LINES - 1))
    SessionDescription.parse(head + "m=audio 0 RTP/AVP 0\n" * MAX_MEDIA)
    for text in (
        head + "a=x\n" * MAX_LINES,
        head + "m=audio 0 RTP/AVP 0\n" * (MAX_MEDIA + 1),
        head + "a=" + "x" * MAX_BYTES,
    ):
        with pytest.raises(MalformedDescription):
            SessionDescription.parse(text)


lines = st.one_of(
    st.text(max_size=30),
    st.builds(
        "{}={}".format,
        st.sampled_from("vosiuepcbtrzkamxy"),
        st.one_of(
            st.text(max_size=30),
            st.lists(
                st.sampled_from(
                    [
                        *("audio", "4000", "RTP/AVP", "0", "101", "IN", "IP4", "IP6", "192.0.2.1"),
                        *("::1", "[::1]/5", "rtpmap:101", "ptime:", "-", "ſ", "\x85", "\r", "\0"),
                    ]
                ),
                max_size=8,
            ).map(" ".join),
        ),
    ),
)


@given(st.lists(lines, max_size=12).map(lambda rest: "\n".join(["v=0", *rest])))
def test_what_was_read_is_written_so_that_it_reads_the_same(text):
    try:
        read = SessionDescription.parse(text)
    except MalformedDescription as error:
        assert error.line > 1  # noqa: PT017  # no text need be an error
        return
    assert SessionDescription.parse(read.to_bytes()) == read


@given(st.binary(max_size=300))
def test_any_bytes_are_a_description_or_an_error(body):
    for candidate in (body, b"v=0\r\n" + body):
        try:
            read = SessionDescription.parse(candidate)
        except MalformedDescription as error:
            assert error.problem  # noqa: PT017  # no bytes need be an error
        else:
            assert SessionDescription.parse(read.to_bytes()) == read


def outcome(text):
    try:
        return SessionDescription.parse(text)
    except MalformedDescription as error:
        return str(error)


@given(
    st.text(max_size=20),
    st.lists(lines, max_size=4),
    st.integers(0, 70_000),
    st.lists(lines, max_size=8),
    st.sampled_from(["\r\n", "\n"]),
)
def test_a_description_says_the_same_whether_or_not_its_like_was_read_before(
    origin, session, port, media, line_end
):
    for audio in (port, port // 2):
        start = ["v=0", f"o={origin} {audio} 1 IN IP4 192.0.2.1", *session]
        text = line_end.join([*start, f"m=audio {audio} RTP/AVP 0 101", *media])
        # What begins with a blank line is read word for word.
        assert outcome(text) == outcome("\n" + text)
