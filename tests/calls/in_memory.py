"""Phones, media and a record in memory: what a call is told with, and what it left behind."""

import asyncio
from array import array
from collections import deque
from contextlib import asynccontextmanager, contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from twoleg.calls.in_turn import InTurn
from twoleg.calls.journal import ClaimLost
from twoleg.calls.outcomes import EndedBy, Refusal
from twoleg.calls.plan import AgentPlan, AgentRound, CallPlan, ContactPlan, LegPlan
from twoleg.calls.ports import Equipment, TrunkFull
from twoleg.calls.states import TRANSITIONS, Status
from twoleg.calls.story import Story
from twoleg.media import Codec, NoPortsLeft, Quality
from twoleg.media.g711 import encode_ulaw
from twoleg.sip import (
    PCMU,
    TELEPHONE_EVENT,
    AudioSession,
    Destination,
    DialogIdentity,
    Headers,
    InviteIdentity,
    LocalAudio,
    LocalProtocolError,
    NameAddr,
    Progress,
    RefusalCause,
    Request,
    SipUri,
    Transport,
)
from twoleg.sip_io import Answer, Info, LegEnd, LegRefused
from twoleg.speech import Variable

# How a far end behaves: what it does, and how many seconds after the INVITE.


@dataclass(frozen=True)
class Rings:
    after: float = 0.1
    status: int = 180


@dataclass(frozen=True)
class PlaysEarly:
    """183 with a session description, and audio a moment later."""

    after: float = 0.2
    audio_after: float | None = 0.3
    body: bytes | None = None


@dataclass(frozen=True)
class Answers:
    after: float = 2.0
    formats: tuple = (PCMU,)
    body: bytes | None = None


@dataclass(frozen=True)
class Refuses:
    status: int
    after: float = 0.5
    q850: int | None = None
    reason: str = ""
    cause: RefusalCause = RefusalCause.RESPONSE


@dataclass(frozen=True)
class HangsUp:
    after: float


@dataclass(frozen=True)
class Vanishes:
    """The session is not refreshed any more."""

    after: float


@dataclass(frozen=True)
class Offers:
    """A re-INVITE: whatever `offer(session)` makes of the far end's session."""

    after: float
    offer: object


@dataclass(frozen=True)
class Sends:
    """An INFO."""

    after: float
    info: Info


@dataclass(frozen=True)
class Refers:
    """A REFER, with which a phone hands its call over."""

    after: float
    to: str = "sip:boss@example.test"


@dataclass(frozen=True)
class Presses:
    """A digit, as telephone-event."""

    after: float
    digit: str = "1"


@dataclass(frozen=True)
class Says:
    """Audio: samples of 16 bits at 8000 Hz, which come in packets of 20 ms."""

    after: float
    samples: array


@dataclass(frozen=True)
class FallsSilent:
    """No audio comes any more."""

    after: float


@dataclass(frozen=True)
class LosesAudio:
    """A browser proves to be another, or goes without a word."""

    after: float
    why: str


ANSWERS = (Rings(), Answers())
RINGS_FOR_EVER = (Rings(),)
DEAD = ()


