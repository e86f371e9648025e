"""Provisional responses that a caller wants to be reliable (RFC 3262): our side as its callee."""

from __future__ import annotations

import os

import pytest
from sip.core.test_any_network import Story
from sip_network import prove

from twoleg.sip import (
    Answered,
    Established,
    Invited,
    Offered,
    Progress,
    RefusalCause,
    Refused,
    parse_message,
)
from twoleg.sip.reliable_provisionals import MAX_WAITING

RUNS = int(os.environ.get("TWOLEG_SIP_RUNS", "20000")) // 10
CHUNKS = 8
RELIABLE = (("Require", "100rel"),)


def invite(network, callee, far, body=b"offer"):
    far.send(callee, "INVITE sip:near@10.0.0.2 SIP/2.0\nRequire: 100rel\nCSeq: 7 INVITE", body)
    network.run_for(0.1)
    return callee.told_of(Invited)[-1].leg


def prack(network, callee, far, response, *, cseq=8, rack=None, body=b"", kind="application/sdp"):
    """Acknowledge a response; give the statuses that the PRACK gets."""
    rack = rack or f"{response.headers.get('RSeq')} 7 INVITE"
    lines = f"To: {response.headers.get('To')}\nCSeq: {cseq} PRACK\nRAck: {rack}"
    if body:
        lines += f"\nContent-Type: {kind}"
    before = len(far.got)
    far.send(callee, f"PRACK sip:near@10.0.0.2 SIP/2.0\n{lines}", body)
    network.run_for(0.1)
    return [each.status for each in far.got[before:] if each.cseq.method == "PRACK"]


def acknowledge(network, callee, far, body=b""):
    to = far.responses(200)[-1].headers.get("To")
    far.send(callee, f"ACK sip:near@10.0.0.2 SIP/2.0\nTo: {to}\nCSeq: 7 ACK", body)
    network.run_for(0.1)


def test_where_it_is_required_each_provisional_response_is_numbered(network, callee, far):
    leg = invite(network, callee, far)
    callee.do("ring_back", leg)
    network.run_for(0.1)
    ringing = far.responses(180)[0]
    assert ringing.headers.get("Require") == "100rel"
    assert 1 <= int(ringing.headers.get("RSeq")) < 2**31
    assert ringing.headers.has_token("Supported", "100rel")
    assert far.responses(100)[0].headers.get("RSeq") is None
    assert prack(network, callee, far, ringing) == [200]
    callee.do("ring_back", leg, 183, b"early")
    network.run_for(0.1)
    progress = far.responses(183)[0]
    assert int(progress.headers.get("RSeq")) == int(ringing.headers.get("RSeq")) + 1
    assert prack(network, callee, far, progress, cseq=9) == [200]


def test_a_caller_that_only_supports_it_gets_plain_ones(network, callee, far):
    far.send(callee, "INVITE sip:near@10.0.0.2 SIP/2.0\nSupported: 100rel", b"offer")
    network.run_for(0.1)
    callee.do("ring_back", callee.told_of(Invited)[0].leg, 183, b"early")
    network.run_for(0.1)
    (progress,) = far.responses(183)
    assert progress.headers.get("RSeq") is None
    assert progress.headers.get("Require") is None


def test_without_prack_it_is_repeated_at_doubling_intervals_and_then_the_invite_is_refused(
    network, callee, far
):
    leg = invite(network, callee, far)
    start = network.now
    callee.do("ring_back", leg)
    network.run_for(31.5)
    at = [when - start for when, source, _, data in network.sent if b" 180 " in data[:12]]
    assert at == pytest.approx([0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5])
    assert len({response.to_bytes() for response in far.responses(180)}) == 1
    network.run_for(1)
    (refused,) = callee.told_of(Refused)
    assert (refused.status, refused.cause) == (504, RefusalCause.TIMEOUT)
    assert far.responses(504)
    network.run()
    assert callee.agent.is_idle


def test_a_prack_stops_the_repetition_and_one_that_comes_again_finds_nothing(network, callee, far):
    leg = invite(network, callee, far)
    callee.do("ring_back", leg)
    network.run_for(2)
    ringing = far.responses(180)[0]
    assert prack(network, callee, far, ringing) == [200]
    repeated = len(far.responses(180))
    network.run_for(60)
    assert len(far.responses(180)) == repeated
    assert prack(network, callee, far, ringing, cseq=9) == [481]
    assert callee.told_of(Refused) == []


@pytest.mark.parametrize(
    ("rack", "status"),
    [
        ("1 7 INVITE", 481),
        ("{number} 6 INVITE", 481),
        ("{number} 7 UPDATE", 481),
        ("{number} 7", 400),
        ("one 7 INVITE", 400),
        ("{number} 99999999999999999999999 INVITE", 400),
    ],
)
def test_a_prack_of_something_else_is_refused(network, callee, far, rack, status):
    leg = invite(network, callee, far)
    callee.do("ring_back", leg)
    network.run_for(0.1)
    ringing = far.responses(180)[0]
    rack = rack.format(number=ringing.headers.get("RSeq"))
    assert prack(network, callee, far, ringing, rack=rack) == [status]
    network.run_for(1)
    assert len(far.responses(180)) > 1


