"""Challenging phones and judging their answers."""

from itertools import count

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip.digest import (
    Authorization,
    Credentials,
    DigestAlgorithm,
    DigestClient,
    make_ha1s,
)
from twoleg.sip.digest_verifier import DigestVerdict, DigestVerifier
from twoleg.sip.errors import InvalidValue
from twoleg.sip.headers import Headers

URI = "sip:twoleg.example"
HA1S = make_ha1s("alice", "twoleg", "secret")


def new_verifier(**settings) -> DigestVerifier:
    return DigestVerifier("twoleg", b"server secret", 300, **settings)


class Phone:
    """A client that keeps its nonce."""

    def __init__(self, verifier: DigestVerifier, password: str = "secret", username="alice"):
        self.verifier = verifier
        self.client = DigestClient(Credentials(username, password), lambda size: "cnonce")

    def challenged(self, now: float) -> "Phone":
        assert self.client.challenged(Headers(self.verifier.challenge(now)))
        return self

    def answer(self, method: str = "REGISTER", uri: str = URI) -> Authorization:
        found = self.verifier.find(Headers(self.client.headers(method, uri)))
        assert found is not None
        return found

    def register(self, now: float, ha1s=HA1S) -> DigestVerdict:
        return self.verifier.verify("REGISTER", URI, self.answer(), ha1s, now)


def test_a_401_offers_sha_256_before_md5():
    headers = new_verifier().challenge(0)
    assert [name for name, _ in headers] == ["WWW-Authenticate"] * 2
    assert "algorithm=SHA-256" in headers[0][1]
    assert "algorithm=MD5" in headers[1][1]
    assert "stale" not in headers[0][1]
    assert all("stale=true" in text for _, text in new_verifier().challenge(0, stale=True))


@pytest.mark.parametrize("algorithm", list(DigestAlgorithm))
def test_the_right_password_is_ok_by_either_algorithm(algorithm):
    phone = Phone(new_verifier(algorithms=(algorithm,))).challenged(now=10)
    assert phone.register(now=11) is DigestVerdict.OK


@pytest.mark.parametrize("algorithm", list(DigestAlgorithm))
def test_a_client_that_is_not_ours_is_let_in_and_keeps_its_nonce(algorithm):
    verifier = new_verifier(algorithms=(algorithm,))

    def serve(request: httpx.Request) -> httpx.Response:
        sent = Headers([(n, v) for n, v in request.headers.items() if n == "authorization"])
        answer = verifier.find(sent)
        if answer is None:
            return httpx.Response(401, headers=verifier.challenge(0))
        verdict = verifier.verify("GET", "/phonebook?page=2", answer, HA1S, 1)
        return httpx.Response(200, text=f"{verdict.name} {answer.nonce_count}")

    with httpx.Client(
        transport=httpx.MockTransport(serve), auth=httpx.DigestAuth("alice", "secret")
    ) as client:
        texts = [client.get("http://server/phonebook?page=2").text for _ in range(2)]
    assert texts == ["OK 1", "OK 2"]


def test_a_phone_that_knows_md5_only_is_served():
    verifier = new_verifier()
    client = DigestClient(
        Credentials("alice", ha1={"MD5": HA1S["MD5"]}, realm="twoleg"), lambda size: "c"
    )
    assert client.challenged(Headers(verifier.challenge(0)))
    answer = verifier.find(Headers(client.headers("REGISTER", URI)))
    assert answer is not None
    assert answer.algorithm == "MD5"
    assert verifier.verify("REGISTER", URI, answer, HA1S, 0) is DigestVerdict.OK


def test_a_wrong_password_an_unknown_user_and_a_missing_hash_are_wrong():
    verifier = new_verifier()
    assert Phone(verifier, "guess").challenged(0).register(1) is DigestVerdict.WRONG
    assert Phone(verifier).challenged(0).register(1, ha1s={}) is DigestVerdict.WRONG
    assert Phone(verifier).challenged(0).register(1, {"MD5": HA1S["MD5"]}) is DigestVerdict.WRONG


def test_the_dummy_hash_of_unknown_users_opens_nothing():
    verifier = new_verifier()
    client = DigestClient(
        Credentials("nobody", ha1={"SHA-256": "0" * 64}, realm="twoleg"), lambda size: "c"
    )
    assert client.challenged(Headers(verifier.challenge(0)))
    answer = verifier.find(Headers(client.headers("REGISTER", URI)))
    assert answer is not None
    assert verifier.verify("REGISTER", URI, answer, {}, 0) is DigestVerdict.WRONG


def test_a_nonce_serves_again_and_again_while_its_count_rises():
    phone = Phone(new_verifier()).challenged(now=0)
    assert [phone.register(now) for now in (0, 60, 300)] == [DigestVerdict.OK] * 3


def test_an_old_nonce_is_stale_but_only_for_who_knows_the_password():
    verifier = new_verifier()
    assert Phone(verifier).challenged(0).register(301) is DigestVerdict.STALE
    assert Phone(verifier, "guess").challenged(0).register(301) is DigestVerdict.WRONG
    assert DigestVerdict.STALE.stale
    assert not DigestVerdict.WRONG.stale


def test_a_nonce_of_another_server_or_of_the_future_is_stale():
    verifier = new_verifier()
    restarted = DigestVerifier("twoleg", b"another secret", 300)
    answer = Phone(verifier).challenged(0).answer()
    assert restarted.verify("REGISTER", URI, answer, HA1S, 1) is DigestVerdict.STALE
    answer = Phone(verifier).challenged(100).answer()
    assert verifier.verify("REGISTER", URI, answer, HA1S, 50) is DigestVerdict.STALE