class MemoryLeg:
    """One far end that behaves as told. `sent` is what we did to it."""

    def __init__(self, phone, request, behaviour):
        self.request = request
        self.sent = ["INVITE"]
        self.sent_at = {"INVITE": phone.loop.time()}
        self.reasons = []
        self.infos = []
        self.requests = []
        self.referred = []
        self.challenges = 0
        self.state = "ringing"
        self.hung_up = False
        self.session = AudioSession(LocalAudio("192.0.2.7", 40000, (PCMU, TELEPHONE_EVENT)), 9)
        self.replies = []
        self.identity = None
        self._phone = phone
        self._progress = deque()
        self._refusal = None
        self._answer = None
        self._end = None
        self._tell_end = None
        self._waiters = []
        self._timers = [phone.loop.call_later(act.after, self._act, act) for act in behaviour]

    @property
    def invite(self):
        if self.state != "ringing":
            return None
        request = self.request
        invite = request.identity or self._phone.identify(request.target, request.from_, request.to)
        return replace(invite, cseq=invite.cseq + self.challenges)

    def challenge(self):
        """Have the INVITE sent once more, with credentials."""
        self.challenges += 1

    async def progress(self):
        while not self._progress:
            if self.state != "ringing":
                return None
            await self._change()
        return self._progress.popleft()

    async def answered(self):
        while self._answer is None:
            if self._refusal is not None:
                raise LegRefused(*self._refusal)
            await self._change()
        return self._answer

    async def ended(self):
        while self._end is None:
            await self._change()
        return self._end

    def when_ended(self, tell):
        self._tell_end = tell
        if self._end is not None and tell is not None:
            self._phone.loop.call_soon(self._tell_if_ended)

    def _tell_if_ended(self):
        if self._end is not None and self._tell_end is not None:
            tell, self._tell_end = self._tell_end, None
            tell(self._end)

    def acknowledge(self):
        assert self.state in ("answered", "ended"), "nothing to acknowledge"
        assert "ACK" not in self.sent, "acknowledged twice"
        if self.state == "answered":
            self._send("ACK")

    def hang_up(self, reason=None):
        if self.state == "ringing":
            self._send("CANCEL", reason)
        elif self.state == "answered":
            if "ACK" not in self.sent:
                self._send("ACK")
            self._send("BYE", reason)
            # As Leg.abandon does: nobody waits for the far end's last word.
            self._end = LegEnd(False, None, None, None)
        self._over("ended")
        self._wake()

    def send_request(self, method, headers, body=b"", content_type=""):
        if self.state == "answered":
            self.requests.append((method, dict(headers), body.decode(), content_type))

    def send_info(self, content_type, body):
        if self.state == "answered":
            self.infos.append((content_type, body))

    def _send(self, method, reason=None):
        self.sent.append(method)
        self.sent_at[method] = self._phone.loop.time()
        if reason is not None:
            self.reasons.append(str(reason))

    def _act(self, act):  # noqa: C901  # one case for each act
        match act:
            case Rings():
                self._progress.append(Progress(1, act.status, "Ringing", b"", False, None))
            case PlaysEarly():
                body = self.session.answer_offer(self.request.offer)[0]
                body = body if act.body is None else act.body
                self._progress.append(Progress(1, 183, "Session Progress", body, False, None))
                if act.audio_after is not None:
                    port = self._port()
                    timer = self._phone.loop.call_later(act.audio_after - act.after, port.hear)
                    self._timers.append(timer)
            case Answers():
                self._answered(act)
            case Refuses():
                self._refusal = (act.status, act.reason, act.cause, act.q850)
                self._over("refused")
            case HangsUp():
                if self.state == "answered":
                    self.hung_up = True
                    self._end = LegEnd(True, None, 16, "")
                    self._over("ended")
            case Vanishes():
                self._end = LegEnd(True, 408, None, "Session Expired", vanished=True)
                self._over("ended")
            case Offers():
                self._offers(act)
            case Sends():
                self.request.take_info(act.info)
            case Refers():
                self._refers(act)
            case Presses():
                self._port().inject_digit(act.digit)
            case Says():
                self._says(encode_ulaw(act.samples))
            case FallsSilent():
                self._port().audio_stopped.set()
            case LosesAudio():
                self._port().listener.media_failed(act.why)
        self._wake()

    def _says(self, encoded):
        port = self._port()
        for number, start in enumerate(range(0, len(encoded), 160)):
            packet = encoded[start : start + 160]
            self._timers.append(self._phone.loop.call_later(number * 0.02, port.receive, packet))

    def _offers(self, act):
        self.replies.append(self.request.answer_offer(act.offer(self.session)))
        with suppress(LocalProtocolError):  # not every offer is the session's own
            self.session.accept_answer(self.replies[-1])

    def _refers(self, act):
        headers = Headers([("CSeq", "7 REFER"), ("Refer-To", f"<{act.to}>")])
        request = Request("REFER", self.request.from_.uri, headers)
        self.referred.append(self.request.take_request(request))

    def _answered(self, act):
        self.session.local = LocalAudio("192.0.2.7", 40000, (*act.formats, TELEPHONE_EVENT))
        body = act.body
        if body is None:
            body = self.session.answer_offer(self.request.offer)[0]
        self.identity = DialogIdentity(
            call_id="a",
            local_tag="b",
            remote_tag="c",
            local_cseq=1,
            remote_cseq=None,
            local_uri=str(self.request.from_),
            remote_uri=str(self.request.to),
            remote_target=str(self.request.target),
            route_set=(),
            transport=Transport.UDP,
        )
        self.state = "answered"
        self._answer = Answer(200, body, self.identity)

    def _port(self):
        text = self.request.offer.decode()
        number = int(text.split("m=audio ")[1].split()[0])
        return self._phone.plane.open[number]

    def _over(self, state):
        if self.state not in ("ended", "refused"):
            self.state = state
        for timer in self._timers:
            timer.cancel()

    async def _change(self):
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self):
        self._tell_if_ended()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class MemoryPhone:
    """Rings whoever `behaviours` names by the user part of the target."""

    def __init__(self, plane, behaviours):
        self.loop = asyncio.get_running_loop()
        self.plane = plane
        self.behaviours = behaviours
        self.legs = {}

    @asynccontextmanager
    async def ring(self, request):
        await asyncio.sleep(0)  # as a name that is looked up
        behaviour = self.behaviours[request.target.user]
        leg = self.legs[request.target.user] = MemoryLeg(self, request, behaviour)
        try:
            yield leg
        finally:
            leg.hang_up()

    def identify(self, target, from_, to, destinations=(), routes=()):
        return InviteIdentity(
            uri=str(target),
            via="SIP/2.0/UDP 192.0.2.10",
            branch=f"z9hG4bK-{target.user}",
            from_=f"{from_};tag=ours",
            to=str(to),
            call_id="a",
            cseq=1,
            routes="",
            destination=Destination(Transport.UDP, "192.0.2.7", 5060),
        )

    def up(self):
        return [leg for leg in self.legs.values() if leg.state in ("ringing", "answered")]