def test_a_prack_for_a_call_whose_responses_are_plain_is_refused(network, callee, far):
    far.send(callee, "INVITE sip:near@10.0.0.2 SIP/2.0\nCSeq: 7 INVITE", b"offer")
    network.run_for(0.1)
    callee.do("ring_back", callee.told_of(Invited)[0].leg)
    network.run_for(0.1)
    assert prack(network, callee, far, far.responses(180)[0], rack="1 7 INVITE") == [481]


def test_the_next_response_waits_for_the_prack_of_the_one_before(network, callee, far):
    leg = invite(network, callee, far)
    callee.do("ring_back", leg)
    callee.do("ring_back", leg, 183, b"early")
    network.run_for(0.3)
    assert far.responses(183) == []
    prack(network, callee, far, far.responses(180)[0])
    assert far.responses(183)[0].body == b"early"


def test_no_more_of_them_wait_than_is_reasonable(network, callee, far):
    leg = invite(network, callee, far)
    for _ in range(100):
        callee.do("ring_back", leg, 182)
    network.run_for(0.1)
    for number in range(100):
        if prack(network, callee, far, far.responses(182)[-1], cseq=8 + number) == [481]:
            break
    assert len({response.headers.get("RSeq") for response in far.responses(182)}) == MAX_WAITING + 1


def test_the_2xx_waits_for_the_prack_of_a_description_and_has_none_itself(network, callee, far):
    leg = invite(network, callee, far)
    callee.do("ring_back", leg, 183, b"answer")
    callee.do("accept", leg, b"answer")
    network.run_for(0.3)
    assert far.responses(200) == []
    assert prack(network, callee, far, far.responses(183)[0]) == [200]
    (answer,) = [each for each in far.responses(200) if each.cseq.method == "INVITE"]
    assert answer.body == b""
    assert [each.cseq.method for each in far.responses(200)] == ["PRACK", "INVITE"]
    acknowledge(network, callee, far)
    assert callee.told_of(Established)[0].body == b""


def test_the_2xx_waits_for_no_response_without_a_description(network, callee, far):
    """RFC 3262 3: the response is repeated no more, and its PRACK is still answered."""
    leg = invite(network, callee, far)
    callee.do("ring_back", leg)
    callee.do("ring_back", leg, 183, b"never sent")
    callee.do("accept", leg, b"answer")
    network.run_for(0.1)
    assert far.responses(200)[0].body == b"answer"
    acknowledge(network, callee, far)
    network.run_for(2)
    assert len(far.responses(180)) == 1
    assert prack(network, callee, far, far.responses(180)[0]) == [200]
    assert far.responses(183) == []


@pytest.mark.parametrize("ending", ["CANCEL", "BYE", "hang up", "silence"])
def test_what_waits_for_a_prack_may_be_ended(network, callee, far, ending):
    leg = invite(network, callee, far)
    callee.do("ring_back", leg, 183, b"answer")
    callee.do("accept", leg, b"answer")
    network.run_for(0.1)
    status = {"CANCEL": 487, "BYE": 487, "hang up": 603, "silence": 504}[ending]
    to = far.responses(183)[0].headers.get("To")
    if ending == "CANCEL":
        via = far.responses(183)[0].headers.get("Via").partition(";rport")[0]
        lines = f"Via: {via}\nCSeq: 7 CANCEL"
        far.send(callee, f"CANCEL sip:near@10.0.0.2 SIP/2.0\n{lines}")
    elif ending == "BYE":
        far.send(callee, f"BYE sip:near@10.0.0.2 SIP/2.0\nTo: {to}\nCSeq: 8 BYE")
    elif ending == "hang up":
        callee.do("hang_up", leg)
    network.run_for(33)
    assert [refused.status for refused in callee.told_of(Refused)] == [status]
    assert far.responses(status)
    repeated = len(far.responses(183))
    network.run_for(60)
    assert len(far.responses(183)) == repeated
    assert callee.agent.is_idle


def test_the_prack_of_an_offer_of_ours_brings_the_answer(network, callee, far):
    leg = invite(network, callee, far, body=b"")
    callee.do("ring_back", leg, 183, b"our offer")
    network.run_for(0.1)
    assert prack(network, callee, far, far.responses(183)[0], body=b"their answer") == [200]
    callee.do("accept", leg, b"our offer")
    network.run_for(0.1)
    assert far.responses(200)[-1].body == b""
    acknowledge(network, callee, far)
    assert callee.told_of(Established)[0].body == b"their answer"


