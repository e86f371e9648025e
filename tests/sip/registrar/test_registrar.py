"""RFC 3261 10.3 and RFC 3327, rule by rule."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip.headers import Headers
from twoleg.sip.message import Request
from twoleg.sip.registrar import (
    MAX_CONTACTS,
    MAX_PATH,
    MAX_TEXT,
    MAX_USER_AGENT,
    Binding,
    RegistrarResult,
    RegistrarRules,
    register,
)
from twoleg.sip.transport import Address, Flow, Transport
from twoleg.sip.uri import SipUri

NOW = 1_000_000.0
FLOW = Flow(Transport.TCP, Address("192.0.2.1", 5060), Address("198.51.100.7", 49152), 7)
DESK = "sip:alice@198.51.100.7:5060"
MOBILE = "sip:alice@203.0.113.9:5070;transport=tcp"


def new_request(*headers: tuple[str, str], call_id: str = "call-1", cseq: int = 1) -> Request:
    return Request(
        "REGISTER",
        SipUri.parse("sip:twoleg.example"),
        Headers([("Call-ID", call_id), ("CSeq", f"{cseq} REGISTER"), *headers]),
    )


class Registrar:
    """The bindings of one user."""

    def __init__(self, rules: RegistrarRules | None = None):
        self.rules = rules
        self.bindings: tuple[Binding, ...] = ()

    def register(self, *headers, now: float = NOW, flow: Flow | None = FLOW, **fields):
        result = register(new_request(*headers, **fields), flow, self.bindings, now, self.rules)
        self.bindings = result.bindings
        return result

    @property
    def contacts(self) -> list[str]:
        return [binding.contact for binding in self.bindings]


def contact(uri: str, rest: str = "") -> tuple[str, str]:
    return "Contact", f"<{uri}>{rest}"


def listed(result: RegistrarResult) -> list[str]:
    return [value for name, value in result.response.headers if name == "Contact"]


def test_a_phone_is_bound_to_its_contact_and_the_flow_it_came_by():
    registrar = Registrar()
    result = registrar.register(contact(DESK), ("Expires", "300"), ("User-Agent", "Desk 1.0"))
    assert result.changed
    assert result.response.status == 200
    assert listed(result) == [f"<{DESK}>;expires=300"]
    assert registrar.bindings == (
        Binding(
            contact=DESK,
            call_id="call-1",
            cseq=1,
            expires_at=NOW + 300,
            user_agent="Desk 1.0",
            flow=FLOW,
        ),
    )


def test_without_contact_the_bindings_are_listed_and_stay():
    registrar = Registrar()
    registrar.register(contact(DESK), ("Expires", "300"))
    registrar.register(contact(MOBILE, ";q=0.5;expires=600"), call_id="call-2")
    result = registrar.register(now=NOW + 100, call_id="call-3")
    assert not result.changed
    assert listed(result) == [f"<{DESK}>;expires=200", f"<{MOBILE}>;expires=500;q=0.5"]


@pytest.mark.parametrize(
    ("parameter", "header", "granted"),
    [
        ("", None, 600),
        ("", "120", 120),
        (";expires=180", "120", 180),
        (";expires=100000", None, 3600),
        ("", "4294967295", 3600),
        (";expires=60", None, 60),
        (";expires=soon", None, 3600),
        ("", "99999999999999999999", 3600),
    ],
)
def test_expires_of_the_contact_comes_before_that_of_the_request(parameter, header, granted):
    headers = [contact(DESK, parameter)] + ([("Expires", header)] if header else [])
    assert listed(Registrar().register(*headers)) == [f"<{DESK}>;expires={granted}"]


def test_too_short_an_interval_is_refused_with_the_least_one():
    registrar = Registrar()
    result = registrar.register(contact(DESK, ";expires=59"))
    assert result.response.status == 423
    assert result.response.headers == (("Min-Expires", "60"),)
    assert not result.changed


def test_expires_of_zero_unbinds_one_contact():
    registrar = Registrar()
    registrar.register(contact(DESK), contact(MOBILE))
    result = registrar.register(contact(DESK, ";expires=0"), cseq=2)
    assert result.changed
    assert registrar.contacts == [MOBILE]
    assert listed(result) == [f"<{MOBILE}>;expires=600"]


def test_unbinding_what_is_not_bound_is_no_error():
    result = Registrar().register(contact(DESK, ";expires=0"))
    assert (result.response.status, listed(result), result.changed) == (200, [], False)


def test_a_star_unbinds_all():
    registrar = Registrar()
    registrar.register(contact(DESK), contact(MOBILE))
    result = registrar.register(("Contact", "*"), ("Expires", "0"), cseq=2)
    assert (result.response.status, registrar.bindings, result.changed) == (200, (), True)


@pytest.mark.parametrize(
    "headers",
    [
        [("Contact", "*")],
        [("Contact", "*"), ("Expires", "1")],
        [("Contact", "*"), ("Expires", "0"), contact(DESK)],
    ],
)
def test_a_star_goes_alone_and_with_expires_zero(headers):
    registrar = Registrar()
    registrar.register(contact(DESK), ("Expires", "300"))
    result = registrar.register(*headers, cseq=2)
    assert (result.response.status, result.changed) == (400, False)


@pytest.mark.parametrize("cseq", [5, 4])
@pytest.mark.parametrize(
    "headers",
    [[contact(DESK)], [contact(DESK, ";expires=0")], [("Contact", "*"), ("Expires", "0")]],
)
def test_a_request_that_was_overtaken_is_aborted(headers, cseq):
    registrar = Registrar()
    registrar.register(contact(DESK), cseq=5)
    before = registrar.bindings
    result = registrar.register(*headers, cseq=cseq)
    assert result.response.status == 500
    assert registrar.bindings == before


def test_a_phone_that_was_restarted_begins_with_a_call_id_of_its_own():
    registrar = Registrar()
    registrar.register(contact(DESK), cseq=500)
    assert registrar.register(contact(DESK), call_id="after", cseq=1).response.status == 200
    assert [(b.call_id, b.cseq) for b in registrar.bindings] == [("after", 1)]


def test_all_of_a_request_is_done_or_nothing():
    registrar = Registrar()
    registrar.register(contact(DESK), cseq=5)
    result = registrar.register(contact(MOBILE), contact(DESK), cseq=5)
    assert result.response.status == 500
    assert registrar.contacts == [DESK]


def test_the_same_contact_in_other_words_is_the_same_binding():
    # RFC 3261 19.1.4: escapes, case of the host, order and presence of most parameters.
    registrar = Registrar()
    registrar.register(contact("sip:alice@Phone.Example;ob"))
    registrar.register(contact("sip:%61lice@phone.example"), cseq=2)
    assert [(b.contact, b.cseq) for b in registrar.bindings] == [("sip:alice@phone.example", 2)]
    registrar.register(contact("sip:alice@phone.example:5060"), cseq=3)
    assert len(registrar.bindings) == 2


def test_the_same_contact_twice_in_a_request_is_bound_once():
    registrar = Registrar()
    registrar.register(contact(DESK, ";expires=100"), contact(DESK, ";expires=200"))
    assert [b.expires_at for b in registrar.bindings] == [NOW + 200]


def test_a_refresh_takes_flow_path_and_phone_anew():
    registrar = Registrar()
    registrar.register(contact(DESK), ("Path", "<sip:edge.example;lr>"))
    moved = replace(FLOW, connection=8)
    registrar.register(contact(DESK), ("User-Agent", "2.0"), cseq=2, flow=moved, now=NOW + 10)
    (binding,) = registrar.bindings
    assert (binding.flow, binding.path, binding.user_agent) == (moved, (), "2.0")
    assert binding.expires_at == NOW + 610


def test_what_has_run_out_is_gone():
    registrar = Registrar()
    registrar.register(contact(DESK, ";expires=100"), contact(MOBILE, ";expires=200"))
    result = registrar.register(now=NOW + 100)
    assert result.changed
    assert registrar.contacts == [MOBILE]
    # A binding that has run out does not hold up an old CSeq.
    assert registrar.register(contact(DESK), cseq=1, now=NOW + 101).response.status == 200


def test_one_more_binding_than_allowed_takes_the_place_of_the_next_to_run_out():
    registrar = Registrar(RegistrarRules(max_bindings=2))
    registrar.register(contact(DESK, ";expires=300"))
    registrar.register(contact(MOBILE, ";expires=100"), cseq=2)
    registrar.register(contact("sip:alice@192.0.2.200"), cseq=3)
    assert registrar.contacts == [DESK, "sip:alice@192.0.2.200"]


def test_path_is_kept_in_order_and_told_to_who_knows_of_it():
    # RFC 3327 5.3.
    registrar = Registrar()
    path = [("Path", "<sip:p1.example;lr>, <sip:p2.example;lr>"), ("Path", "<sip:p3.example;lr>")]
    values = ("<sip:p1.example;lr>", "<sip:p2.example;lr>", "<sip:p3.example;lr>")
    result = registrar.register(contact(DESK), *path, ("Supported", "outbound, path"))
    assert registrar.bindings[0].path == values
    told = tuple(value for name, value in result.response.headers if name == "Path")
    assert told == values
    silent = registrar.register(contact(DESK), *path, cseq=2)
    assert registrar.bindings[0].path == values
    assert not [value for name, value in silent.response.headers if name == "Path"]


def test_an_extension_that_must_be_known_and_is_not_is_refused():
    result = Registrar().register(contact(DESK), ("Require", "path, gruu, x-new"))
    assert result.response.status == 420
    assert result.response.headers == (("Unsupported", "gruu, x-new"),)
    assert Registrar().register(contact(DESK), ("Require", "path")).response.status == 200


@pytest.mark.parametrize(
    ("parameter", "q"),
    [("", 1.0), (";q=0.25", 0.25), (";q=0", 0.0), (";q=2", 1.0), (";q=nan", 1.0), (";q=x", 1.0)],
)
def test_preference(parameter, q):
    registrar = Registrar()
    registrar.register(contact(DESK, parameter))
    assert registrar.bindings[0].q == q


@pytest.mark.parametrize(
    "headers",
    [
        [("Contact", "<sip:alice@")],
        [("Contact", "<tel:+12125551234>")],
        [("Contact", f"<sip:{'a' * MAX_TEXT}@192.0.2.1>")],
        [("Contact", '"open')],
        [("Contact", f"<sip:a{n}@192.0.2.1>") for n in range(MAX_CONTACTS + 1)],
        [contact(DESK), ("Path", "nonsense")],
        [contact(DESK), ("Path", "<tel:112>")],
        [contact(DESK), *[("Path", "<sip:p.example;lr>")] * (MAX_PATH + 1)],
    ],
)
def test_what_cannot_be_read_or_is_too_much_is_a_bad_request(headers):
    result = Registrar().register(*headers)
    assert (result.response.status, result.changed) == (400, False)


def test_a_request_without_a_sound_cseq_or_call_id_is_bad():
    for headers in ([("Call-ID", "x"), ("CSeq", "one")], [("CSeq", "1 REGISTER")]):
        request = Request(
            "REGISTER", SipUri.parse("sip:twoleg.example"), Headers([*headers, contact(DESK)])
        )
        assert register(request, FLOW, (), NOW).response.status == 400


def test_long_texts_are_cut_or_refused():
    registrar = Registrar()
    registrar.register(contact(DESK), ("User-Agent", "x" * 5000))
    assert len(registrar.bindings[0].user_agent) == MAX_USER_AGENT
    refused = registrar.register(contact(DESK), call_id="x" * (MAX_TEXT + 1))
    assert refused.response.status == 400


def test_a_binding_is_stored_as_json_and_comes_back():
    registrar = Registrar()
    registrar.register(contact(MOBILE, ";q=0.3"), ("Path", "<sip:p1.example;lr>"))
    (binding,) = registrar.bindings
    assert Binding.from_json(json.loads(json.dumps(binding.to_json()))) == binding
    assert binding.uri == SipUri.parse(MOBILE)
    no_flow = replace(binding, flow=None)
    assert Binding.from_json(no_flow.to_json()) == no_flow


headers_of_any_sort = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(contact(DESK), contact(MOBILE), contact(DESK, ";expires=0"), ("Contact", "*")),
                *(("Expires", "0"), ("Expires", "90"), ("Expires", "5"), ("Path", "<sip:p;lr>")),
            ]
        ),
        st.tuples(
            st.sampled_from(["Contact", "Expires", "Path", "Require", "Supported"]),
            st.text(st.characters(exclude_characters="\r\n\0"), max_size=20),
        ),
    ),
    max_size=5,
)


@given(st.lists(st.tuples(headers_of_any_sort, st.integers(0, 9), st.integers(0, 400))))
def test_whatever_comes_bindings_stay_few_alive_and_apart(requests):
    registrar = Registrar(RegistrarRules(max_bindings=2))
    now = NOW
    for headers, cseq, pause in requests:
        now += pause
        before = registrar.bindings
        result = registrar.register(*headers, cseq=cseq, now=now)
        assert result.response.status in {200, 400, 420, 423, 500}
        assert result.changed == (result.bindings != before)
        assert len(result.bindings) <= 2
        assert len(set(registrar.contacts)) == len(registrar.contacts)
        assert all(binding.expires_at > now for binding in result.bindings)
        if result.response.status == 200:
            assert len(listed(result)) == len(result.bindings)