class Spoken(str):
    """Audio that is known by its name, and lasts."""

    __slots__ = ()
    seconds = 3.0


class Music(str):
    """Audio without an end."""

    __slots__ = ()
    seconds = 1e6


class MemoryPlayback:
    def __init__(self, port, seconds):
        self._loop = port.plane.loop
        self._ends_at = self._loop.time() + seconds
        self._port = port
        self._stopped = False
        self._cut_off = asyncio.Event()

    async def finished(self):
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._ends_at):
                await self._cut_off.wait()
        return not self._cut_off.is_set()

    def cut_off(self):
        if self._loop.time() < self._ends_at:
            self._cut_off.set()

    def stop(self):
        if not self._stopped and self._loop.time() < self._ends_at:
            self._port.cut_off_at.append(self._loop.time())
        self._stopped = True
        self.cut_off()


class MemoryPrompts:
    """The prompts of account 2; `seconds` is how long it takes to find one."""

    def __init__(self, seconds=0.0, **prompts):
        self.seconds = seconds
        self.prompts = prompts

    async def audio(self, account_id, prompt_id, about=None):
        await asyncio.sleep(self.seconds)
        name = self.prompts.get(f"prompt_{prompt_id}") if account_id == 2 else None
        if name is not None and "{name}" in name:
            name = name.replace("{name}", about("en")[Variable.NAME])
        return None if name is None else Spoken(name)