def test_a_prack_may_bring_a_new_offer_that_is_answered_before_the_2xx(network, callee, far):
    leg = invite(network, callee, far)
    callee.do("ring_back", leg, 183, b"answer")
    callee.do("accept", leg, b"answer")
    network.run_for(0.1)
    prack(network, callee, far, far.responses(183)[0], body=b"another offer")
    assert callee.told_of(Offered) == [Offered(leg, b"another offer", "PRACK")]
    assert far.responses(200) == []
    callee.do("answer_offer", leg, b"another answer")
    network.run_for(0.1)
    said = [(each.cseq.method, each.body) for each in far.responses(200)]
    assert said == [("PRACK", b"another answer"), ("INVITE", b"")]


def test_an_offer_in_a_prack_may_be_refused_and_the_response_has_its_prack(network, callee, far):
    leg = invite(network, callee, far)
    callee.do("ring_back", leg, 183, b"answer")
    network.run_for(0.1)
    prack(network, callee, far, far.responses(183)[0], body=b"another offer")
    callee.do("refuse_offer", leg, 488)
    network.run_for(0.1)
    assert far.responses(488)[0].cseq.method == "PRACK"
    callee.do("accept", leg, b"answer")
    network.run_for(0.1)
    assert far.responses(200)[-1].cseq.method == "INVITE"


def test_an_offer_before_our_answer_is_refused(network, callee, far):
    leg = invite(network, callee, far)
    callee.do("ring_back", leg)
    network.run_for(0.1)
    assert prack(network, callee, far, far.responses(180)[0], body=b"too early") == [488]
    assert callee.told_of(Offered) == []


def test_once_the_first_offer_is_answered_the_caller_may_make_another(network, callee, far):
    """RFC 3311 5.1: by UPDATE, before the call is answered."""
    leg = invite(network, callee, far)
    callee.do("ring_back", leg, 183, b"answer")
    network.run_for(0.1)
    progress = far.responses(183)[0]
    update = f"UPDATE sip:near@10.0.0.2 SIP/2.0\nTo: {progress.headers.get('To')}\nCSeq: "
    far.send(callee, f"{update}8 UPDATE", b"another offer")
    network.run_for(0.1)
    assert [each.cseq.method for each in far.responses(500)] == ["UPDATE"]
    prack(network, callee, far, progress, cseq=9)
    far.send(callee, f"{update}10 UPDATE", b"another offer")
    network.run_for(0.1)
    assert callee.told_of(Offered) == [Offered(leg, b"another offer", "UPDATE")]


def test_two_of_us_have_early_media_that_is_sure_to_arrive(network, caller, callee):
    leg = caller.invite(callee, headers=RELIABLE)
    network.run_for(0.1)
    there = callee.told_of(Invited)[0].leg
    callee.do("ring_back", there, 183, b"answer")
    callee.do("accept", there, b"answer")
    network.run_for(0.1)
    (progress,) = caller.told_of(Progress)
    assert (progress.body, progress.reliable) == (b"answer", True)
    assert caller.told_of(Answered)[0].body == b""
    caller.do("acknowledge", leg)
    network.run_for(0.1)
    assert callee.told_of(Established)
    caller.do("hang_up", leg)
    network.run()
    assert caller.agent.is_idle
    assert callee.agent.is_idle


class ReliableStory(Story):
    """A call whose caller insists on PRACK, and whose callee describes itself early or not."""

    def run(self) -> None:
        invite = self.caller.invite
        self.caller.invite = lambda callee: invite(callee, headers=RELIABLE)
        super().run()

    def at_callee(self, event: object) -> None:
        if isinstance(event, Invited):
            for _ in range(self.draw.randrange(4)):
                body = self.draw.choice([None, b"early"])
                self.unless_over(self.callee, 10, "ring_back", event.leg, 183, body)
        super().at_callee(event)

    def check(self) -> None:
        super().check()
        self.check_pracks()

    def check_pracks(self) -> None:
        """Replay what the callee sent against the PRACKs whose 200 shows that they had come."""
        unacknowledged: dict[bytes, bytes] = {}
        known: set[bytes] = set()
        for _, source, _, data in self.network.sent:
            if source != self.callee.address or not data.startswith(b"SIP/2.0 "):
                continue
            response = parse_message(data)
            number = response.headers.get("RSeq")
            if response.cseq.method == "PRACK":
                if response.status == 200:
                    unacknowledged.clear()
            elif response.cseq.method == "INVITE" and response.cseq.number == 1:
                if 100 < response.status < 200:
                    assert number is not None
                    assert set(unacknowledged) <= {number}, "two are under way"
                    if number not in known:
                        known.add(number)
                        unacknowledged[number] = response.body
                elif 200 <= response.status < 300:
                    assert not any(unacknowledged.values()), "a 2xx overtook a description"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_over_any_network_no_2xx_overtakes_a_description_and_every_call_ends_well(chunk):
    for seed in range(chunk * RUNS // CHUNKS, (chunk + 1) * RUNS // CHUNKS):
        prove(ReliableStory(seed), seed)
