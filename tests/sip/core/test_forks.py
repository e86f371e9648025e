"""One INVITE that rings several phones behind a proxy."""

from __future__ import annotations

from twoleg.sip import Answered, Ended, Progress, Refused


def ring(network, caller, far, **changes):
    leg = caller.invite(far, **changes)
    network.run_for(0.1)
    return leg, far.requests("INVITE")[0]


def test_a_second_answer_is_acked_and_ended_and_the_first_stays(network, caller, far):
    leg, invite = ring(network, caller, far)
    far.reply(invite, 200, tag="first", body=b"one")
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    far.reply(invite, 200, tag="second", body=b"two")
    far.reply(invite, 200, tag="second", body=b"two")
    network.run_for(0.1)
    assert len(caller.told_of(Answered)) == 1
    (bye,) = far.requests("BYE")
    assert bye.to.tag == "second"
    assert [ack.to.tag for ack in far.requests("ACK")] == ["first", "second", "second"]
    far.reply(bye, 200)
    network.run_for(40)
    assert caller.told[-1] == caller.told_of(Answered)[0]


def answered_and_hung_up(network, caller, far):
    """Ring, be answered, hang up, and have that confirmed."""
    leg, invite = ring(network, caller, far)
    far.reply(invite, 200, tag="first", body=b"one")
    network.run_for(0.1)
    caller.do("hang_up", leg)
    network.run_for(0.1)
    far.reply(far.requests("BYE")[0], 200)
    network.run_for(0.1)
    return leg, invite


def test_a_second_answer_is_ended_even_when_the_first_was_hung_up(network, caller, far):
    leg, invite = answered_and_hung_up(network, caller, far)
    assert caller.told[-1] == Ended(leg, by_remote=False)
    far.reply(invite, 200, tag="second", body=b"two")
    network.run_for(0.1)
    assert [bye.to.tag for bye in far.requests("BYE")] == ["first", "second"]


def test_an_answer_that_comes_again_after_the_end_is_acked_again_and_not_ended_twice(
    network, caller, far
):
    leg, invite = answered_and_hung_up(network, caller, far)
    far.reply(invite, 200, tag="first", body=b"one")
    network.run_for(0.1)
    first, again = far.requests("ACK")
    assert first == again
    assert len(far.requests("BYE")) == 1
    assert caller.told[-1] == Ended(leg, by_remote=False)


def test_every_answer_to_a_canceled_call_is_ended(network, caller, far):
    leg, invite = ring(network, caller, far)
    far.reply(invite, 180, tag="first")
    network.run_for(0.1)
    caller.do("hang_up", leg)
    far.reply(invite, 200, tag="first", body=b"one")
    far.reply(invite, 200, tag="second", body=b"two")
    network.run_for(0.1)
    far.script = lambda message: None
    assert {bye.to.tag for bye in far.requests("BYE")} == {"first", "second"}
    assert {ack.to.tag for ack in far.requests("ACK")} == {"first", "second"}


def test_reliable_responses_are_acknowledged_by_prack_in_their_own_dialogs(network, caller, far):
    _, invite = ring(network, caller, far)
    reliable = [("Require", "100rel"), ("RSeq", "17")]
    far.reply(invite, 183, *reliable, tag="first", body=b"early")
    far.reply(invite, 180, *reliable, tag="second")
    network.run_for(0.1)
    first, second = far.requests("PRACK")
    assert (first.to.tag, first.headers.get("RAck")) == ("first", "17 1 INVITE")
    assert (second.to.tag, second.headers.get("RAck")) == ("second", "17 1 INVITE")
    assert [event.reliable for event in caller.told_of(Progress)] == [True, True]


def test_a_reliable_response_is_told_once_and_only_in_its_order(network, caller, far):
    _, invite = ring(network, caller, far)

    def send(number):
        far.reply(invite, 183, ("Require", "100rel"), ("RSeq", str(number)))
        network.run_for(0.1)
        for prack in far.requests("PRACK"):
            far.reply(prack, 200)
        network.run_for(0.1)

    for number in (5, 5, 7, 6, 7):
        send(number)
    numbers = [request.headers.get("RAck").split()[0] for request in far.requests("PRACK")]
    assert numbers == ["5", "6", "7"]
    assert len(caller.told_of(Progress)) == 3


def test_the_number_of_requests_goes_on_from_the_early_dialog(network, caller, far):
    leg, invite = ring(network, caller, far)
    far.reply(invite, 183, ("Require", "100rel"), ("RSeq", "1"))
    network.run_for(0.1)
    far.reply(far.requests("PRACK")[0], 200)
    far.reply(invite, 200, body=b"answer")
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    caller.do("hang_up", leg)
    network.run_for(0.1)
    assert far.requests("ACK")[0].cseq.number == 1
    assert far.requests("PRACK")[0].cseq.number == 2
    assert far.requests("BYE")[0].cseq.number == 3


def test_the_answers_that_one_invite_may_bring_are_bounded(network, caller, far):
    leg, invite = ring(network, caller, far)
    for number in range(100):
        far.reply(invite, 180, tag=f"ringing{number}")
        far.reply(invite, 200, tag=f"answer{number}", body=b"answer")
    network.run_for(0.1)
    assert len(far.requests("BYE")) == 32
    caller.do("hang_up", leg)
    network.run_for(0.1)
    for bye in far.requests("BYE"):
        far.reply(bye, 200)
    network.run()
    assert caller.told_of(Refused) == []
    assert caller.agent.is_idle