class MemoryPort:
    """`heard` tells what its far end was given to hear, one after another."""

    def __init__(self, plane, number):
        self.address = "192.0.2.1"
        self.port = number
        self.plane = plane
        self.remote = None
        self.heard = []
        self.digits = deque()
        self.pressed = asyncio.Event()
        self.listeners = 0
        self.cut_off_at = []
        self.playing = None
        self.listener = None
        self.sink = None
        self.peer = None
        self.first = asyncio.Event()
        self.audio_stopped = asyncio.Event()

    def connect(self, remote):
        self.remote = remote

    def play(self, audio, *, loop=False):
        assert self.remote is not None
        parts = (audio.first, audio.second) if isinstance(audio, InTurn) else (audio,)
        self.heard.extend(getattr(part, "audio", part) for part in parts)
        if self.playing is not None:
            self.playing.cut_off()
        seconds = sum(getattr(part, "seconds", 1.0) for part in parts)
        self.playing = MemoryPlayback(self, 1e6 if loop else seconds)
        return self.playing

    @contextmanager
    def listening(self):
        self.listeners += 1
        try:
            yield
        finally:
            self.listeners -= 1

    def stop_playing(self):
        self.heard.append("silence")

    async def digit(self):
        while not self.digits:
            self.pressed.clear()
            await self.pressed.wait()
        return self.digits.popleft()

    def inject_digit(self, digit):
        self.digits.append(digit)
        self.pressed.set()

    def tap(self, sink):
        self.sink = sink

    def record(self, track):
        self.track = track

    def hear(self):
        self.first.set()

    def receive(self, payload):
        if self.sink is not None:
            self.sink(Codec.PCMU, payload)

    async def first_packet(self):
        await self.first.wait()

    async def silent(self, seconds):
        await self.audio_stopped.wait()
        await asyncio.sleep(seconds)

    def quality(self):
        return Quality(
            packets_received=50, packets_lost=1, jitter_ms=1.23456, round_trip_ms=None, mos=4.1
        )


class MemoryBridge:
    def __init__(self, plane, left, right):
        self.plane = plane
        self.ends = (left, right)
        left.heard.append("far end")
        right.heard.append("far end")
        plane.bridges.append(self)
        self.made_at = plane.loop.time()
        self.made_in_step = plane.loop.steps

    def close(self):
        if self in self.plane.bridges:
            self.plane.bridges.remove(self)
            self.plane.closed_bridges.append(self)


class MemoryPlane:
    encrypts = True
    fingerprint = "sha-256 " + ":".join(["AB"] * 32)

    def __init__(self, ports):
        self.loop = asyncio.get_running_loop()
        self.open = {}
        self.used = []
        self.bridges = []
        self.closed_bridges = []
        self._next = 30000
        self._ports = ports

    @asynccontextmanager
    async def open_port(self, beside=None):
        await asyncio.sleep(0)
        if len(self.open) == self._ports:
            raise NoPortsLeft(range(30000, 30002))
        self._next += 2
        port = self.open[self._next] = MemoryPort(self, self._next)
        self.used.append(port)
        try:
            yield port
        finally:
            del self.open[port.port]

    def bridge(self, left, right):
        return MemoryBridge(self, left, right)


class NamedTones:
    """Tones that say which they are."""

    def ringback(self, country):
        return f"ringback {country}"

    def busy(self, country):
        return f"busy {country}"

    def congestion(self, country):
        return f"congestion {country}"

    def special_information(self):
        return "special information"

    def attention(self):
        return "attention"

    def hold(self):
        return Music("hold")


class NamedPhrases:
    """Phrases that say which they are."""

    def phrase(self, phrase, language):
        return f"{phrase} {language}"


