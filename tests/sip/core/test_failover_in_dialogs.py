"""A request within a dialog goes to one address of its next hop after another (RFC 3263 4.3)."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from sip.core.test_any_network import Story
from sip_network import FarEnd, Network, Peer, prove

from twoleg.sip import (
    Address,
    Answered,
    Credentials,
    Destination,
    DestinationFailed,
    DialogIdentity,
    Ended,
    OfferAnswered,
    OfferRefused,
    Progress,
    RefusalCause,
    RequestCompleted,
    SipUri,
    Transport,
)

RUNS = int(os.environ.get("TWOLEG_SIP_RUNS", "20000")) // 20
CHUNKS = 4
NOWHERE = Address("10.0.0.66", 5060)
NAME = "proxies.example.com"


@pytest.fixture
def other(network):
    return network.far_end("10.0.0.8")


def by_name(address: Address) -> Destination:
    return Destination(Transport.UDP, address.host, address.port, domain=NAME)


def answered(network, caller, far, contact, *headers, body=b"answer", **invitation):
    """Have a call whose next hop is what the answer's Contact or Record-Route says."""
    leg = caller.invite(far, **invitation)
    network.run_for(0.1)
    invite = far.requests("INVITE")[0]
    far.reply(invite, 200, ("Contact", contact), *headers, body=body)
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    network.run_for(0.1)
    caller.told.clear()
    return leg


def obey(far: FarEnd, status: int = 200, **reply):
    """Have a far end answer whatever asks for an answer."""

    def script(message):
        if getattr(message, "method", "ACK") != "ACK":
            far.reply(message, status, **reply)

    far.script = script


@pytest.mark.parametrize("way", ["remote target", "route"])
@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        ("silence", RefusalCause.TIMEOUT),
        ("unreachable", RefusalCause.TRANSPORT),
        ("503", RefusalCause.RESPONSE),
    ],
)
def test_a_bye_goes_to_the_next_address(network, caller, far, other, way, trouble, cause):
    network.names[NAME] = (other.address, far.address)
    contact, headers = f"<sip:far@{NAME}>", ()
    if way == "route":
        contact = "<sip:far@192.168.1.20>"
        headers = (("Record-Route", f"<sip:{NAME};lr>"),)
    leg = answered(network, caller, far, contact, *headers)
    if trouble == "unreachable":
        network.reachable = lambda address: address != other.address
    elif trouble == "503":
        obey(other, 503)
    obey(far)
    caller.do("hang_up", leg)
    network.run()
    assert caller.told == [
        DestinationFailed(by_name(other.address), cause),
        Ended(leg, by_remote=False),
    ]
    (bye,) = far.requests("BYE")
    assert bye.call_id == far.requests("INVITE")[0].call_id
    if trouble != "unreachable":
        before = other.requests("BYE")[0]
        assert before.via.branch != bye.via.branch
        assert (before.cseq, before.uri) == (bye.cseq, bye.uri)
    assert caller.agent.is_idle


def test_a_request_that_is_repeated_stays_at_its_address(network, caller, far, other):
    network.names[NAME] = (far.address, other.address)
    leg = answered(network, caller, far, f"<sip:far@{NAME}>")
    network.names[NAME] = (other.address, far.address)
    network.after(1.0, lambda: network.names.update({NAME: (far.address, other.address)}))
    caller.do("hang_up", leg)
    network.run_for(7.9)
    assert len(other.requests("BYE")) == 5
    assert far.requests("BYE") == []


SILENCE = 8.0
"""16*T1: how long an address may say nothing where another is left."""


@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE", "UPDATE"])
def test_an_address_that_says_nothing_has_less_time_where_there_is_another(
    network, caller, far, other, method
):
    network.names[NAME] = (other.address, far.address)
    leg = answered(network, caller, far, f"<sip:far@{NAME}>")
    ask(caller, leg, method)
    network.run_for(SILENCE - 0.1)
    before = len(far.requests(method))
    network.run_for(0.2)
    assert len(far.requests(method)) == before + 1
    assert len(other.requests(method)) == 5
    assert caller.told_of(DestinationFailed) == [
        DestinationFailed(by_name(other.address), RefusalCause.TIMEOUT)
    ]


def ask(caller, leg, method):
    if method == "BYE":
        caller.do("hang_up", leg)
    elif method == "INFO":
        caller.do("send_info", leg, "text/plain", b"5")
    else:
        caller.do("offer", leg, b"hold", method)


