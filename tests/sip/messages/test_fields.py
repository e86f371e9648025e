"""Header values: what phones and trunks write, what we write, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip import CSeq, InvalidValue, NameAddr, OtherUri, Reason, SipUri, TelUri, Via
from twoleg.sip.fields import MAX_CSEQ
from twoleg.sip.grammar import MAX_VALUES, quote, split_values
from twoleg.sip.plain_fields import plain_branch, plain_identity, plain_tag
from twoleg.sip.uri import MAX_PARAMETERS

TEXT = st.text(st.characters(exclude_characters="\r\n\0"), max_size=20)
TOKENS = st.from_regex(r"[a-z0-9.!%*_+`'~-]{1,10}", fullmatch=True)
PARAMETERS = st.lists(st.tuples(TOKENS, st.none() | TEXT), max_size=4).map(tuple)
URIS = st.sampled_from(
    [
        SipUri("sip", "alice", None, "atlanta.com"),
        SipUri("sips", "a;b?c,d", "x:y", "2001:db8::1", 5061, (("lr", None),), (("to", ","),)),
        SipUri("sip", None, None, "atlanta.com", None, (("transport", "tcp"),)),
        TelUri("+12015550123"),
        OtherUri("urn", "service:sos"),
    ]
)


@given(st.builds(NameAddr, URIS, TEXT, PARAMETERS))
def test_an_address_that_is_written_reads_the_same(address):
    assert NameAddr.parse(str(address)) == address
    assert split_values(f"{address}, {address}") == [str(address), str(address)]


@given(
    st.builds(
        Via,
        st.sampled_from(["UDP", "TCP", "TLS", "SCTP"]),
        st.sampled_from(["10.0.0.1", "2001:db8::1", "pc33.atlanta.com"]),
        st.none() | st.integers(1, 65535),
        PARAMETERS,
    )
)
def test_a_via_that_is_written_reads_the_same(via):
    assert Via.parse(str(via)) == via


def glance(plain, text):
    """Give what is seen at a glance, in a tuple; nothing for what looks unusual."""
    try:
        return (plain(text),)
    except InvalidValue:
        return ()


USUAL_PORTS = st.sampled_from(["", ":5060", ":59999", ":65535", ":99999", ":0", ":"])
USUAL_PARAMETERS = st.lists(
    st.sampled_from(
        (
            *(";tag=1", ";TAG=2", ";tag", ";tag=", ";tags=3", ";branch=z9hG4bK4", ";Branch=5"),
            *(";branch", ";branchy=6", ";rport", ";lr", ";x=y", ';q="7;tag=8"', "; tag=9", ""),
        )
    ),
    max_size=4,
).map("".join)

IDENTITY_PARAMETERS = (
    *(";branch=z9hG4bK1", ";branch=1-2", ";branch=", ";branch=é", ";Branch=3", ";branch"),
    *(";tag=a1", ";tag=a-1", ";tag=", ";tag=ä", ";Tag=b", ";tag", ";rport", ";x=y", "; x", ";"),
)


@given(
    st.sampled_from(["", '"A;tag=0" ', "A B ", '"', "<"]),
    st.sampled_from(["sip:a@b", "sips:b", "sip:a;tag=1@b", "tel:1", "sip:a@[::1]", "sip:-"]),
    USUAL_PORTS,
    USUAL_PARAMETERS,
    USUAL_PARAMETERS,
)
def test_a_tag_that_is_seen_at_a_glance_is_that_of_the_whole_address(
    name, uri, port, uri_parameters, parameters
):
    text = f"{name}<{uri}{port}{uri_parameters}>{parameters}"
    for seen in glance(plain_tag, text):
        assert seen == NameAddr.parse(text).tag


@given(
    st.sampled_from(["SIP/2.0/UDP", "SIP/2.0/udp", "SIP/3.0/UDP", "SIP / 2.0 / UDP"]),
    st.sampled_from(["b", "10.0.0.1", "[::1]", "-b", ""]),
    USUAL_PORTS,
    USUAL_PARAMETERS,
)
def test_a_branch_that_is_seen_at_a_glance_is_that_of_the_whole_via(
    protocol, host, port, parameters
):
    text = f"{protocol} {host}{port}{parameters}"
    for seen in glance(plain_branch, text):
        assert seen == Via.parse(text).branch


@given(
    st.sampled_from(["SIP/2.0/UDP b", "SIP/2.0/UDP [::1]", "SIP / 2.0 / UDP b"]),
    st.sampled_from(["<sip:a@b>", "sip:a", '"<sip:c>;tag=1" <sip:a@b>', ";tag=1"]),
    st.sampled_from(["<sips:b>", "A <sip:a;tag=2@b>", "<sip:a@b;tag=3>", ""]),
    *[st.lists(st.sampled_from(IDENTITY_PARAMETERS), max_size=3).map("".join)] * 3,
)
def test_what_tells_messages_apart_is_seen_in_one_glance_as_in_three(
    via, from_, to, of_via, of_from, of_to
):
    values = (via + of_via, from_ + of_from, to + of_to)
    one_by_one = zip((plain_branch, plain_tag, plain_tag), values, strict=True)
    seen = [each for read, value in one_by_one for each in glance(read, value)]
    expected = (tuple(seen),) if len(seen) == len(values) else ()
    assert glance(lambda texts: plain_identity(*texts), values) == expected


def test_every_port_is_seen_at_a_glance_and_what_is_none_never():
    vias = [f"SIP/2.0/UDP b:{port};branch=x" for port in range(70_000)]
    seen = [port for port, via in enumerate(vias) if glance(plain_branch, via)]
    assert seen == list(range(1, 65_536))


def test_what_nearly_all_write_is_seen_at_a_glance():
    own = "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK0a1b2c"
    for more in ("", ";rport", ";rport=5060;received=10.0.0.1", ";i=7", ";alias"):
        assert plain_branch(own + more) == "z9hG4bK0a1b2c"
    assert plain_branch("SIP/2.0/WSS df7jal.invalid;branch=z9hG4bK-1.2~3;rport") == "z9hG4bK-1.2~3"
    assert plain_branch("SIP/2.0/UDP b") is None
    for address in ("<sip:+12015550123@10.0.0.1>", '"A B" <sips:a@b:5061;user=phone>', "A <sip:b>"):
        assert plain_tag(f"{address};tag=0a1b2c") == "0a1b2c"
        assert plain_tag(f"{address};tag=gK0-1.2") == "gK0-1.2"
        assert plain_tag(f"{address};x=y;tag=0a1b2c;z") == "0a1b2c"
        assert plain_tag(address) is None


@given(st.builds(Reason, TOKENS, st.none() | st.integers(0, 999), TEXT))
def test_a_reason_that_is_written_reads_the_same(reason):
    assert Reason.parse(str(reason)) == reason


@given(st.builds(CSeq, st.integers(0, MAX_CSEQ), TOKENS))
def test_a_cseq_that_is_written_reads_the_same(cseq):
    assert CSeq.parse(str(cseq)) == cseq


@given(st.text(max_size=20))
def test_a_quoted_text_never_ends_its_line(text):
    quoted = quote(text)
    assert not set(quoted) & set("\r\n\0")
    assert NameAddr.parse(f"{quoted} <sip:a@b>").uri == SipUri("sip", "a", None, "b")


@given(st.text('<>";,= sip:@ab%\\', max_size=30))
def test_any_text_is_a_value_or_an_invalid_value(text):
    for kind in (NameAddr, Via, CSeq, Reason):
        for attempt in (text, f"SIP/2.0/UDP {text}", f"<sip:a@b>{text}", f"1 {text}"):
            try:
                value = kind.parse(attempt)
            except InvalidValue:
                continue
            assert kind.parse(str(value)) == value


ADDRESS_PARTS = st.tuples(
    st.sampled_from(["", "Bob ", '"Bob" ', '"" ', "  "]),
    st.sampled_from(["<sip:", "<sips:", "<SIP:", "<tel:"]),
    st.sampled_from(["", "bob@", "+1201@", "b%6Fb@", "bob:x@", "a b@"]),
    st.sampled_from(["biloxi.com", "BILOXI.com.", "[::1]", "10.0.0.1", "-", "1"]),
    st.sampled_from(["", ":5060", ":0", ":65536", ":05060"]),
    st.sampled_from([">", ";lr>", ";Transport=UDP>", ";a=>", ";>", ";a=b;a>"]),
    st.sampled_from(["", ";tag=1", ";Tag=1", ';a="b"', ";a=", " ;a = b"]),
)
VIA_PARTS = st.tuples(
    st.sampled_from(["SIP/2.0/UDP ", "SIP/2.0/tcp ", "SIP / 2.0 / TLS  ", "SIP/2.0/UDP\t"]),
    st.sampled_from(["biloxi.com", "BILOXI.com.", "[::1]", "10.0.0.1", "-"]),
    st.sampled_from(["", ":5060", ":0", ":65536", " : 5060"]),
    st.sampled_from(["", ";branch=z9hG4bKa", ";branch=z9-1.a~", ";branch=é", ";Branch=Z", ";x"]),
    st.sampled_from(["", ";rport", ";Rport=5;lr", ";branch=b", ";rport=", ";", ' ; a = "b"']),
)


@given(ADDRESS_PARTS.map("".join))
def test_the_short_way_of_reading_an_address_gives_what_the_long_way_gives(text):
    assert outcome(NameAddr.parse, text) == outcome(NameAddr._parse_slowly, text)


@given(VIA_PARTS.map("".join))
def test_the_short_way_of_reading_a_via_gives_what_the_long_way_gives(text):
    assert outcome(Via.parse, text) == outcome(Via._parse_slowly, text)


def outcome(parse, text):
    try:
        return parse(text)
    except InvalidValue as error:
        return str(error)


@pytest.mark.parametrize(
    ("text", "display_name", "uri", "tag"),
    [
        ("<sip:a@b>;tag=1", "", "sip:a@b", "1"),
        ("sip:a@b;tag=1", "", "sip:a@b", "1"),
        ("sip:a@b;transport=tcp", "", "sip:a@b", None),
        ("Bob<sip:a@b>", "Bob", "sip:a@b", None),
        ('"Bob \\"B\\" \\\\ Smith" <sip:a@b>;tag=1', 'Bob "B" \\ Smith', "sip:a@b", "1"),
        ('"<sip:x@y>" <sip:a@b;lr>;TAG=1', "<sip:x@y>", "sip:a@b;lr", "1"),
        ("Müller, Jörg <sip:a@b> ; tag = 1", "Müller, Jörg", "sip:a@b", "1"),
        ("<sip:a@b>;tag=1;", "", "sip:a@b", "1"),
        ("<tel:+1-201-555-0123>", "", "tel:+12015550123", None),
        ("Anonymous <sip:anonymous@x.invalid>", "Anonymous", "sip:anonymous@x.invalid", None),
    ],
)  # fmt: skip
def test_addresses_as_they_come(text, display_name, uri, tag):
    address = NameAddr.parse(text)
    assert (address.display_name, str(address.uri), address.tag) == (display_name, uri, tag)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bob",
        "<sip:a@b",
        '"Bob <sip:a@b>',
        '"Bob" sip:a@b',
        "Bob <sip:a@b> x",
        "sip:a@b?x=y",
        "sip:a,b@c",
        "<sip:a@b>;tag=a b=c;=",
        '<sip:a@b>;x="',
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidValue):
        NameAddr.parse(text)


def test_a_tag_takes_the_place_of_the_one_that_is_there():
    address = NameAddr.parse("<sip:a@b>;tag=1;x=y")
    assert str(address.with_parameter("tag", "2")) == "<sip:a@b>;x=y;tag=2"


def test_a_via_says_where_the_request_came_from():
    via = Via.parse("SIP/2.0/udp [2001:DB8::1]:5070;branch=z9hG4bKa;rport=5061;received=[::1]")
    assert (via.transport, via.host, via.port) == ("UDP", "2001:db8::1", 5070)
    assert (via.branch, via.rport, via.received) == ("z9hG4bKa", 5061, "::1")


@pytest.mark.parametrize("rport", ["", "=", "=x", "=123456", "=٣"])
def test_an_rport_without_a_number_is_none(rport):
    assert Via("UDP", "a", None, (("rport", rport.lstrip("=") or None),)).rport is None


@pytest.mark.parametrize("text", ["SIP/2.0/UDP", "SIP/3.0/UDP a", "UDP a", "SIP/2.0/UDP a b", ""])
def test_what_is_no_via_is_refused(text):
    with pytest.raises(InvalidValue):
        Via.parse(text)


@pytest.mark.parametrize(
    "text", ["", "1", "INVITE", "1 INVITE x", "-1 INVITE", f"{MAX_CSEQ + 1} INVITE", "٣ INVITE"]
)
def test_what_is_no_cseq_is_refused(text):
    with pytest.raises(InvalidValue):
        CSeq.parse(text)


def test_a_reason_tells_the_cause_of_the_telephone_network():
    assert Reason.parse('Q.850 ;cause=17 ;text="User busy"') == Reason("Q.850", 17, "User busy")
    assert str(Reason("SIP", 200, "Call completed elsewhere")) == (
        'SIP;cause=200;text="Call completed elsewhere"'
    )


def test_a_list_is_split_outside_quotes_and_brackets():
    text = '"A, B" <sip:a,b@c>;x=",", sip:d@e ,<sip:f@g>'
    assert split_values(text) == ['"A, B" <sip:a,b@c>;x=","', "sip:d@e", "<sip:f@g>"]


def test_values_and_parameters_are_bounded():
    assert len(split_values("a," * (MAX_VALUES - 1) + "a")) == MAX_VALUES
    most = ";a" * MAX_PARAMETERS
    assert len(NameAddr.parse(f"<sip:a@b{most}>{most}").parameters) == MAX_PARAMETERS
    for text in (f"<sip:a@b>{most};a", f"<sip:a@b{most};a>", f"<sip:a@b?{'a=b&' * 128}a=b>"):
        with pytest.raises(InvalidValue):
            NameAddr.parse(text)
    with pytest.raises(InvalidValue):
        split_values("a," * MAX_VALUES + "a")