class MemoryWriter:
    """Keeps the changes, and holds them to what the database would."""

    def __init__(self, *, commit_seconds=0.002, away=False, claim_lost_at=None, lost_notes=False):
        self.loop = asyncio.get_running_loop()
        self.changes = []
        self.away = away
        self.commit_seconds = commit_seconds
        self.claim_lost_at = claim_lost_at
        self.lost_notes = lost_notes
        self.status = Status.QUEUED
        self.sequence = 1
        self.legs = {}
        self.separate = 0
        """Writes of legs alone."""

        self.stored_at = {}
        self._commits = []

    def write(self, change):
        assert change.status is None or (self.status, change.status) in TRANSITIONS
        assert change.event.sequence == self.sequence + 1
        assert (change.status is Status.ENDED) == (change.ending is not None)
        self.status = change.status or self.status
        self.sequence += 1
        change = change._replace(legs=tuple(copy(leg) for leg in change.legs))
        self.legs.update({leg.position: leg for leg in change.legs})
        self.changes.append(change)

    def write_legs(self, call_id, legs):
        self.separate += 1
        self.legs.update({leg.position: copy(leg) for leg in legs})

    def store(self, change):
        self.write(change)
        stored = self.loop.create_future()
        if not self.away:
            commit = self.loop.call_later(self.commit_seconds, self._committed, change, stored)
            self._commits.append(commit)
        return stored

    def close(self):
        for commit in self._commits:
            commit.cancel()

    def _committed(self, change, stored):
        self.stored_at[change.status] = self.loop.time()
        if stored.done():
            return
        lost = self.lost_notes if change.status is None else change.status == self.claim_lost_at
        if lost:
            stored.set_exception(ClaimLost(change.call_id))
            stored.exception()
        else:
            stored.set_result(None)

    @property
    def statuses(self):
        return [str(change.status) for change in self.changes if change.status is not None]

    @property
    def notes(self):
        """The events without a change of status: their type and data."""
        return [
            (change.event.type, dict(change.event.data))
            for change in self.changes
            if change.status is None
        ]

    @property
    def ending(self):
        assert self.changes[-1].ending is not None, "the record was not closed"
        return self.changes[-1].ending

    @property
    def marked(self):
        return [change.contact_attempt_at for change in self.changes if change.contact_attempt_at]


class LoopClock:
    """The loop's virtual time, as both clocks."""

    EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

    def __init__(self, loop):
        self._loop = loop

    def now(self):
        return self.EPOCH + timedelta(seconds=self._loop.time())

    def monotonic(self):
        return self._loop.time()


class MemoryTarget:
    """Rounds of users to whom a call is handed over."""

    def __init__(self, rounds, nobody=Refusal.UNREACHABLE):
        self.rounds = list(rounds)
        self.nobody = nobody
        self.given_up = False
        self.released = []

    async def following(self):
        await asyncio.sleep(0)
        return self.rounds.pop(0) if self.rounds else None

    def release(self, user_id):
        self.released.append(user_id)

    def give_up(self):
        self.given_up = True


class MemoryTransfers:
    """Whom phones may name, by the user part; each is one round of one agent or more.

    Or a `Refusal`: whoever is named is there, and not rung for that.
    """

    def __init__(self, **targets):
        self.rounds = targets
        self.targets = []
        self.asked = []

    async def find(self, wanted, agent_user_id):
        await asyncio.sleep(0)
        self.asked.append((wanted, agent_user_id))
        if wanted not in self.rounds:
            return None
        rounds = self.rounds[wanted]
        if isinstance(rounds, Refusal):
            target = MemoryTarget([], rounds)
        else:
            target = MemoryTarget([AgentRound(agents=each) for each in rounds])
        self.targets.append(target)
        return target


def leg_plan(name, **values):
    uri = SipUri.parse(f"sip:{name}@example.test")
    caller = NameAddr.parse('"Line" <sip:+41445550100@example.test>')
    return LegPlan(target=uri, from_=caller, to=NameAddr(uri), **values)


def user(*phones, user_id=7, **values):
    return AgentPlan(endpoints=tuple(leg_plan(name, **values) for name in phones), user_id=user_id)


def one_after_another(*agents):
    """A round for each."""
    return tuple(AgentRound(agents=(agent,)) for agent in agents)


def call_plan(*rounds, trunks=("contact",), **values):
    """One user's phone `agent`, one trunk to `contact`, Swiss tones; unless told otherwise."""
    rounds = rounds or ((user("agent"),),)
    contact = ContactPlan(
        trunks=tuple(
            trunk if isinstance(trunk, LegPlan) else leg_plan(trunk, trunk_id=number)
            for number, trunk in enumerate(trunks, 1)
        ),
        country="CH",
    )
    told = [
        together if isinstance(together, AgentRound) else AgentRound(agents=together)
        for together in rounds
    ]
    return CallPlan(call_id=1, account_id=2, rounds=tuple(told), contact=contact, **values)


