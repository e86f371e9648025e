"""Answering challenges."""

from itertools import count

import pytest

from twoleg.sip.digest import (
    MAX_STALE,
    Authorization,
    Challenge,
    Credentials,
    DigestAlgorithm,
    DigestClient,
    make_ha1s,
)
from twoleg.sip.errors import InvalidValue, LocalProtocolError
from twoleg.sip.headers import Headers

URI = "sip:bob@biloxi.example.com"


def new_client(credentials: Credentials | None = None) -> DigestClient:
    numbers = count(1)
    return DigestClient(
        credentials or Credentials("alice", "secret"), lambda size: f"cnonce{next(numbers)}"
    )


def challenge(nonce: str = "n1", realm: str = "biloxi", rest: str = "", name: str = "MD5") -> str:
    return f'Digest realm="{realm}", nonce="{nonce}", algorithm={name}, qop="auth"{rest}'


def unauthorized(*challenges: str) -> Headers:
    return Headers([("WWW-Authenticate", text) for text in challenges])


def answer(client: DigestClient, method: str = "INVITE") -> Authorization:
    ((name, value),) = client.headers(method, URI)
    assert name == "Authorization"
    return Authorization.parse(value)


def test_nothing_is_sent_before_a_challenge():
    assert new_client().headers("INVITE", URI) == ()


def test_a_407_is_answered_by_proxy_authorization():
    client = new_client()
    assert client.challenged(Headers([("Proxy-Authenticate", challenge())]))
    ((name, _),) = client.headers("INVITE", URI)
    assert name == "Proxy-Authorization"


def test_two_proxies_that_ask_each_get_their_answer():
    # RFC 3261 22.3: a forking proxy gathers the challenges of all branches.
    client = new_client()
    response = Headers(
        [
            ("Proxy-Authenticate", challenge(realm="atlanta")),
            ("Proxy-Authenticate", challenge(realm="chicago")),
            ("WWW-Authenticate", challenge(realm="biloxi")),
        ]
    )
    assert client.challenged(response)
    answers = [(name, Authorization.parse(v).realm) for name, v in client.headers("INVITE", URI)]
    assert sorted(answers) == [
        ("Authorization", "biloxi"),
        ("Proxy-Authorization", "atlanta"),
        ("Proxy-Authorization", "chicago"),
    ]


def test_the_nonce_count_rises_with_each_request_and_begins_anew_with_a_new_nonce():
    client = new_client()
    assert client.challenged(unauthorized(challenge("n1")))
    assert [answer(client, m).nonce_count for m in ("INVITE", "ACK", "BYE")] == [1, 2, 3]
    client.accepted()
    assert client.challenged(unauthorized(challenge("n2")))
    renewed = answer(client)
    assert (renewed.nonce, renewed.nonce_count, renewed.cnonce) == ("n2", 1, "cnonce2")


def test_a_refused_password_is_not_tried_again():
    client = new_client()
    assert client.challenged(unauthorized(challenge("n1")))
    answer(client)
    assert not client.challenged(unauthorized(challenge("n2")))


def test_a_stale_nonce_is_replaced_a_few_times_and_no_more():
    client = new_client()
    assert client.challenged(unauthorized(challenge("n0")))
    for number in range(MAX_STALE):
        answer(client)
        assert client.challenged(unauthorized(challenge(f"s{number}", rest=", stale=TRUE")))
    answer(client)
    assert not client.challenged(unauthorized(challenge("again", rest=", stale=true")))


def test_a_nonce_that_had_served_may_expire_without_being_called_stale():
    # Some servers forget a nonce of the dialog and challenge the BYE as if they met us first.
    client = new_client()
    assert client.challenged(unauthorized(challenge("n1")))
    answer(client)
    client.accepted()
    answer(client, "BYE")
    assert client.challenged(unauthorized(challenge("n2")))
    answer(client, "BYE")
    assert not client.challenged(unauthorized(challenge("n3")))


