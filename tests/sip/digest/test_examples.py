"""The examples of the RFCs."""

from itertools import count

from twoleg.sip.digest import Challenge, Credentials, DigestAlgorithm, DigestClient, digest_response
from twoleg.sip.headers import Headers

RFC_7616_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
RFC_7616_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def rfc_7616_challenge(algorithm: str) -> str:
    return (
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        f'nonce="{RFC_7616_NONCE}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )


def answers(*challenges: str, password: str, cnonce: str, username: str = "Mufasa") -> list[str]:
    client = DigestClient(Credentials(username, password), lambda size: cnonce)
    assert client.challenged(Headers([("WWW-Authenticate", c) for c in challenges]))
    return [value for _, value in client.headers("GET", "/dir/index.html")]


def test_rfc_7616_3_9_1_with_md5():
    (answer,) = answers(
        rfc_7616_challenge("MD5"), password="Circle of Life", cnonce=RFC_7616_CNONCE
    )
    assert 'response="8ca523f5e9506fed4657c9700eebdbec"' in answer
    assert answer.startswith('Digest username="Mufasa", realm="http-auth@example.org", nonce="7ypf')
    assert "qop=auth, nc=00000001" in answer
    assert "algorithm=MD5" in answer
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in answer


def test_rfc_7616_3_9_1_with_sha_256_which_is_taken_of_the_two():
    (answer,) = answers(
        rfc_7616_challenge("SHA-256"),
        rfc_7616_challenge("MD5"),
        password="Circle of Life",
        cnonce=RFC_7616_CNONCE,
    )
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in answer
    assert "algorithm=SHA-256" in answer


def test_rfc_2617_3_5():
    (answer,) = answers(
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
        password="Circle Of Life",
        cnonce="0a4f113b",
    )
    assert 'response="6629fae49393a05397450978507c4ef1"' in answer
    assert "algorithm" not in answer


def test_rfc_2069_answers_have_neither_qop_nor_nonce_count():
    # RFC 2069 2.4, with the response of its erratum 749.
    (answer,) = answers(
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"',
        password="CircleOfLife",
        cnonce="unused",
    )
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in answer
    assert "qop" not in answer
    assert "nc=" not in answer
    assert "cnonce" not in answer


def test_a_session_key_is_made_once_and_kept_as_the_nonce_count_rises():
    # RFC 7616 3.4.2: H(H(user:realm:password):nonce:cnonce), with the first cnonce.
    numbers = count()
    client = DigestClient(Credentials("alice", "secret"), lambda size: f"c{next(numbers)}")
    challenge = 'Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"'
    assert Challenge.parse(challenge).session
    assert client.challenged(Headers([("WWW-Authenticate", challenge)]))
    md5 = DigestAlgorithm.MD5
    session_key = md5.hash(f"{md5.ha1('alice', 'r', 'secret')}:n:c0")
    for number in (1, 2):
        ((_, answer),) = client.headers("INVITE", "sip:bob@example.com")
        expected = digest_response(
            md5,
            session_key,
            "n",
            "INVITE",
            "sip:bob@example.com",
            nonce_count=number,
            cnonce="c0",
        )
        assert f'response="{expected}"' in answer
        assert "algorithm=MD5-sess" in answer