def test_so_has_one_that_the_invite_reached_and_that_is_one_of_several(network, caller, far, other):
    there = replace(by_name(far.address), others=True)
    leg = answered(network, caller, far, f"<sip:far@{NAME}:5060>", destinations=(there,))
    network.names[NAME] = (far.address, other.address)
    caller.do("hang_up", leg)
    network.run_for(SILENCE - 0.1)
    assert other.requests("BYE") == []
    network.run_for(0.2)
    assert len(other.requests("BYE")) == 1


def test_where_one_was_found_behind_another_that_is_less_time_again(network, caller, far, other):
    network.names[NAME] = (other.address, far.address)
    leg = answered(network, caller, far, f"<sip:far@{NAME}>")
    obey(other, 503)
    obey(far)
    caller.do("send_info", leg, "text/plain", b"5")
    network.run_for(1)
    far.script = lambda message: None
    network.names[NAME] = (far.address, other.address)
    caller.do("hang_up", leg)
    network.run_for(SILENCE - 0.1)
    assert other.requests("BYE") == []
    network.run_for(0.2)
    assert len(other.requests("BYE")) == 1


@pytest.mark.parametrize("known_as", [f"{NAME}", f"{NAME}:5060"])
def test_the_only_address_and_the_last_are_asked_for_half_a_minute(network, caller, far, known_as):
    network.names[NAME] = (far.address,)
    leg = answered(
        network, caller, far, f"<sip:far@{known_as}>", destinations=(by_name(far.address),)
    )
    caller.do("hang_up", leg)
    network.run_for(31.9)
    assert caller.told == []
    network.run_for(0.2)
    assert caller.told[-1] == Ended(leg, by_remote=False)


def test_all_that_are_silent_take_no_longer_than_their_share(network, caller, far, other):
    network.names[NAME] = (NOWHERE, other.address, far.address)
    leg = answered(network, caller, far, f"<sip:far@{NAME}>")
    number = caller.do("send_info", leg, "text/plain", b"5")
    network.run_for(2 * SILENCE + 31.9)
    assert caller.told_of(RequestCompleted) == []
    network.run_for(0.3)
    assert caller.told_of(RequestCompleted) == [
        RequestCompleted(number, None, RefusalCause.TIMEOUT)
    ]
    assert len(far.requests("INFO")) == 11


def test_one_that_has_said_100_is_not_silent(network, caller, far, other):
    network.names[NAME] = (other.address, far.address)
    leg = answered(network, caller, far, f"<sip:far@{NAME}>")
    other.script = lambda message: message.method == "INFO" and other.reply(message, 100)
    number = caller.do("send_info", leg, "text/plain", b"5")
    network.run_for(30.0)
    assert far.requests("INFO") == []
    assert len(other.requests("INFO")) > 5
    other.reply(other.requests("INFO")[-1], 200)
    network.run_for(0.1)
    [completed] = caller.told_of(RequestCompleted)
    assert (completed.request, completed.response.status) == (number, 200)


def test_what_a_silent_address_answers_late_changes_nothing(network, caller, far, other):
    network.names[NAME] = (other.address, far.address)
    leg = answered(network, caller, far, f"<sip:far@{NAME}>")
    obey(far)
    number = caller.do("send_info", leg, "text/plain", b"5")
    network.run_for(SILENCE + 0.5)
    other.reply(other.requests("INFO")[0], 500)
    network.run_for(0.1)
    [completed] = caller.told_of(RequestCompleted)
    assert (completed.request, completed.response.status) == (number, 200)


def test_when_every_address_was_tried_the_last_word_counts(network, caller, far, other):
    network.names[NAME] = (NOWHERE, far.address, other.address)
    leg = answered(network, caller, far, f"<sip:far@{NAME}>")
    obey(far, 503)
    obey(other, 503)
    number = caller.agent.send_info(leg, network.now, "text/plain", b"5")
    network.flush(caller)
    network.run(until=100)
    (completed,) = caller.told_of(RequestCompleted)
    assert (completed.request, completed.response.status) == (number, 503)
    assert completed.cause is RefusalCause.RESPONSE
    assert len(caller.told_of(DestinationFailed)) == 3
    assert len(far.requests("INFO")) == len(other.requests("INFO")) == 1
    assert caller.told_of(Ended) == []


def test_an_address_by_itself_has_no_successor(network, caller, far, other):
    network.names[NAME] = (other.address,)
    leg = answered(network, caller, far, f"<sip:far@{far.address}>")
    obey(far, 503)
    caller.do("hang_up", leg)
    network.run()
    assert caller.told == [Ended(leg, by_remote=False)]
    assert len(far.requests("BYE")) == 1
    assert other.got == []