def test_the_strongest_algorithm_is_taken_wherever_it_stands():
    client = new_client()
    assert client.challenged(
        unauthorized(
            challenge("weak", name="MD5"),
            challenge("unknown", name="SHA-512-256"),
            challenge("strong", name="SHA-256"),
            challenge("second", name="SHA-256"),
        )
    )
    assert answer(client).nonce == "strong"


def test_an_ha1_serves_its_own_algorithm_and_realm_only():
    ha1s = make_ha1s("alice", "biloxi", "secret")
    only_md5 = Credentials("alice", ha1={"MD5": ha1s["MD5"]}, realm="biloxi")
    both = unauthorized(challenge("strong", name="SHA-256"), challenge("weak", name="MD5"))
    client = new_client(only_md5)
    assert client.challenged(both)
    with_ha1 = answer(client)
    assert with_ha1.nonce == "weak"

    with_password = new_client()
    assert with_password.challenged(unauthorized(challenge("weak", name="MD5")))
    assert answer(with_password) == with_ha1

    assert not new_client(only_md5).challenged(unauthorized(challenge(realm="elsewhere")))
    with pytest.raises(LocalProtocolError):
        Credentials("alice", ha1=ha1s)
    with pytest.raises(LocalProtocolError):
        Credentials("alice")


def test_credentials_bound_to_a_realm_are_given_to_no_other():
    bound = Credentials("alice", "secret", realm="biloxi")
    assert not new_client(bound).challenged(unauthorized(challenge(realm="evil")))
    assert new_client(bound).challenged(unauthorized(challenge(realm="biloxi")))


def test_no_repr_shows_a_secret():
    credentials = Credentials("alice", "hunter2", ha1={"MD5": "deadbeef"}, realm="biloxi")
    assert "hunter2" not in repr(credentials)
    assert "deadbeef" not in repr(credentials)
    client = new_client()
    assert client.challenged(unauthorized(challenge()))
    authorization = answer(client)
    assert authorization.response not in repr(authorization)


def test_algorithm_names_may_come_in_any_case_and_go_back_as_they_came():
    client = new_client()
    assert client.challenged(unauthorized(challenge(name="md5")))
    assert answer(client).algorithm == "md5"


@pytest.mark.parametrize(
    "text",
    [
        "Basic realm=x",
        "Digest",
        'Digest realm="x"',
        'Digest nonce="x"',
        'Digest realm="x", nonce="y", algorithm=AKAv1-MD5',
        'Digest realm="x", nonce="y", qop="auth-int"',
        'Digest realm="x", nonce="y',
        'Digest realm="x", realm="y", nonce="z"',
        'Digest realm="x", nonce="y", ' + ", ".join(f"p{n}=1" for n in range(40)),
    ],
)
def test_what_we_cannot_answer_is_no_challenge(text):
    with pytest.raises(InvalidValue):
        Challenge.parse(text)
    assert not new_client().challenged(unauthorized(text))


def test_escapes_blanks_and_a_comma_at_the_end_are_read():
    read = Challenge.parse(r'digest  realm = "a \"b\", c\\d" ,nonce="n",qop=auth ,')
    assert (read.realm, read.nonce, read.qop) == (r'a "b", c\d', "n", True)


def test_an_answer_reads_back_as_it_was_written():
    written = Authorization(
        username=r'o"brien\x',
        realm="r",
        nonce="n",
        uri=URI,
        response="0" * 32,
        algorithm="MD5",
        cnonce="c",
        nonce_count=0x1F,
        opaque="",
    )
    assert Authorization.parse(str(written)) == written


def test_non_ascii_passwords_are_hashed_as_utf_8():
    assert DigestAlgorithm.MD5.ha1("jürgen", "r", "pässwörd") == DigestAlgorithm.MD5.hash(
        "jürgen:r:pässwörd"
    )
