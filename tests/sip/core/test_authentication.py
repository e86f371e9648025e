"""Who we are, when the far end asks (RFC 3261 22, RFC 7616)."""

from __future__ import annotations

import pytest

from twoleg.sip import (
    Credentials,
    DigestVerifier,
    Ended,
    NameAddr,
    OutOfDialogRequest,
    RequestCompleted,
    make_ha1s,
)

ALICE = Credentials("alice", "secret")
HA1S = make_ha1s("alice", "example.org", "secret")


class Guard:
    """Answers requests that bear no good credentials with a challenge."""

    def __init__(self, far):
        self.far = far
        self.verifier = DigestVerifier("example.org", b"key", 300.0)
        self.accept = lambda request: None
        far.script = self.take

    def take(self, message):
        if message.method == "ACK":
            return
        now = self.far.network.now
        given = self.verifier.find(message.headers)
        if given is not None:
            verdict = self.verifier.verify(message.method, str(message.uri), given, HA1S, now)
            if verdict.name == "OK":
                self.accept(message)
                return
            stale = verdict.stale
        else:
            stale = False
        self.far.reply(message, 401, *self.verifier.challenge(now, stale=stale))


def test_a_challenged_invite_is_sent_again_with_credentials(network, caller, far):
    guard = Guard(far)
    guard.accept = lambda request: far.reply(request, 200, body=b"answer")
    leg = caller.invite(far, credentials=ALICE)
    network.run_for(0.2)
    before, after = far.requests("INVITE")
    assert (before.cseq.number, after.cseq.number) == (1, 2)
    assert before.call_id == after.call_id
    assert before.from_ == after.from_
    assert after.to.tag is None
    caller.do("acknowledge", leg)
    network.run_for(0.1)
    ack = far.requests("ACK")[-1]
    assert ack.cseq.number == 2
    assert ack.headers.get("Authorization") == after.headers.get("Authorization")


def test_a_proxy_that_asks_is_answered_too(network, caller, far):
    def script(message):
        if message.method != "INVITE":
            return
        if message.headers.get("Proxy-Authorization"):
            far.reply(message, 180)
        else:
            challenge = 'Digest realm="proxy", nonce="n", qop="auth", algorithm=MD5'
            far.reply(message, 407, ("Proxy-Authenticate", challenge))

    far.script = script
    caller.invite(far, credentials=ALICE)
    network.run_for(0.2)
    assert caller.told[-1].status == 180


def test_credentials_that_are_refused_are_not_sent_for_ever(network, caller, far):
    Guard(far)
    caller.invite(far, credentials=Credentials("alice", "wrong"))
    network.run()
    assert len(far.requests("INVITE")) == 2
    assert caller.told[-1].status == 401


def test_without_credentials_a_challenge_is_a_refusal(network, caller, far):
    Guard(far)
    caller.invite(far)
    network.run()
    assert len(far.requests("INVITE")) == 1
    assert caller.told[-1].status == 401


def test_a_leg_that_was_hung_up_does_not_say_who_it_is(network, caller, far):
    Guard(far)
    leg = caller.invite(far, credentials=ALICE)
    caller.do("hang_up", leg)
    network.run()
    assert len(far.requests("INVITE")) == 1


def test_a_challenged_bye_ends_the_dialog_all_the_same(network, caller, far):
    guard = Guard(far)
    guard.accept = lambda request: far.reply(request, 200, body=b"answer")
    leg = caller.invite(far, credentials=ALICE)
    network.run_for(0.2)
    caller.do("acknowledge", leg)
    network.run_for(400)  # the nonce is too old by now
    caller.do("hang_up", leg)
    network.run_for(0.2)
    byes = far.requests("BYE")
    assert len(byes) == 2
    assert byes[1].cseq.number == byes[0].cseq.number + 1
    assert caller.told[-1] == Ended(leg, by_remote=False)


@pytest.mark.parametrize("known", [True, False])
def test_a_request_outside_a_dialog_answers_a_challenge(network, caller, far, known):
    guard = Guard(far)
    guard.accept = lambda request: far.reply(request, 200)
    request = OutOfDialogRequest(
        method="OPTIONS",
        target=far.target,
        from_=caller.name,
        to=NameAddr(far.target),
        credentials=ALICE if known else Credentials("alice", "wrong"),
    )
    number = caller.agent.request(request, network.now)
    network.flush(caller)
    network.run()
    (completed,) = caller.told_of(RequestCompleted)
    assert completed.request == number
    assert completed.response.status == (200 if known else 401)
    assert len(far.requests("OPTIONS")) == 2