@dataclass(eq=False)
class Told:
    """A story that was told: what it did to phones and media, and what it wrote."""

    phone: MemoryPhone
    plane: MemoryPlane
    writer: MemoryWriter
    story: Story
    ended_at: float = 0.0

    @property
    def outcome(self):
        return str(self.writer.ending.outcome)

    @property
    def ended_by(self):
        return str(EndedBy(self.writer.ending.ended_by))

    @property
    def agent_heard(self):
        return self.plane.used[0].heard

    def sent(self, name):
        return self.phone.legs[name].sent

    def record(self, name):
        uri = str(leg_plan(name).target)
        return next(leg for leg in self.writer.legs.values() if leg.to_uri == uri)

    def assert_nothing_is_left(self):
        self.writer.close()
        assert not self.phone.up(), "a leg is up"
        assert not self.plane.open, "a port is open"
        assert not self.plane.bridges, "a bridge stands"


class MemoryRecordings:
    """Keeps when each call was recorded, and by which ports."""

    def __init__(self):
        self.begun = []
        self.ended = []
        self.agents = []
        self.observer = None

    def begin(self, call_id, account_id, agent, contact, observer):
        self.observer = observer
        now = asyncio.get_running_loop().time()
        left = None if agent is None else agent.port
        self.begun.append((call_id, account_id, left, contact.port, now))

    def use_agent(self, call_id, agent):
        self.agents.append(None if agent is None else agent.port)

    def end(self, call_id):
        self.ended.append((call_id, asyncio.get_running_loop().time()))


class MemoryCheck:
    """Says the rules of `objections`, one after another, and none then."""

    def __init__(self, *objections, seconds=0.01):
        self.objections = list(objections)
        self.seconds = seconds
        self.asked = []

    async def objection(self, agent_user_id):
        self.asked.append((asyncio.get_running_loop().time(), agent_user_id))
        await asyncio.sleep(self.seconds)
        said = self.objections.pop(0) if self.objections else None
        if isinstance(said, Exception):
            raise said
        return said


class MemoryPlaces:
    """Trunks that take so many calls at the same time, by their ids; `turn` is waited for."""

    def __init__(self, places, turn=0.0):
        self.places = dict(places)
        self.turn = turn

    @asynccontextmanager
    async def place(self, trunk_id, call_id):
        if not self.places[trunk_id]:
            raise TrunkFull(trunk_id)
        self.places[trunk_id] -= 1
        try:
            await asyncio.sleep(self.turn)
            yield
        finally:
            self.places[trunk_id] += 1


def prepare(
    behaviours,
    plan=None,
    *,
    settings=None,
    ports=100,
    agents=None,
    trunks=None,
    prompts=None,
    transfers=None,
    make=Story,
    recordings=None,
    check=None,
    encrypts=True,
    takes_browsers=True,
    **writer,
):
    """Make a story and all that it needs; to be called in a running loop."""
    plane = MemoryPlane(ports)
    plane.encrypts = encrypts
    if not takes_browsers:
        plane.fingerprint = None
    phone = MemoryPhone(plane, behaviours)
    record = MemoryWriter(**writer)
    options = {} if check is None else {"check": check}
    story = make(
        plan or call_plan(),
        Equipment(phone, plane, NamedTones(), NamedPhrases(), prompts, trunks, recordings),
        record,
        clock=LoopClock(phone.loop),
        settings=settings,
        agents=agents,
        transfers=transfers,
        **options,
    )
    return Told(phone, plane, record, story)


class AttentionTone:
    """`Phrases` without a voice: two rising beeps stand for every sentence."""

    def __init__(self, tones):
        self._tones = tones

    def phrase(self, phrase, language):
        return self._tones.attention()
