"""Running the core: a turn sends, tells and sets the timer; under load many make one go."""

from __future__ import annotations

import asyncio

import pytest

from twoleg.sip import (
    Address,
    Flow,
    NameAddr,
    OutOfDialogRequest,
    RequestReceived,
    ResponseSpec,
    SipUri,
    Transport,
    UserAgent,
    UserAgentConfig,
)
from twoleg.sip_io.core_loop import CoreLoop
from twoleg.sip_io.counters import Counters
from twoleg.sip_io.pace import LOOK_SECONDS
from twoleg.sip_io.tokens import Tokens

HERE = Address("10.0.0.1", 5060)
THERE = Address("10.0.0.2", 5060)
TARGET = SipUri("sip", None, None, THERE.host)

MANY = 10**9
"""Datagrams at once that are a load by any clock."""


class Shell:
    """A core with a loop of its own; what it sends and tells is kept."""

    def __init__(self) -> None:
        config = UserAgentConfig(
            addresses={Transport.UDP: HERE}, handled_methods=frozenset({"MESSAGE"})
        )
        self.core = UserAgent(config, Tokens())
        self.counters = Counters()
        self.running = CoreLoop(self.core, self.tell, self.counters)
        self.sent: list[bytes] = []
        self.has_sent = asyncio.Event()
        self.failing = 0
        self.running.start(self.send)

    def send(self, sent) -> None:
        if self.failing:
            self.failing -= 1
            raise ZeroDivisionError
        self.sent.append(sent.data.partition(b" ")[0])
        self.has_sent.set()

    def tell(self, event) -> None:
        assert isinstance(event, RequestReceived)
        self.core.respond(event.transaction, ResponseSpec(200), self.running.now())
        self.running.turn()
        assert self.sent == []  # it is sent by the turn that tells this

    def request(self, method: str) -> None:
        request = OutOfDialogRequest(
            method=method, target=TARGET, from_=NameAddr(TARGET), to=NameAddr(TARGET)
        )
        self.core.request(request, self.running.now())

    async def go_under_load(self) -> None:
        """Go as where many datagrams came, and wait until nobody asks for more."""
        assert self.running.go(MANY) > 0
        await asyncio.sleep(0)


@pytest.fixture
async def shell():
    shell = Shell()
    yield shell
    shell.running.stop()


async def test_a_message_that_a_bug_keeps_from_leaving_is_lost_alone(shell):
    shell.failing = 1
    shell.request("OPTIONS")
    shell.request("INFO")
    shell.running.turn()
    assert (shell.sent, shell.counters.internal_errors) == ([b"INFO"], 1)


async def test_what_was_lost_so_is_sent_again_by_its_timer(shell):
    shell.failing = 1
    shell.request("OPTIONS")
    shell.running.turn()
    await shell.has_sent.wait()
    assert shell.sent == [b"OPTIONS"]


async def test_a_turn_goes_on_with_what_the_core_is_given_meanwhile(shell):
    lines = (
        f"MESSAGE {TARGET} SIP/2.0",
        f"Via: SIP/2.0/UDP {THERE};branch=z9hG4bK1",
        f"From: <{TARGET}>;tag=1",
        f"To: <{TARGET}>",
        "Call-ID: 1",
        "CSeq: 1 MESSAGE",
    )
    data = "\r\n".join([*lines, "", ""]).encode()
    shell.core.receive(data, Flow(Transport.UDP, HERE, THERE), shell.running.now())
    shell.running.turn()
    assert shell.sent == [b"SIP/2.0"]
    assert shell.counters.callback_errors == 0


async def test_under_load_what_is_asked_for_leaves_with_the_next_go(shell):
    await shell.go_under_load()
    shell.request("OPTIONS")
    shell.running.turn()
    shell.request("INFO")
    shell.running.turn()
    assert shell.sent == []
    assert shell.running.go(0) > 0
    assert shell.sent == [b"OPTIONS", b"INFO"]


async def test_what_those_ask_for_whom_a_go_wakes_leaves_with_it(shell):
    def woken() -> None:
        shell.request("OPTIONS")
        shell.running.turn()
        assert shell.sent == []

    asyncio.get_running_loop().call_soon(woken)
    shell.running.go(MANY)
    await asyncio.sleep(0)
    assert shell.sent == [b"OPTIONS"]


async def test_where_nobody_reads_any_more_it_leaves_by_the_timer(shell):
    await shell.go_under_load()
    shell.request("OPTIONS")
    shell.running.turn()
    await shell.has_sent.wait()
    assert shell.sent == [b"OPTIONS"]


async def test_once_little_comes_each_thing_is_done_at_once_again(shell):
    await shell.go_under_load()
    later = shell.running.now() + 2 * LOOK_SECONDS
    shell.running.now = lambda: later
    assert shell.running.go(0) == 0
    shell.request("OPTIONS")
    shell.running.turn()
    assert shell.sent == [b"OPTIONS"]


async def test_whoever_ends_under_load_waits_for_no_go(shell):
    await shell.go_under_load()
    shell.request("OPTIONS")
    shell.running.turn()
    await shell.running.drain(0)
    assert shell.sent == [b"OPTIONS"]