def test_the_address_that_the_invite_reached_is_tried_before_the_others_of_its_name(
    network, caller, far, other
):
    """The answer names the proxy that the INVITE went to, which was one of several."""
    leg = answered(
        network, caller, far, f"<sip:far@{NAME}:5060>", destinations=(by_name(far.address),)
    )
    assert len(far.requests("ACK")) == 1
    network.names[NAME] = (far.address, other.address)
    obey(other)
    caller.do("hang_up", leg)
    network.run()
    assert len(far.requests("BYE")) > 5
    assert len(other.requests("BYE")) == 1
    assert caller.told_of(DestinationFailed) == [
        DestinationFailed(by_name(far.address), RefusalCause.TIMEOUT)
    ]
    assert caller.told[-1] == Ended(leg, by_remote=False)


def test_of_a_name_that_stands_for_one_address_nothing_is_tried_twice(network, caller, far):
    leg = answered(
        network, caller, far, f"<sip:far@{NAME}:5060>", destinations=(by_name(far.address),)
    )
    network.names[NAME] = (far.address,)
    caller.do("hang_up", leg)
    network.run()
    assert len({bye.via.branch for bye in far.requests("BYE")}) == 1
    assert caller.told[-1] == Ended(leg, by_remote=False)
    assert caller.agent.is_idle


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_offer_goes_on_and_what_follows_goes_where_it_was_answered(
    network, caller, far, other, method
):
    network.names[NAME] = (other.address, far.address)
    leg = answered(network, caller, far, f"<sip:far@{NAME}>")
    obey(other, 503)
    far.script = lambda message: (
        message.method in ("INVITE", "UPDATE", "BYE")
        and far.reply(message, 200, ("Contact", f"<sip:far@{NAME}>"), body=b"held")
    )
    acks = len(far.requests("ACK"))
    caller.do("offer", leg, b"hold", method)
    network.run_for(1)
    assert caller.told_of(OfferAnswered) == [OfferAnswered(leg, b"held")]
    assert len(other.requests(method)) == 1
    assert len(far.requests("ACK")) == acks + (method == "INVITE")
    caller.do("hang_up", leg)
    network.run_for(1)
    assert other.requests("BYE") == []
    assert caller.told[-1] == Ended(leg, by_remote=False)


def test_a_503_of_the_only_address_refuses_the_offer_and_the_session_goes_on(network, caller, far):
    leg = answered(network, caller, far, f"<sip:far@{far.address}>")
    obey(far, 503)
    caller.do("offer", leg, b"hold")
    network.run_for(1)
    assert caller.told == [OfferRefused(leg, 503)]


def test_a_late_answer_of_an_address_that_was_given_up_is_acknowledged(network, caller, far, other):
    network.names[NAME] = (other.address, far.address)
    leg = answered(network, caller, far, f"<sip:far@{NAME}>")
    acks = len(other.requests("ACK"))
    obey(far, body=b"held")
    caller.do("offer", leg, b"hold")
    network.run_for(33)
    assert caller.told_of(OfferAnswered) == [OfferAnswered(leg, b"held")]
    given_up = other.requests("INVITE")[-1]
    before = len(far.requests("ACK"))
    other.reply(given_up, 200, ("Contact", f"<sip:far@{NAME}>"), body=b"held")
    network.run_for(0.1)
    assert len(far.requests("ACK")) + len(other.requests("ACK")) == before + acks + 1
    assert len(caller.told_of(OfferAnswered)) == 1


def test_a_challenge_behind_the_next_address_is_answered_there(network, caller, far, other):
    network.names[NAME] = (other.address, far.address)
    credentials = Credentials("alice", "secret")
    leg = answered(network, caller, far, f"<sip:far@{NAME}>", credentials=credentials)
    obey(other, 503)

    def script(message):
        if message.method == "BYE":
            known = message.headers.get("Authorization") is not None
            challenge = ("WWW-Authenticate", 'Digest realm="far", nonce="1"')
            far.reply(message, 200 if known else 401, *([] if known else [challenge]))

    far.script = script
    caller.do("hang_up", leg)
    network.run_for(1)
    first, second = far.requests("BYE")
    assert second.cseq.number == first.cseq.number + 1
    assert len(other.requests("BYE")) == 1
    assert caller.told[-1] == Ended(leg, by_remote=False)


