"""The one writer of a call's status: its events, its times and its legs, as they come about."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from twoleg.calls.dispositions import DISPOSITION_SET
from twoleg.calls.outcomes import EndedBy, Outcome
from twoleg.calls.plan import CallPlan, LegPlan
from twoleg.calls.states import TRANSITIONS, ForbiddenTransition, Status
from twoleg.media import Verdict as Heard
from twoleg.sip import InviteIdentity

TRANSFERRED: Final = "call.transferred"
"""The event of a call whose contact another agent has now."""

ANSWERED_BY: Final = "call.answered_by"
"""The event that says whether a person or a machine has answered for the contact."""

NOT_RUNG: Final = "Not rung"
"""The reason of a leg that was written and then could not be rung."""

MAX_NOTES: Final = 500
"""Events of one call beside those of its status."""

_EVENT_TYPES: Final = {status: f"call.{status}" for status in Status}
_LOGGED: Final = ("leg", "user_id", "outcome", "ended_by", "failure")
"""What a line of the log says of an event, where the event has it."""

_log = logging.getLogger(__name__)


class Role(StrEnum):
    """Whose leg it is."""

    AGENT = "agent"
    CONTACT = "contact"


class CallEvent(NamedTuple):
    """One row of `call_events`: `type` is "call." and the status that was entered, or a note's."""

    sequence: int
    type: str
    at: datetime
    data: Mapping[str, Any]


@dataclass(slots=True, kw_only=True, eq=False)
class LegRecord:
    """One row of `legs` as it stands; `quality`, `invite` and `dialog` are ready for JSON."""

    position: int
    role: Role
    to_uri: str
    started_at: datetime
    user_id: int | None = None
    trunk_id: int | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    sip_status: int | None = None
    q850_cause: int | None = None
    reason: str | None = None
    codec: str | None = None
    quality: dict[str, Any] | None = None
    invite: dict[str, Any] | None = None
    """What a CANCEL needs once this engine is gone; None before the INVITE and after its answer.

    Of the agent who has the call, that of the contact's INVITE, which may leave once it is stored.
    """

    dialog: dict[str, Any] | None = None
    """What a BYE needs once this engine is gone; None before the answer and after the end."""


class Verdict(NamedTuple):
    """How the call ended. `failure` says what went wrong on our side, for people."""

    outcome: Outcome
    ended_by: EndedBy
    failure: str | None = None


class Ending(NamedTuple):
    """What the end of the call sets in its row; seconds are rounded to the millisecond.

    A part of the call that never began has None, except `talk_seconds`, which is then 0.
    """

    outcome: Outcome
    ended_by: EndedBy
    failure: str | None
    ended_at: datetime
    agent_ring_seconds: float | None
    contact_ring_seconds: float | None
    talk_seconds: float
    total_seconds: float
    answered_by: int | None = None
    """The user who took the call."""


class CallChange(NamedTuple):
    """What one moment changes in a call's record; all of it is written, or nothing.

    `status` None: the status stays, and the event is a note. The row takes the `event`'s sequence
    too. `legs` are whole rows, to be inserted or to replace those of their position, and stay the
    journal's: they are written as they stand by then. `ending` comes with `Status.ENDED`, and is
    the call's last change. `handed_over_by` is the user who has handed the contact to another.
    """

    call_id: int
    account_id: int
    status: Status | None
    event: CallEvent
    legs: tuple[LegRecord, ...] = ()
    contact_attempt_at: datetime | None = None
    ending: Ending | None = None
    handed_over_by: int | None = None


class ClaimLost(Exception):
    """Another engine has the call now, or ended it: nothing more may be done or written for it."""

    def __init__(self, call_id: int) -> None:
        super().__init__(f"call {call_id}")
        self.call_id = call_id


