"""A browser's transport in virtual time, without sockets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoleg.media.webrtc.dtls import Certificate, DtlsAssociation
from twoleg.media.webrtc.ice import MAX_CHECKED
from twoleg.media.webrtc.terms import WebRtcTerms
from twoleg.media.webrtc.transport import (
    CHECKED_SECONDS,
    CLOSED_SECONDS,
    DATAGRAMS_AT_ONCE,
    SECURE_WITHIN_SECONDS,
    WebRtcTransport,
)

OURS, THEIRS = Certificate(), Certificate()
PLACE = ("192.0.2.7", 4000)
PASSWORD = "our password of 22 signs"


class Bench:
    """A transport, the browser's DTLS, and a clock that a test moves."""

    def __init__(self, check):
        self.now = 0.0
        self.sent = []
        self.changes = 0
        self.failures = []
        digest = bytes.fromhex(THEIRS.fingerprint.replace(":", ""))
        terms = WebRtcTerms(
            fragment="ours",
            password=PASSWORD,
            remote_fragment="theirs",
            fingerprints=(("sha-256", digest),),
            is_client=False,
        )
        self.transport = WebRtcTransport(
            OURS, terms, self._send, self._changed, self.failures.append, lambda: self.now
        )
        self.browser = DtlsAssociation(THEIRS, self.give, is_client=True)
        self._check = check

    def _send(self, data, destination):
        self.sent.append((data, destination))
        return len(data)

    def _changed(self):
        self.changes += 1

    def give(self, data, source=PLACE):
        buffer = bytearray(2048)
        buffer[: len(data)] = data
        return self.transport.open(buffer, len(data), source)

    def check(self, source=PLACE):
        self.give(self._check(), source)

    def connect(self):
        self.check()
        self.browser.begin()
        while not self.browser.is_established:
            waiting, self.sent = self.sent, []
            for data, _ in waiting:
                if 20 <= data[0] < 64:
                    self.browser.receive(data)
        assert self.transport.pair == PLACE
        return self


@pytest.fixture
def bench(binding_request):
    return lambda: Bench(lambda: binding_request("ours:theirs", PASSWORD))


def test_a_browser_has_so_long_to_come_and_then_the_leg_is_over(bench):
    there = bench()
    there.transport.attend(SECURE_WITHIN_SECONDS - 0.1)
    assert there.failures == []
    there.transport.attend(SECURE_WITHIN_SECONDS)
    assert there.failures == ["the browser found no way to us (ICE) in 20 s"]
    there.transport.attend(SECURE_WITHIN_SECONDS + 1)
    assert len(there.failures) == 1


def test_a_browser_must_ask_every_now_and_then_whether_we_are_there(bench):
    there = bench().connect()
    assert there.transport.due == CHECKED_SECONDS
    there.now = CHECKED_SECONDS - 1
    there.check()
    there.transport.attend(CHECKED_SECONDS)
    assert there.failures == []
    there.transport.attend(there.now + CHECKED_SECONDS)
    assert there.failures == ["the browser is gone"]


def test_a_browser_that_closes_has_a_moment_for_its_bye(bench):
    there = bench().connect()
    changes = there.changes
    there.browser.close()
    assert there.changes == changes + 1
    assert there.transport.due == CLOSED_SECONDS
    there.transport.attend(CLOSED_SECONDS - 0.1)
    assert there.failures == []
    there.transport.attend(CLOSED_SECONDS)
    assert there.failures == ["the browser has closed its audio"]


def test_who_is_told_nothing_any_more_is_not_called_back(bench):
    there = bench().connect()
    there.transport.close()
    there.transport.close()
    there.transport.attend(1000.0)
    assert there.failures == []
    assert there.transport.due == float("inf")


def test_dtls_beyond_what_browsers_send_is_dropped(bench):
    there = bench()
    there.check()
    before = there.transport.rejected
    for _ in range(int(DATAGRAMS_AT_ONCE) + 5):
        there.give(b"\x16\xfe\xfd" + bytes(20))
    assert there.transport.rejected == before + 5


def test_places_with_right_checks_are_remembered_up_to_a_bound(bench):
    there = bench()
    for port in range(5000, 5000 + 3 * MAX_CHECKED):
        there.check(("192.0.2.7", port))
    assert len(there.transport._ice._checked) == MAX_CHECKED


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=200)), max_size=10))
def test_whatever_comes_nothing_is_raised_and_nothing_is_taken_for_audio(made, datagrams):
    for there in made:
        for first, rest in datagrams:
            assert there.give(bytes([first]) + rest) == 0


@pytest.fixture(scope="module")
def made(binding_request):
    """One that nobody has come to, one in its handshake, one whose audio flows."""

    def new():
        return Bench(lambda: binding_request("ours:theirs", PASSWORD))

    checked = new()
    checked.check()
    return new(), checked, new().connect()