def test_the_bye_of_a_lost_engines_dialog_goes_to_the_next_address(network, caller, far, other):
    """What is stored of the dialog is enough to find the others: the name it was reached by."""
    target = SipUri.parse(f"sip:far@{NAME}")
    caller.invite(far, target=target, destinations=(by_name(other.address),))
    network.run_for(0.1)
    other.reply(other.requests("INVITE")[0], 200, ("Contact", f"<sip:far@{NAME}:5060>"))
    network.run_for(0.1)
    stored = json.dumps(caller.told_of(Answered)[0].identity.to_json())
    del network.peers[caller.address]
    heir = network.peer("10.0.0.3")
    network.names[NAME] = (other.address, far.address)
    obey(far)
    leg = heir.agent.adopt(DialogIdentity.from_json(json.loads(stored)), network.now)
    heir.do("hang_up", leg)
    network.run()
    assert len(other.requests("BYE")) > 5
    assert len(far.requests("BYE")) == 1
    assert heir.told == [
        DestinationFailed(by_name(other.address), RefusalCause.TIMEOUT),
        Ended(leg, by_remote=False),
    ]
    assert heir.agent.is_idle


def test_an_ack_whose_answer_comes_again_goes_to_another_address(network, caller, far, other):
    """RFC 3261 13.2.2.4: nobody answers an ACK; the 2xx that comes again says it was lost."""
    network.names[NAME] = (other.address, far.address)
    leg = caller.invite(far)
    network.run_for(0.1)
    invite = far.requests("INVITE")[0]
    for _ in range(4):
        far.reply(invite, 200, ("Contact", f"<sip:far@{NAME}>"), body=b"answer")
        network.run_for(0.1)
        caller.do("acknowledge", leg)
        network.run_for(0.1)
    acks = far.requests("ACK") + other.requests("ACK")
    assert len(far.requests("ACK")) == len(other.requests("ACK")) == 2
    assert len({ack.to_bytes() for ack in acks}) == 1


def test_a_redirect_to_a_name_tries_all_its_addresses_and_cancels_where_it_rings(
    network, caller, far, other
):
    network.names[NAME] = (NOWHERE, other.address)
    far.script = lambda message: (
        message.method == "INVITE" and far.reply(message, 302, ("Contact", f"<sip:bob@{NAME}>"))
    )
    leg = caller.invite(far, follow_redirects=1)
    network.run_for(33)
    invite = other.requests("INVITE")[0]
    other.reply(invite, 180)
    network.run_for(0.1)
    assert caller.told_of(Progress)[0].status == 180
    network.names[NAME] = (NOWHERE, NOWHERE)
    caller.do("hang_up", leg)
    network.run_for(0.1)
    assert other.requests("CANCEL")[0].via.branch == invite.via.branch


class NamedStory(Story):
    """A call whose ends name hosts, each of which stands for an address where nobody is too."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.network.peers.clear()
        self.caller = self.named("10.0.0.1", "caller.example.com")
        self.callee = self.named("10.0.0.2", "callee.example.com")
        self.caller.on_event = self.at_caller
        self.callee.on_event = self.at_callee

    def named(self, host: str, name: str) -> Peer:
        peer = self.network.peer(host, known_as=name)
        both = [peer.address, NOWHERE]
        self.draw.shuffle(both)
        self.network.names[name] = tuple(both)
        return peer

    def check(self) -> None:
        super().check()
        if self.loss == 0 and self.caller.told_of(Answered):
            assert self.reached(b"ACK ")
            assert self.reached(b"BYE ")

    def reached(self, start: bytes) -> bool:
        living = {self.caller.address, self.callee.address}
        sent = self.network.sent
        return any(data.startswith(start) and target in living for _, _, target, data in sent)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_over_any_network_calls_end_well_though_one_address_of_each_end_is_dead(chunk):
    for seed in range(chunk * RUNS // CHUNKS, (chunk + 1) * RUNS // CHUNKS):
        prove(NamedStory(seed), seed)


def test_what_was_looked_up_when_it_is_over_changes_nothing(network: Network, caller, far):
    network.names[NAME] = (far.address,)
    leg = answered(network, caller, far, f"<sip:far@{NAME}>")
    caller.agent.hang_up(leg, network.now)
    (sent,), _, caller.deadline = caller.agent.take()
    network.run_for(40)
    assert caller.told[-1] == Ended(leg, by_remote=False)
    caller.agent.resolved(sent, (by_name(far.address),), network.now)
    assert caller.agent.take() == ([], [], None)