class RecordWriter(Protocol):
    """Writes changes soon, each call's in their order, however long the database is away.

    No method waits or raises. A change of a call that this engine no longer has is dropped.
    """

    def write(self, change: CallChange) -> None:
        """Write a change that nobody waits for."""
        ...

    def write_legs(self, call_id: int, legs: tuple[LegRecord, ...]) -> None:
        """Write legs by themselves, with whatever of the call is still to be written."""
        ...

    def store(self, change: CallChange) -> asyncio.Future[None]:
        """Write a change; the future is done once it is committed.

        It ends with ClaimLost instead, if this engine no longer has the call, or if the contact
        was attempted before and the change would mark that attempt again. Whoever waits may cancel
        the future: the change is written all the same. Nobody need wait: the writer fetches the
        exception itself, so that asyncio does not report it.
        """
        ...


class Clock(Protocol):
    """Tells the time of day, and measures."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clocks."""

    now = staticmethod(partial(datetime.now, UTC))
    monotonic = staticmethod(time.monotonic)


SYSTEM_CLOCK: Final = SystemClock()


@dataclass(slots=True)
class Journal:
    """The record of one call, written as the call goes. Nothing else writes its status."""

    plan: CallPlan
    writer: RecordWriter
    clock: Clock
    status: Status = Status.QUEUED
    attempt_marked: asyncio.Future[None] | None = None
    """The mark after which nothing places this call again: the contact may be rung once it is done.

    Made while the agent rings, so that nobody waits for it; None before.
    """

    contact_invite: InviteIdentity | None = None
    """How the contact's first INVITE will be known: stored with what must be before it leaves."""

    is_followed: bool = field(init=False)
    """Whether its legs are to be logged: `log_level` was debug when the call began."""

    _foreseen: LegRecord | None = field(init=False, default=None)
    """The leg of a contact that is rung first, as it was written with the mark."""

    _answered_by: int | None = field(init=False, default=None)
    _disposed: Mapping[str, Any] | None = field(init=False, default=None)
    _sequence: int = field(init=False)
    _notes: int = field(init=False, default=0)
    _legs: int = field(init=False, default=0)
    _unwritten: tuple[LegRecord, ...] = field(init=False, default=())
    _claimed: float = field(init=False)
    _decided_at: float | None = field(init=False, default=None)
    _agent_rang: float | None = field(init=False, default=None)
    _agent_answered: float | None = field(init=False, default=None)
    _contact_rang: float | None = field(init=False, default=None)
    _contact_answered: float | None = field(init=False, default=None)
    _bridged: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._sequence = self.plan.sequence
        self._claimed = self.clock.monotonic()
        self.is_followed = _log.isEnabledFor(logging.DEBUG)

    @property
    def bridged(self) -> bool:
        """Whether the two have been joined, at whatever time."""
        return self._bridged is not None

    @property
    def age_seconds(self) -> float:
        """How long ago the call was accepted."""
        return self.plan.queued_seconds + self.clock.monotonic() - self._claimed

    def open_leg(self, role: Role, plan: LegPlan, user_id: int | None = None) -> LegRecord:
        """Begin the record of a leg; it is written with the call's next change."""
        foreseen = self._foreseen
        if foreseen is not None:
            if plan is self.plan.contact.trunks[0]:
                self._foreseen = None
                return foreseen
            self._close_foreseen()
        self._legs += 1
        record = LegRecord(
            position=self._legs,
            role=role,
            to_uri=str(plan.target),
            started_at=self.clock.now(),
            user_id=user_id,
            trunk_id=plan.trunk_id,
        )
        self._unwritten += (record,)
        if self.is_followed:
            self.log_leg("leg is rung", record, to=record.to_uri)
        return record

    def _close_foreseen(self) -> None:
        """Note that a leg that was written ahead was not rung, as where its trunk is full."""
        record, self._foreseen = self._foreseen, None
        if record is not None:
            record.ended_at, record.reason, record.invite = self.clock.now(), NOT_RUNG, None
            self.changed(record)

    def changed(self, record: LegRecord) -> None:
        """Have a leg written with the call's next change."""
        if record not in self._unwritten:
            self._unwritten += (record,)

    def log_leg(self, what: str, record: LegRecord, **more: object) -> None:
        """Log what became of a leg, for whoever follows calls at `log_level` debug."""
        leg = {"call_id": self.plan.call_id, "leg": record.position, "role": record.role}
        _log.debug(what, extra=leg | more)

    def leg_changed(self, record: LegRecord) -> None:
        """Have a leg written soon, whether or not anything else of the call changes."""
        self.changed(record)
        self._write_legs()

    def agent_ringing(self) -> None:
        """Note that an agent is rung, and mark, once, that the contact is to be attempted.

        Of further phones only their legs are noted.
        """
        if self.status in (Status.AGENT_RINGING, Status.BRIDGED):
            self._write_legs()
            return
        self._agent_rang = self.clock.monotonic()
        self._answered_by = None
        if self.attempt_marked is not None:
            self.writer.write(self._enter(Status.AGENT_RINGING))
            return
        change = self._enter_with_mark(Status.AGENT_RINGING)
        self.attempt_marked = self.writer.store(change)

    def agent_answered(self, record: LegRecord) -> asyncio.Future[None]:
        """Note that somebody answered who is still to confirm; the future is as below."""
        data = {"user_id": record.user_id, "leg": record.position}
        return self.writer.store(self._change("call.agent_answered", data))

    def agent_connected(self, record: LegRecord) -> asyncio.Future[None]:
        """Note which agent took the call; the future is done once that is stored, or ClaimLost."""
        self._agent_answered = self.clock.monotonic()
        self._answered_by = record.user_id
        if self.contact_invite is not None:
            record.invite = self.contact_invite.to_json()
            self.changed(record)
        data = {"user_id": record.user_id, "leg": record.position}
        return self.writer.store(self._enter(Status.AGENT_CONNECTED, data))

    def contact_ringing(self) -> None:
        """Note that the contact is rung; over a further trunk, its leg alone."""
        if self.status is Status.CONTACT_RINGING:
            self._write_legs()
            return
        self._contact_rang = self.clock.monotonic()
        self.writer.write(self._enter(Status.CONTACT_RINGING))

    def contact_is_first(self) -> asyncio.Future[None]:
        """Mark that the contact is to be attempted, before any agent is; then it may be rung."""
        self._contact_rang = self.clock.monotonic()
        if self.contact_invite is not None:
            self._foreseen = self.open_leg(Role.CONTACT, self.plan.contact.trunks[0])
            self._foreseen.invite = self.contact_invite.to_json()
        change = self._enter_with_mark(Status.CONTACT_RINGING)
        self.attempt_marked = self.writer.store(change)
        return self.attempt_marked

    def contact_answered(self, record: LegRecord) -> asyncio.Future[None]:
        """Note that the contact, rung first, waits for an agent; the future is as the others."""
        self._contact_answered = self.clock.monotonic()
        change = self._change("call.contact_answered", {"leg": record.position})
        return self.writer.store(change)

    def contact_connected(self, record: LegRecord) -> asyncio.Future[None]:
        """Note that the two are joined; the future is as that of `agent_connected`."""
        self._contact_answered = self._bridged = self.clock.monotonic()
        return self.writer.store(self._enter(Status.BRIDGED, {"leg": record.position}))

    def agent_joined(self, record: LegRecord) -> asyncio.Future[None]:
        """Note that an agent is joined to the contact who waited; the future is as the others."""
        self._agent_answered = self._bridged = self.clock.monotonic()
        self._answered_by = record.user_id
        data = {"user_id": record.user_id, "leg": record.position}
        return self.writer.store(self._enter(Status.BRIDGED, data))

    def transferred(self, record: LegRecord) -> asyncio.Future[None]:
        """Note who has the contact now; the future is as that of `agent_connected`.

        For whoever had it before the call is over.
        """
        before, self._answered_by = self._answered_by, record.user_id
        data = {"user_id": record.user_id, "leg": record.position}
        change = self._change(TRANSFERRED, data)._replace(handed_over_by=before)
        return self.writer.store(change)

    def contact_heard(self, verdict: Heard) -> None:
        """Note who answered for the contact, by ear; a later word takes an earlier one's place."""
        self.note(
            ANSWERED_BY,
            {
                "answered_by": verdict.answered_by,
                "answered_by_ms": round(1000 * verdict.seconds),
                "sign": verdict.sign,
            },
        )

    def note(self, event_type: str, data: Mapping[str, Any] | None = None) -> None:
        """Tell of something that leaves the status as it is; `event_type` is "call." and a word.

        Of `MAX_NOTES` and more nothing is told: far ends cause them as often as they like.
        """
        if self._notes < MAX_NOTES and self.status is not Status.ENDED:
            self._notes += 1
            self.writer.write(self._change(event_type, data))

    def disposed(self, disposition: str | None, notes: str | None) -> None:
        """Note what people say that the call came to; the same again is not noted."""
        said = {"disposition": disposition, "notes": notes}
        if said != self._disposed:
            self._disposed = said
            self.note(DISPOSITION_SET, said)

    def _write_legs(self) -> None:
        legs, self._unwritten = self._unwritten, ()
        if legs:
            self.writer.write_legs(self.plan.call_id, legs)

    def decided(self) -> None:
        """Note that it is known how the call ends: whatever rang or talked stops now."""
        self._decided_at = self.clock.monotonic()

    def end(self, verdict: Verdict) -> None:
        """Close the record of a call whose end was `decided`, now or before; nothing may follow."""
        self._close_foreseen()
        now = self.clock.monotonic()
        decided = now if self._decided_at is None else self._decided_at
        ending = Ending(
            outcome=verdict.outcome,
            ended_by=verdict.ended_by,
            failure=verdict.failure,
            ended_at=self.clock.now(),
            agent_ring_seconds=_seconds(self._agent_rang, self._agent_answered, decided),
            contact_ring_seconds=_seconds(self._contact_rang, self._contact_answered, decided),
            talk_seconds=_seconds(self._bridged, None, decided) or 0.0,
            total_seconds=round(self.plan.queued_seconds + now - self._claimed, 3),
            answered_by=self._answered_by,
        )
        data: dict[str, Any] = {
            "outcome": ending.outcome,
            "ended_by": ending.ended_by,
            "agent_ring_seconds": ending.agent_ring_seconds,
            "contact_ring_seconds": ending.contact_ring_seconds,
            "talk_seconds": ending.talk_seconds,
            "total_seconds": ending.total_seconds,
        }
        if ending.failure is not None:
            data["failure"] = ending.failure
        self.writer.write(self._enter(Status.ENDED, data, at=ending.ended_at, ending=ending))

    def _enter(
        self,
        status: Status,
        data: Mapping[str, Any] | None = None,
        *,
        at: datetime | None = None,
        contact_attempt_at: datetime | None = None,
        ending: Ending | None = None,
    ) -> CallChange:
        if (self.status, status) not in TRANSITIONS:
            raise ForbiddenTransition(self.plan.call_id, self.status, status)
        self.status = status
        return self._change(_EVENT_TYPES[status], data, status, at, contact_attempt_at, ending)

    def _enter_with_mark(self, status: Status) -> CallChange:
        """Enter a status, and mark that the contact is to be attempted from now on."""
        now = self.clock.now()
        return self._enter(status, at=now, contact_attempt_at=now)

    def _change(
        self,
        event_type: str,
        data: Mapping[str, Any] | None,
        status: Status | None = None,
        at: datetime | None = None,
        contact_attempt_at: datetime | None = None,
        ending: Ending | None = None,
    ) -> CallChange:
        self._sequence += 1
        event = CallEvent(self._sequence, event_type, at or self.clock.now(), data or {})
        if self.is_followed:
            told = {name: event.data[name] for name in _LOGGED if name in event.data}
            _log.debug(event_type, extra={"call_id": self.plan.call_id} | told)
        plan = self.plan
        legs, self._unwritten = self._unwritten, ()
        return CallChange(
            plan.call_id, plan.account_id, status, event, legs, contact_attempt_at, ending
        )


def _seconds(began: float | None, ended: float | None, until: float) -> float | None:
    """Measure what of a stretch of time was before `until`; None: it never began."""
    if began is None:
        return None
    if ended is None or ended > until:
        ended = until
    return round(ended - began, 3) if ended > began else 0.0