def test_a_replayed_answer_is_refused():
    verifier = new_verifier()
    phone = Phone(verifier).challenged(0)
    first, second = phone.answer(), phone.answer()
    assert verifier.verify("REGISTER", URI, second, HA1S, 1) is DigestVerdict.OK
    assert verifier.verify("REGISTER", URI, second, HA1S, 2) is DigestVerdict.REPLAYED
    assert verifier.verify("REGISTER", URI, first, HA1S, 2) is DigestVerdict.REPLAYED
    assert DigestVerdict.REPLAYED.stale
    assert phone.register(3) is DigestVerdict.OK


def test_two_phones_challenged_in_the_same_moment_do_not_share_a_nonce():
    verifier = new_verifier()
    phones = [Phone(verifier).challenged(0) for _ in range(2)]
    assert [phone.register(1) for phone in phones] == [DigestVerdict.OK] * 2


def test_an_answer_without_qop_counts_once():
    verifier = new_verifier(algorithms=(DigestAlgorithm.MD5,))
    ((_, challenge),) = verifier.challenge(0)
    client = DigestClient(Credentials("alice", "secret"), lambda size: "c")
    old_fashioned = challenge.replace(', qop="auth"', "")
    assert client.challenged(Headers([("WWW-Authenticate", old_fashioned)]))
    answer = verifier.find(Headers(client.headers("REGISTER", URI)))
    assert answer is not None
    assert answer.nonce_count is None
    assert verifier.verify("REGISTER", URI, answer, HA1S, 1) is DigestVerdict.OK
    assert verifier.verify("REGISTER", URI, answer, HA1S, 1) is DigestVerdict.REPLAYED


def test_memory_of_nonces_is_bounded_and_what_is_forgotten_cannot_be_replayed():
    verifier = new_verifier(max_nonces=10)
    answers = []
    for number in range(50):
        answers.append(Phone(verifier).challenged(number).answer())
        assert verifier.verify("REGISTER", URI, answers[-1], HA1S, number) is DigestVerdict.OK
        assert len(verifier._counts) <= 10
    verdicts = {verifier.verify("REGISTER", URI, answer, HA1S, 50) for answer in answers}
    assert verdicts == {DigestVerdict.STALE, DigestVerdict.REPLAYED}


def test_nonces_that_have_run_out_are_forgotten():
    verifier = new_verifier()
    for number in range(20):
        assert Phone(verifier).challenged(number).register(number) is DigestVerdict.OK
    assert Phone(verifier).challenged(1000).register(1000) is DigestVerdict.OK
    assert len(verifier._counts) == 1


def test_the_answer_is_bound_to_method_and_uri():
    verifier = new_verifier()
    phone = Phone(verifier).challenged(0)
    assert verifier.verify("INVITE", URI, phone.answer(), HA1S, 0) is DigestVerdict.WRONG
    elsewhere = phone.answer(uri="sip:premium@twoleg.example")
    assert verifier.verify("REGISTER", URI, elsewhere, HA1S, 0) is DigestVerdict.WRONG


def test_a_port_or_parameter_that_one_of_the_uris_lacks_does_no_harm():
    verifier = new_verifier()
    phone = Phone(verifier).challenged(0)
    asked = "sip:twoleg.example:5060;transport=tcp"
    assert verifier.verify("REGISTER", asked, phone.answer(), HA1S, 0) is DigestVerdict.OK


def test_session_algorithms_are_never_offered_and_not_taken():
    verifier = new_verifier()
    _, (_, challenge) = verifier.challenge(0)
    client = DigestClient(Credentials("alice", "secret"), lambda size: "c")
    assert client.challenged(Headers([("WWW-Authenticate", challenge.replace("MD5", "MD5-sess"))]))
    answer = verifier.find(Headers(client.headers("REGISTER", URI)))
    assert answer is not None
    assert verifier.verify("REGISTER", URI, answer, HA1S, 0) is DigestVerdict.WRONG


def test_the_answer_for_our_realm_is_found_among_others():
    verifier = new_verifier()
    ours = Phone(verifier).challenged(0).client.headers("INVITE", URI)[0]
    other = ("Authorization", ours[1].replace('realm="twoleg"', 'realm="proxy"'))
    found = verifier.find(Headers([("Authorization", "Bearer abc"), other, ours]))
    assert found is not None
    assert found.realm == "twoleg"
    assert verifier.find(Headers([other])) is None
    assert verifier.find(Headers()) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        (", nc=00000001", ""),
        ('cnonce="cnonce", ', ""),
        ("qop=auth", "qop=auth-int"),
        ("response=", "answer="),
        ("username=", "user="),
    ],
)
def test_a_malformed_answer_is_told_from_a_wrong_one(old, new):
    verifier = new_verifier()
    ((name, text),) = Phone(verifier).challenged(0).client.headers("REGISTER", URI)
    assert old in text
    with pytest.raises(InvalidValue):
        verifier.find(Headers([(name, text.replace(old, new))]))


@given(st.text(max_size=60))
def test_any_nonce_is_judged_without_an_error(nonce):
    verifier = new_verifier()
    numbers = count()
    client = DigestClient(Credentials("alice", "secret"), lambda size: str(next(numbers)))
    challenge = Authorization(
        username="alice", realm="twoleg", nonce=nonce, uri=URI, response="x" * 64
    )
    assert verifier.verify("REGISTER", URI, challenge, HA1S, 0) is DigestVerdict.WRONG
    assert verifier._open_nonce(nonce) is None
    assert client.headers("REGISTER", URI) == ()


@given(st.text(max_size=200))
def test_any_text_is_an_authorization_or_an_error(text):
    for candidate in (text, f"Digest {text}", f"Digest username={text}"):
        try:
            Authorization.parse(candidate)
        except InvalidValue as error:
            assert error.kind  # noqa: PT017  # no text need be an error
