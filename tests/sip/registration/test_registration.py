"""Staying registered with a trunk, in virtual time."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip.digest import Credentials
from twoleg.sip.errors import LocalProtocolError
from twoleg.sip.events import RefusalCause
from twoleg.sip.fields import CSeq
from twoleg.sip.headers import Headers
from twoleg.sip.interface import OutOfDialogRequest
from twoleg.sip.message import Response
from twoleg.sip.registration import (
    MAX_EXPIRES,
    MAX_RETRY_AFTER,
    Registration,
    RegistrationConfig,
    RegistrationFailure,
    RegistrationState,
)
from twoleg.sip.uri import SipUri

CONFIG = RegistrationConfig(
    registrar=SipUri.parse("sip:trunk.example"),
    address_of_record=SipUri.parse("sip:12125550100@trunk.example"),
    contact=SipUri.parse("sip:12125550100@192.0.2.1:5060"),
    display_name="Main office",
    credentials=Credentials("12125550100", "hunter2"),
    expires=600,
    refresh_fraction=0.75,
    first_pause=5,
    refused_pause=120,
    longest_pause=100,
)
CONTACT = "<sip:12125550100@192.0.2.1:5060>"

UNREGISTERED = RegistrationState.UNREGISTERED
REGISTERING = RegistrationState.REGISTERING
REGISTERED = RegistrationState.REGISTERED
FAILED = RegistrationState.FAILED


class Trunk:
    """A registration with its clock, and the far end played by the test."""

    def __init__(self, config: RegistrationConfig = CONFIG, chance: float = 0.5):
        self.now = 1000.0
        self.registration = Registration(config, "call-1", lambda: chance)

    @property
    def state(self) -> RegistrationState:
        return self.registration.state

    @property
    def wait(self) -> float | None:
        deadline = self.registration.next_deadline()
        return None if deadline is None else deadline - self.now

    def sent(self) -> OutOfDialogRequest:
        request = self.registration.next_request()
        assert request is not None
        assert self.registration.next_request() is None
        return request

    def is_silent(self) -> bool:
        return self.registration.next_request() is None

    def answer(
        self, status: int = 200, *headers: tuple[str, str], cseq: int = 0, reason=""
    ) -> None:
        response = Response(status, reason, Headers(headers))
        response.cseq = CSeq(cseq, "REGISTER")
        self.registration.complete(response, RefusalCause.RESPONSE, self.now)

    def stay_silent(self) -> None:
        self.now += 32
        self.registration.complete(None, RefusalCause.TIMEOUT, self.now)

    def pass_time(self, seconds: float | None = None) -> None:
        """Go on by so many seconds, or to the next deadline."""
        wait = self.wait if seconds is None else seconds
        assert wait is not None
        self.now += wait
        self.registration.handle_timeout(self.now)

    def registered(self) -> "Trunk":
        self.registration.start(self.now)
        self.sent()
        self.answer(200, ("Contact", f"{CONTACT};expires=600"))
        assert self.state is REGISTERED
        return self


def header(request: OutOfDialogRequest, name: str) -> str:
    return dict(request.headers)[name]


def test_the_first_request():
    trunk = Trunk()
    assert (trunk.state, trunk.registration.stopped, trunk.wait) == (UNREGISTERED, True, None)
    trunk.registration.start(trunk.now)
    assert trunk.state is REGISTERING
    request = trunk.sent()
    assert (request.method, str(request.target)) == ("REGISTER", "sip:trunk.example")
    assert str(request.to) == '"Main office" <sip:12125550100@trunk.example>'
    assert str(request.from_) == str(request.to)
    assert header(request, "Contact") == CONTACT
    assert header(request, "Expires") == "600"
    assert (request.call_id, request.cseq) == ("call-1", 1)
    assert request.credentials is CONFIG.credentials
    assert "hunter2" not in repr(CONFIG)


def test_it_is_refreshed_at_a_part_of_what_was_granted():
    trunk = Trunk().registered()
    assert trunk.registration.registered_until == trunk.now + 600
    assert trunk.wait == pytest.approx(450)
    trunk.pass_time()
    assert trunk.state is REGISTERED
    request = trunk.sent()
    assert (request.call_id, request.cseq) == ("call-1", 2)
    trunk.answer(200, ("Contact", f"{CONTACT};expires=600"))
    assert trunk.registration.registered_until == trunk.now + 600


@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_refreshes_are_spread_and_never_late(chance):
    trunk = Trunk(chance=chance).registered()
    assert trunk.wait == pytest.approx(450, rel=0.101)
    assert trunk.wait != pytest.approx(450)


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ([("Contact", f"{CONTACT};expires=120")], 120),
        ([("Contact", "<sip:other@192.0.2.9>;expires=9, " + CONTACT + ";expires=120")], 120),
        ([("Contact", f"{CONTACT};expires=120"), ("Expires", "60")], 120),
        ([("Contact", CONTACT), ("Expires", "60")], 60),
        ([("Contact", "<sip:12125550100@SBC.example>;expires=90")], 90),
        ([("Contact", "<sip:a@192.0.2.9>;expires=9"), ("Contact", "<sip:b@192.0.2.9>")], 600),
        ([("Expires", "60")], 60),
        ([], 600),
        ([("Contact", "<unreadable"), ("Expires", "60")], 60),
        ([("Contact", f"{CONTACT};expires=4294967295")], MAX_EXPIRES),
    ],
)
def test_the_granted_time_is_that_of_our_own_contact(headers, granted):
    trunk = Trunk()
    trunk.registration.start(trunk.now)
    trunk.sent()
    trunk.answer(200, *headers)
    assert trunk.registration.registered_until == trunk.now + granted


def test_a_200_that_grants_nothing_is_a_failure():
    trunk = Trunk()
    trunk.registration.start(trunk.now)
    trunk.sent()
    trunk.answer(200, ("Contact", f"{CONTACT};expires=0"))
    assert trunk.state is FAILED


def test_cseq_goes_on_above_what_challenges_took():
    trunk = Trunk()
    trunk.registration.start(trunk.now)
    assert trunk.sent().cseq == 1
    trunk.answer(200, cseq=3)
    trunk.pass_time()
    assert trunk.sent().cseq == 4
    trunk.stay_silent()
    trunk.pass_time()
    cseq = trunk.sent().cseq
    assert cseq is not None
    assert cseq > 10


def test_an_interval_too_brief_is_asked_for_again_at_once_as_long_as_wanted():
    trunk = Trunk()
    trunk.registration.start(trunk.now)
    trunk.sent()
    trunk.answer(423, ("Min-Expires", "1800"))
    assert trunk.state is REGISTERING
    assert header(trunk.sent(), "Expires") == "1800"
    trunk.answer(200, ("Contact", CONTACT))
    assert trunk.registration.registered_until == trunk.now + 1800
    trunk.pass_time()
    assert header(trunk.sent(), "Expires") == "1800"


@pytest.mark.parametrize("minimum", ["600", "60", "x", str(MAX_EXPIRES + 1), ""])
def test_a_423_that_leads_nowhere_is_a_failure(minimum):
    trunk = Trunk()
    trunk.registration.start(trunk.now)
    trunk.sent()
    trunk.answer(423, ("Min-Expires", minimum))
    assert trunk.state is FAILED
    assert trunk.is_silent()


def test_pauses_grow_up_to_a_bound_and_begin_anew_after_success():
    trunk = Trunk(chance=1.0)
    trunk.registration.start(trunk.now)
    pauses = []
    for _ in range(7):
        trunk.sent()
        trunk.stay_silent()
        assert trunk.state is FAILED
        pauses.append(trunk.wait)
        trunk.pass_time()
        assert trunk.state is REGISTERING
    assert pauses == pytest.approx([5, 10, 20, 40, 80, 100, 100])
    assert trunk.registration.failures_in_a_row == 7
    trunk.sent()
    trunk.answer(200, ("Contact", CONTACT))
    assert (trunk.state, trunk.registration.failure) == (REGISTERED, None)
    trunk.pass_time()
    trunk.sent()
    trunk.stay_silent()
    assert trunk.wait == pytest.approx(5)


def test_pauses_are_spread_by_chance():
    trunk = Trunk(chance=0.0)
    trunk.registration.start(trunk.now)
    trunk.sent()
    trunk.stay_silent()
    assert trunk.wait == pytest.approx(2.5)


@pytest.mark.parametrize("status", [401, 403, 404, 407])
def test_a_refusal_that_lasts_is_not_hammered_upon(status):
    trunk = Trunk(chance=0.0)
    trunk.registration.start(trunk.now)
    trunk.sent()
    trunk.answer(status, reason="No")
    assert trunk.state is FAILED
    assert trunk.registration.failure == RegistrationFailure(RefusalCause.RESPONSE, status, "No")
    assert trunk.wait == pytest.approx(120)


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        ("60", 60),
        ("60 (maintenance);duration=3600", 60),
        ("1", 2.5),
        ("soon", 2.5),
        ("999999", MAX_RETRY_AFTER),
    ],
)
def test_retry_after_is_heeded_within_bounds(retry_after, pause):
    trunk = Trunk(chance=0.0)
    trunk.registration.start(trunk.now)
    trunk.sent()
    trunk.answer(503, ("Retry-After", retry_after))
    assert trunk.wait == pytest.approx(pause)


def test_a_refresh_that_nobody_answers_leaves_us_registered_until_the_time_is_up():
    trunk = Trunk(replace(CONFIG, first_pause=200, longest_pause=200), chance=1.0).registered()
    until = trunk.registration.registered_until
    trunk.pass_time()
    trunk.sent()
    trunk.stay_silent()
    assert trunk.state is REGISTERED
    assert trunk.registration.failure == RegistrationFailure(RefusalCause.TIMEOUT)
    trunk.pass_time()
    assert trunk.now == until
    assert (trunk.state, trunk.registration.registered_until) == (FAILED, None)
    trunk.pass_time()
    assert trunk.state is REGISTERING
    trunk.sent()


def test_a_refresh_that_is_refused_for_good_ends_the_registration():
    trunk = Trunk().registered()
    trunk.pass_time()
    trunk.sent()
    trunk.answer(403)
    assert (trunk.state, trunk.registration.registered_until) == (FAILED, None)


def test_time_that_runs_out_while_a_refresh_is_on_its_way():
    trunk = Trunk().registered()
    trunk.pass_time()
    trunk.sent()
    trunk.pass_time()
    assert trunk.state is REGISTERING
    assert trunk.wait is None
    trunk.answer(200, ("Contact", CONTACT))
    assert trunk.state is REGISTERED


def test_stopping_deregisters():
    trunk = Trunk().registered()
    trunk.registration.stop(trunk.now)
    request = trunk.sent()
    assert (header(request, "Expires"), header(request, "Contact")) == ("0", CONTACT)
    assert request.cseq == 2
    assert not trunk.registration.stopped
    trunk.registration.stop(trunk.now)
    assert trunk.is_silent()
    trunk.answer(200)
    assert (trunk.state, trunk.registration.stopped, trunk.wait) == (UNREGISTERED, True, None)


def test_a_deregistration_that_nobody_answers_is_the_end_all_the_same():
    trunk = Trunk().registered()
    trunk.registration.stop(trunk.now)
    trunk.sent()
    trunk.stay_silent()
    assert (trunk.state, trunk.registration.stopped, trunk.wait) == (UNREGISTERED, True, None)


def test_time_that_runs_out_while_deregistering():
    trunk = Trunk().registered()
    trunk.registration.stop(trunk.now)
    trunk.sent()
    trunk.pass_time()
    assert (trunk.state, trunk.registration.stopped) == (UNREGISTERED, False)
    trunk.answer(200)
    assert (trunk.state, trunk.registration.stopped) == (UNREGISTERED, True)


def test_stopping_before_anything_was_bound_sends_nothing():
    trunk = Trunk()
    trunk.registration.stop(trunk.now)
    assert (trunk.state, trunk.registration.stopped) == (UNREGISTERED, True)
    trunk.registration.start(trunk.now)
    trunk.registration.stop(trunk.now)
    assert (trunk.state, trunk.registration.stopped) == (UNREGISTERED, True)
    trunk.registration.start(trunk.now)
    trunk.sent()
    trunk.stay_silent()
    trunk.registration.stop(trunk.now)
    assert (trunk.state, trunk.registration.stopped) == (UNREGISTERED, True)
    assert trunk.is_silent()


@pytest.mark.parametrize(("status", "bound"), [(200, True), (500, False), (423, False)])
def test_stopping_while_registering_waits_for_the_end_of_it(status, bound):
    trunk = Trunk()
    trunk.registration.start(trunk.now)
    trunk.sent()
    trunk.registration.stop(trunk.now)
    assert trunk.is_silent()
    assert not trunk.registration.stopped
    trunk.answer(status, ("Min-Expires", "1200"))
    if bound:
        assert header(trunk.sent(), "Expires") == "0"
        trunk.answer(200)
    assert (trunk.state, trunk.registration.stopped, trunk.wait) == (UNREGISTERED, True, None)


def test_starting_again_while_deregistering():
    trunk = Trunk().registered()
    trunk.registration.stop(trunk.now)
    trunk.sent()
    trunk.registration.start(trunk.now)
    assert trunk.is_silent()
    trunk.answer(200)
    assert header(trunk.sent(), "Expires") == "600"
    trunk.answer(200)
    assert trunk.state is REGISTERED

    trunk.registration.stop(trunk.now)
    trunk.registration.start(trunk.now)
    assert header(trunk.sent(), "Expires") == "600"
    trunk.answer(200)
    assert trunk.state is REGISTERED


def test_starting_twice_sends_once():
    trunk = Trunk()
    trunk.registration.start(trunk.now)
    trunk.registration.start(trunk.now)
    assert trunk.sent().cseq == 1
    trunk.registration.start(trunk.now)
    assert trunk.is_silent()


def test_a_lost_connection_is_a_reason_to_register_again_at_once():
    trunk = Trunk()
    trunk.registration.renew(trunk.now)
    assert trunk.is_silent()
    trunk.registered()
    trunk.registration.renew(trunk.now)
    assert trunk.sent().cseq == 2
    trunk.registration.renew(trunk.now)
    assert trunk.is_silent()
    trunk.answer(200)
    assert trunk.sent().cseq == 3


def test_an_end_without_a_beginning_is_our_own_mistake():
    trunk = Trunk()
    with pytest.raises(LocalProtocolError):
        trunk.answer(200)


steps = st.lists(
    st.tuples(
        st.sampled_from(["start", "stop", "renew", "take", "answer", "silence", "time"]),
        st.sampled_from([200, 200, 401, 423, 503]),
        st.floats(0, 700),
    ),
    max_size=40,
)


@given(steps, st.integers())
def test_whatever_happens_it_always_goes_on_or_has_stopped(steps, seed):
    registration = Registration(CONFIG, "call-1", random.Random(seed).random)
    now, in_flight, cseqs = 0.0, False, [0]
    for step, status, seconds in steps:
        now += seconds
        if step == "start":
            registration.start(now)
        elif step == "stop":
            registration.stop(now)
        elif step == "renew":
            registration.renew(now)
        elif step == "time":
            registration.handle_timeout(now)
        elif step == "take":
            request = registration.next_request()
            if request is not None:
                assert not in_flight
                assert request.cseq is not None
                cseqs.append(request.cseq)
                in_flight = True
        elif in_flight:
            in_flight = False
            response = Response(status)
            response.cseq = CSeq(cseqs[-1] + 1, "REGISTER")
            registration.complete(
                response if step == "answer" else None, RefusalCause.RESPONSE, now
            )
        registration.handle_timeout(now)
        assert cseqs == sorted(set(cseqs))
        deadline = registration.next_deadline()
        assert deadline is None or deadline > now
        if registration.state is REGISTERED:
            assert registration.registered_until is not None
        if registration.stopped and not in_flight:
            assert registration.state is UNREGISTERED
            assert deadline is None
