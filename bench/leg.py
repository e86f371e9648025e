"""One leg's signalling in memory: the core of `sip/` against answers that are written beforehand.

No socket and no event loop takes part. Beside CPU, whose least of many rounds is printed, it counts
the functions that a leg calls: a number without noise, which falls when work is left out.
"""

import argparse
import gc
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Final, TypeVar

from _figures import figure, machine

from twoleg.sip import (
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    Address,
    Answered,
    AudioSession,
    Destination,
    Event,
    Flow,
    Invitation,
    LocalAudio,
    NameAddr,
    Outgoing,
    Request,
    SipUri,
    Transport,
    UserAgent,
    UserAgentConfig,
    parse_message,
)

T = TypeVar("T")

OURS: Final = Address("127.0.0.1", 5060)
THEIRS: Final = Address("127.0.0.1", 5070)
FLOW: Final = Flow(Transport.UDP, OURS, THEIRS)
DESTINATIONS: Final = (Destination(Transport.UDP, THEIRS.host, THEIRS.port),)
TARGET: Final = SipUri("sip", "party", None, THEIRS.host, THEIRS.port)
LINE: Final = NameAddr(SipUri("sip", "+18552562001", None, OURS.host))
TURN_SECONDS: Final = 0.0005
OVER_SECONDS: Final = 40.0
SESSION_ID: Final = 2**60

ANSWER: Final = """\
v=0
o=contact 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 6000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
""".replace("\n", "\r\n")


class Legs:
    """Rings legs, and ends half of them by our BYE and half by theirs, a step of all at a time."""

    def __init__(self) -> None:
        addresses = {Transport.UDP: OURS}
        self._core = UserAgent(UserAgentConfig(addresses=addresses), secrets.token_hex)
        self._now = 0.0
        self._sessions: dict[int, AudioSession] = {}

    def ring(self, count: int) -> list[bytes]:
        invites = []
        for number in range(count):
            audio = LocalAudio(OURS.host, 10_000 + 2 * number, (PCMU, PCMA, TELEPHONE_EVENT))
            session = AudioSession(audio, SESSION_ID + number)
            invitation = Invitation(
                target=TARGET,
                from_=LINE,
                to=NameAddr(TARGET),
                destinations=DESTINATIONS,
                body=session.create_offer(),
            )
            self._sessions[self._core.invite(invitation, self._later())] = session
            invites += [sent.data for sent in self._taken()[0]]
        return invites

    def receive(self, messages: Iterable[bytes]) -> tuple[list[bytes], list[Event]]:
        sent: list[bytes] = []
        events: list[Event] = []
        for data in messages:
            self._core.receive_message(parse_message(data), FLOW, self._later())
            outgoing, told = self._taken()
            sent += [each.data for each in outgoing]
            events += told
        return sent, events

    def acknowledge(self, events: Iterable[Event]) -> None:
        for event in events:
            assert isinstance(event, Answered)
            self._sessions.pop(event.leg).accept_answer(event.body)
            self._core.acknowledge(event.leg, self._later())
            self._taken()

    def hang_up(self, legs: Iterable[int]) -> list[bytes]:
        byes = []
        for leg in legs:
            self._core.hang_up(leg, self._later())
            byes += [sent.data for sent in self._taken()[0]]
        return byes

    def forget(self) -> None:
        self._now += OVER_SECONDS
        self._core.handle_timeout(self._now)
        self._taken()
        assert self._core.is_idle

    def _later(self) -> float:
        self._now += TURN_SECONDS
        return self._now

    def _taken(self) -> tuple[list[Outgoing], list[Event]]:
        outgoing, events, _ = self._core.take()
        return outgoing, events


def round_of(legs: Legs, count: int, take: Callable[[str, Callable[[], T]], T]) -> None:
    """Take `count` legs through a call; each step of ours is done by `take`, under its name."""
    invites = [parsed(data) for data in take("invite", lambda: legs.ring(count))]
    tags = [secrets.token_hex(4) for _ in invites]
    pairs = list(zip(invites, tags, strict=True))
    ringing = [reply(invite, 180, "Ringing", tag) for invite, tag in pairs]
    take("180", lambda: legs.receive(ringing))
    answers = [reply(invite, 200, "OK", tag, ANSWER) for invite, tag in pairs]
    _, answered = take("200", lambda: legs.receive(answers))
    take("ack", lambda: legs.acknowledge(answered))
    theirs = [bye_of(invite, tag) for invite, tag in pairs[::2]]
    take("bye_in", lambda: legs.receive(theirs))
    ours = [event.leg for event in answered[1::2] if isinstance(event, Answered)]
    byes = take("bye_out", lambda: legs.hang_up(ours))
    last = [reply(parsed(bye), 200, "OK", "") for bye in byes]
    take("bye_200", lambda: legs.receive(last))
    take("timers", legs.forget)


def parsed(data: bytes) -> Request:
    request = parse_message(data)
    assert isinstance(request, Request)
    return request


def reply(request: Request, status: int, reason: str, tag: str, body: str = "") -> bytes:
    response = request.make_response(status, reason, to_tag=tag or None, body=body.encode())
    response.headers.set("Contact", f"<sip:contact@{THEIRS}>")
    if body:
        response.headers.set("Content-Type", "application/sdp")
    return response.to_bytes()


def bye_of(invite: Request, tag: str) -> bytes:
    headers = invite.headers
    return (
        f"BYE sip:twoleg@{OURS} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {THEIRS};branch=z9hG4bK{secrets.token_hex(9)}\r\n"
        f"From: {headers.get('To')};tag={tag}\r\nTo: {headers.get('From')}\r\n"
        f"Call-ID: {invite.call_id}\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def main() -> None:
    arguments = _arguments()
    machine()
    legs, count = Legs(), arguments.legs
    calls: Counter[str] = Counter()
    spent: Counter[str] = Counter()

    def counted(step: str, do: Callable[[], T]) -> T:
        def note(frame: FrameType, event: str, argument: object) -> None:
            del frame, argument
            calls[step] += event == "call"

        sys.setprofile(note)
        try:
            return do()
        finally:
            sys.setprofile(None)

    def timed(step: str, do: Callable[[], T]) -> T:
        began = time.process_time()
        done = do()
        spent[step] += time.process_time() - began
        return done

    round_of(legs, count, timed)
    round_of(legs, count, counted)
    gc.collect()
    gc.freeze()
    least: dict[str, float] = {}
    for _ in range(arguments.rounds):
        spent.clear()
        round_of(legs, count, timed)
        least = {step: min(least.get(step, taken), taken) for step, taken in spent.items()}
    for step, taken in least.items():
        figure(f"leg.{step}.calls", calls[step] / count, "functions")
        figure(f"leg.{step}.cpu", 1e6 * taken / count, "us")
    figure("leg.calls", calls.total() / count, "functions")
    figure("leg.cpu", 1e6 * sum(least.values()) / count, "us")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--legs", type=int, default=200, help="legs of a round")
    parser.add_argument("--rounds", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
