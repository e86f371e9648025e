"""URIs: what is read, what is written, and which mean the same (RFC 3261 19.1, RFC 3966)."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twoleg.sip import InvalidValue, OtherUri, SipUri, TelUri, Transport, parse_uri

ANY_TEXT = st.text(max_size=20) | st.binary(max_size=10).map(
    lambda data: data.decode("utf-8", "surrogateescape")
)
NAMES = ANY_TEXT.map(str.lower).filter(lambda name: name and name == name.lower())
VALUES = st.none() | ANY_TEXT
HOSTS = (
    st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
    | st.ip_addresses(v=4).map(str)
    | st.ip_addresses(v=6).map(str)
)


@st.composite
def sip_uris(draw: st.DrawFn) -> SipUri:
    user = draw(VALUES)
    return SipUri(
        draw(st.sampled_from(["sip", "sips"])),
        user,
        None if user is None else draw(VALUES),
        draw(HOSTS),
        draw(st.none() | st.integers(1, 65535)),
        tuple(draw(st.lists(st.tuples(NAMES, VALUES), max_size=3))),
        tuple(draw(st.lists(st.tuples(NAMES, ANY_TEXT), max_size=3))),
    )


@given(sip_uris())
def test_a_sip_uri_that_is_written_reads_the_same(uri):
    assert parse_uri(str(uri)) == uri
    assert SipUri.parse(str(uri)).equivalent(uri)


@given(sip_uris())
def test_a_written_uri_has_nothing_that_would_end_it_or_its_line(uri):
    text = str(uri)
    assert text.isascii()
    assert not set(text) & set('\r\n\0 \t<>"')


@given(
    st.builds(
        TelUri,
        st.from_regex(r"\+?[0-9*#]{1,15}", fullmatch=True),
        st.lists(st.tuples(NAMES, VALUES), max_size=3).map(tuple),
    )
)
@example(TelUri("+12015550123", (("\r\nroute: <sip:evil>", "1"),)))
def test_a_tel_uri_that_is_written_reads_the_same(uri):
    assert parse_uri(str(uri)) == uri


@given(ANY_TEXT)
@example("sip:[::1")
@example("sip:a@b:99999999999999999999")
@example("sip:a@b?")
def test_any_text_is_a_uri_or_an_invalid_value(text):
    for attempt in (text, f"sip:{text}", f"sips:a@{text}", f"tel:{text}", f"sip:a@b;{text}"):
        try:
            uri = parse_uri(attempt)
        except InvalidValue:
            continue
        assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ],
)
def test_uris_that_rfc_3261_calls_equivalent(one, other):
    assert SipUri.parse(one).equivalent(SipUri.parse(other))
    assert SipUri.parse(other).equivalent(SipUri.parse(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;user=phone"),
        ("sip:bob@biloxi.com;maddr=192.0.2.1", "sip:bob@biloxi.com"),
    ],
)
def test_uris_that_rfc_3261_calls_not_equivalent(one, other):
    assert not SipUri.parse(one).equivalent(SipUri.parse(other))
    assert not SipUri.parse(other).equivalent(SipUri.parse(one))


def test_equivalence_is_not_transitive():
    plain, secure, insecure = map(
        SipUri.parse,
        ["sip:carol@chicago.com", "sip:carol@chicago.com;x=on", "sip:carol@chicago.com;x=off"],
    )
    assert secure.equivalent(plain)
    assert plain.equivalent(insecure)
    assert not secure.equivalent(insecure)


def test_all_parts_of_a_sip_uri_are_told_apart():
    uri = SipUri.parse(
        "SIPS:al%20ice;day=1?x:secret@[2001:DB8::1]:5081;Transport=tls;LR?Subject=a%20b"
    )
    assert (uri.scheme, uri.user, uri.password) == ("sips", "al ice;day=1?x", "secret")
    assert (uri.host, uri.port) == ("2001:db8::1", 5081)
    assert uri.parameters == (("transport", "tls"), ("lr", None))
    assert uri.headers == (("subject", "a b"),)
    assert uri.transport is Transport.TLS
    assert uri.loose
    assert uri.parameter("lr") == ""
    assert uri.parameter("ttl") is None


@pytest.mark.parametrize("name", ["udp", "UDP", "Udp"])
def test_a_transport_is_the_same_in_any_case(name):
    assert SipUri.parse(f"sip:a@b;transport={name}").transport is Transport.UDP


def test_a_transport_that_we_do_not_speak_is_none():
    assert SipUri.parse("sip:a@b;transport=sctp").transport is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "sip:a@",
        "sip:a@b:",
        "sip:a@b:0",
        "sip:a@b:65536",
        "sip:a@b:5o60",
        "sip:a@b:٥٠٦٠",
        "sip:a@b c",
        "sip:a@[::1",
        "sip:a@[::1]x",
        "sip:a@[fe80::1%25eth0]",
        "sip:a@b;=1",
        "sip:a@b?x",
        "sip:a@<b>",
        'sip:"a"@b',
        "tel:",
        "tel:abc xyz",
        "tel:hello",
        "1sip:a@b",
    ],
)
def test_what_is_no_uri_is_refused(text):
    with pytest.raises(InvalidValue):
        parse_uri(text)


def test_visual_separators_are_no_part_of_a_phone_number():
    assert parse_uri("tel:+1-(201).555-0123;phone-context=x") == TelUri(
        "+12015550123", (("phone-context", "x"),)
    )


def test_a_uri_of_another_scheme_is_kept_as_it_is():
    uri = parse_uri("urn:service:sos")
    assert uri == OtherUri("urn", "service:sos")
    assert str(uri) == "urn:service:sos"


def test_a_password_is_not_shown():
    assert "secret" not in repr(SipUri.parse("sip:alice:secret@atlanta.com"))
