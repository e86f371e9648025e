"""The four transaction machines of RFC 3261 17 with RFC 6026, as tables.

`MACHINE.table[state][input]` is `(next state, action)` and total: every state has every input of
its machine, with `Action.IGNORE` where nothing is to be done. Entering a state for the first time
starts the timers of `Machine.starts`; a change of state stops those that `Machine.keeps` does not
carry over. What an action does is in `client_transaction.py` and `server_transaction.py`. The
diagrams in docs/sip-state-machines.md are drawn from here.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from .timers import Timer
from .values import immutable


class State(Enum):
    """States of all four machines."""

    __hash__ = object.__hash__  # members are single; the hash of their name is slow

    CALLING = "calling"  # INVITE client: nothing has come back
    TRYING = "trying"  # non-INVITE: nothing has come back, or been sent
    PROCEEDING = "proceeding"
    COMPLETED = "completed"  # a final response, 300-699 for INVITE
    CONFIRMED = "confirmed"  # INVITE server: the ACK has come
    ACCEPTED = "accepted"  # INVITE: a 2xx; further ones and retransmissions may come (RFC 6026)
    EXPIRED = "expired"  # INVITE client: given up, but a late final response may still come
    TERMINATED = "terminated"


class Input(Enum):
    """What may happen to a transaction."""

    __hash__ = object.__hash__  # members are single; the hash of their name is slow

    PROVISIONAL = "1xx"  # received by a client, sent by the server's user
    SUCCESS = "2xx"
    FAILURE = "300-699"
    REQUEST = "request again"  # a retransmission reached the server
    ACK = "ACK"
    TRANSPORT_ERROR = "transport error"
    GIVE_UP = "user gives up"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"


class Action(Enum):
    """What a step does."""

    __hash__ = object.__hash__  # members are single; the hash of their name is slow

    IGNORE = "ignore"
    DELIVER = "tell user: response"
    DELIVER_LATE = "tell user: response, wait anew"
    RETRANSMIT = "retransmit"  # the request, or the last response
    RETRANSMIT_LATER = "retransmit, slower"  # and the interval is T2 from now on
    ACK_AND_DELIVER = "ACK, tell user: response"
    ACK = "ACK"  # the same ACK again
    TIMEOUT = "tell user: timeout"
    UNREACHABLE = "tell user: transport error"
    SEND = "send response"
    ACKNOWLEDGED = "tell user: ACK"
    UNACKNOWLEDGED = "tell user: no ACK"
    FORGET = "end"


Step: TypeAlias = tuple[State, Action]
Table: TypeAlias = Mapping[State, Mapping[Input, Step]]
Timing: TypeAlias = tuple[Timer | None, float, Timer, float]
"""The timer that retransmits, if one does, and the one that ends the state, with their seconds."""


@immutable()
class Machine:
    """One machine: its table, its first state, the timers that its states start and keep."""

    name: str
    section: str
    start: State
    table: Table
    starts: Mapping[State, tuple[Timer, ...]]
    keeps: Mapping[State, frozenset[Timer]]

    def timings(self, durations: Mapping[Timer, float | None]) -> Mapping[State, Timing]:
        """Give what each state starts, where timers run as long as `durations` says."""
        timings: dict[State, Timing] = {}
        for state, timers in self.starts.items():
            *first, last = timers
            seconds = durations[last]
            assert seconds is not None
            interval = durations[first[0]] if first else None
            repeats = None if interval is None else first[0]
            timings[state] = (repeats, interval or 0.0, last, seconds)
        return timings


_CALLING, _TRYING, _PROCEEDING = State.CALLING, State.TRYING, State.PROCEEDING
_COMPLETED, _CONFIRMED, _ACCEPTED = State.COMPLETED, State.CONFIRMED, State.ACCEPTED
_EXPIRED, _TERMINATED = State.EXPIRED, State.TERMINATED

INVITE_CLIENT = Machine(
    name="INVITE client",
    section="RFC 3261 17.1.1, RFC 6026 8.4",
    start=_CALLING,
    table={
        _CALLING: {
            Input.PROVISIONAL: (_PROCEEDING, Action.DELIVER),
            Input.SUCCESS: (_ACCEPTED, Action.DELIVER),
            Input.FAILURE: (_COMPLETED, Action.ACK_AND_DELIVER),
            Input.TRANSPORT_ERROR: (_TERMINATED, Action.UNREACHABLE),
            Input.GIVE_UP: (_EXPIRED, Action.FORGET),
            Input.TIMER_A: (_CALLING, Action.RETRANSMIT),
            Input.TIMER_B: (_EXPIRED, Action.TIMEOUT),
            Input.TIMER_D: (_CALLING, Action.IGNORE),
            Input.TIMER_M: (_CALLING, Action.IGNORE),
        },
        _PROCEEDING: {
            Input.PROVISIONAL: (_PROCEEDING, Action.DELIVER),
            Input.SUCCESS: (_ACCEPTED, Action.DELIVER),
            Input.FAILURE: (_COMPLETED, Action.ACK_AND_DELIVER),
            Input.TRANSPORT_ERROR: (_PROCEEDING, Action.IGNORE),
            Input.GIVE_UP: (_EXPIRED, Action.FORGET),
            Input.TIMER_A: (_PROCEEDING, Action.IGNORE),
            Input.TIMER_B: (_PROCEEDING, Action.IGNORE),
            Input.TIMER_D: (_PROCEEDING, Action.IGNORE),
            Input.TIMER_M: (_PROCEEDING, Action.IGNORE),
        },
        _COMPLETED: {
            Input.PROVISIONAL: (_COMPLETED, Action.IGNORE),
            Input.SUCCESS: (_COMPLETED, Action.IGNORE),
            Input.FAILURE: (_COMPLETED, Action.ACK),
            Input.TRANSPORT_ERROR: (_TERMINATED, Action.FORGET),
            Input.GIVE_UP: (_COMPLETED, Action.IGNORE),
            Input.TIMER_A: (_COMPLETED, Action.IGNORE),
            Input.TIMER_B: (_COMPLETED, Action.IGNORE),
            Input.TIMER_D: (_TERMINATED, Action.FORGET),
            Input.TIMER_M: (_COMPLETED, Action.IGNORE),
        },
        _ACCEPTED: {
            Input.PROVISIONAL: (_ACCEPTED, Action.IGNORE),
            # retransmitted and forked ones alike: the user acknowledges each
            Input.SUCCESS: (_ACCEPTED, Action.DELIVER),
            Input.FAILURE: (_ACCEPTED, Action.IGNORE),
            Input.TRANSPORT_ERROR: (_ACCEPTED, Action.IGNORE),
            Input.GIVE_UP: (_ACCEPTED, Action.IGNORE),
            Input.TIMER_A: (_ACCEPTED, Action.IGNORE),
            Input.TIMER_B: (_ACCEPTED, Action.IGNORE),
            Input.TIMER_D: (_ACCEPTED, Action.IGNORE),
            Input.TIMER_M: (_TERMINATED, Action.FORGET),
        },
        _EXPIRED: {
            # RFC 3261 17.1.1.2 would forget the transaction here; an answer that comes late would
            # then be left without ACK and BYE.
            Input.PROVISIONAL: (_EXPIRED, Action.DELIVER_LATE),
            Input.SUCCESS: (_EXPIRED, Action.DELIVER),
            Input.FAILURE: (_EXPIRED, Action.ACK),
            Input.TRANSPORT_ERROR: (_EXPIRED, Action.IGNORE),
            Input.GIVE_UP: (_EXPIRED, Action.IGNORE),
            Input.TIMER_A: (_EXPIRED, Action.IGNORE),
            Input.TIMER_B: (_EXPIRED, Action.IGNORE),
            Input.TIMER_D: (_EXPIRED, Action.IGNORE),
            Input.TIMER_M: (_TERMINATED, Action.FORGET),
        },
        _TERMINATED: {
            Input.PROVISIONAL: (_TERMINATED, Action.IGNORE),
            Input.SUCCESS: (_TERMINATED, Action.IGNORE),
            Input.FAILURE: (_TERMINATED, Action.IGNORE),
            Input.TRANSPORT_ERROR: (_TERMINATED, Action.IGNORE),
            Input.GIVE_UP: (_TERMINATED, Action.IGNORE),
            Input.TIMER_A: (_TERMINATED, Action.IGNORE),
            Input.TIMER_B: (_TERMINATED, Action.IGNORE),
            Input.TIMER_D: (_TERMINATED, Action.IGNORE),
            Input.TIMER_M: (_TERMINATED, Action.IGNORE),
        },
    },
    starts={
        _CALLING: (Timer.A, Timer.B),
        _COMPLETED: (Timer.D,),
        _ACCEPTED: (Timer.M,),
        _EXPIRED: (Timer.M,),
    },
    keeps={},
)

NON_INVITE_CLIENT = Machine(
    name="non-INVITE client",
    section="RFC 3261 17.1.2",
    start=_TRYING,
    table={
        _TRYING: {
            Input.PROVISIONAL: (_PROCEEDING, Action.DELIVER),
            Input.SUCCESS: (_COMPLETED, Action.DELIVER),
            Input.FAILURE: (_COMPLETED, Action.DELIVER),
            Input.TRANSPORT_ERROR: (_TERMINATED, Action.UNREACHABLE),
            Input.GIVE_UP: (_TERMINATED, Action.FORGET),
            Input.TIMER_E: (_TRYING, Action.RETRANSMIT),
            Input.TIMER_F: (_TERMINATED, Action.TIMEOUT),
            Input.TIMER_K: (_TRYING, Action.IGNORE),
        },
        _PROCEEDING: {
            Input.PROVISIONAL: (_PROCEEDING, Action.DELIVER),
            Input.SUCCESS: (_COMPLETED, Action.DELIVER),
            Input.FAILURE: (_COMPLETED, Action.DELIVER),
            Input.TRANSPORT_ERROR: (_TERMINATED, Action.UNREACHABLE),
            Input.GIVE_UP: (_TERMINATED, Action.FORGET),
            Input.TIMER_E: (_PROCEEDING, Action.RETRANSMIT_LATER),
            Input.TIMER_F: (_TERMINATED, Action.TIMEOUT),
            Input.TIMER_K: (_PROCEEDING, Action.IGNORE),
        },
        _COMPLETED: {
            Input.PROVISIONAL: (_COMPLETED, Action.IGNORE),
            Input.SUCCESS: (_COMPLETED, Action.IGNORE),
            Input.FAILURE: (_COMPLETED, Action.IGNORE),
            Input.TRANSPORT_ERROR: (_COMPLETED, Action.IGNORE),
            Input.GIVE_UP: (_COMPLETED, Action.IGNORE),
            Input.TIMER_E: (_COMPLETED, Action.IGNORE),
            Input.TIMER_F: (_COMPLETED, Action.IGNORE),
            Input.TIMER_K: (_TERMINATED, Action.FORGET),
        },
        _TERMINATED: {
            Input.PROVISIONAL: (_TERMINATED, Action.IGNORE),
            Input.SUCCESS: (_TERMINATED, Action.IGNORE),
            Input.FAILURE: (_TERMINATED, Action.IGNORE),
            Input.TRANSPORT_ERROR: (_TERMINATED, Action.IGNORE),
            Input.GIVE_UP: (_TERMINATED, Action.IGNORE),
            Input.TIMER_E: (_TERMINATED, Action.IGNORE),
            Input.TIMER_F: (_TERMINATED, Action.IGNORE),
            Input.TIMER_K: (_TERMINATED, Action.IGNORE),
        },
    },
    starts={
        _TRYING: (Timer.E, Timer.F),
        _COMPLETED: (Timer.K,),
    },
    keeps={_PROCEEDING: frozenset({Timer.E, Timer.F})},
)

INVITE_SERVER = Machine(
    name="INVITE server",
    section="RFC 3261 17.2.1, RFC 6026 8.3",
    start=_PROCEEDING,
    table={
        _PROCEEDING: {
            Input.REQUEST: (_PROCEEDING, Action.RETRANSMIT),
            Input.ACK: (_PROCEEDING, Action.IGNORE),
            Input.PROVISIONAL: (_PROCEEDING, Action.SEND),
            Input.SUCCESS: (_ACCEPTED, Action.SEND),
            Input.FAILURE: (_COMPLETED, Action.SEND),
            Input.TRANSPORT_ERROR: (_PROCEEDING, Action.IGNORE),
            Input.TIMER_G: (_PROCEEDING, Action.IGNORE),
            Input.TIMER_H: (_PROCEEDING, Action.IGNORE),
            Input.TIMER_I: (_PROCEEDING, Action.IGNORE),
            Input.TIMER_L: (_PROCEEDING, Action.IGNORE),
        },
        _COMPLETED: {
            Input.REQUEST: (_COMPLETED, Action.RETRANSMIT),
            Input.ACK: (_CONFIRMED, Action.IGNORE),
            Input.PROVISIONAL: (_COMPLETED, Action.IGNORE),
            Input.SUCCESS: (_COMPLETED, Action.IGNORE),
            Input.FAILURE: (_COMPLETED, Action.IGNORE),
            Input.TRANSPORT_ERROR: (_COMPLETED, Action.IGNORE),
            Input.TIMER_G: (_COMPLETED, Action.RETRANSMIT),
            Input.TIMER_H: (_TERMINATED, Action.UNACKNOWLEDGED),
            Input.TIMER_I: (_COMPLETED, Action.IGNORE),
            Input.TIMER_L: (_COMPLETED, Action.IGNORE),
        },
        _CONFIRMED: {
            Input.REQUEST: (_CONFIRMED, Action.IGNORE),
            Input.ACK: (_CONFIRMED, Action.IGNORE),
            Input.PROVISIONAL: (_CONFIRMED, Action.IGNORE),
            Input.SUCCESS: (_CONFIRMED, Action.IGNORE),
            Input.FAILURE: (_CONFIRMED, Action.IGNORE),
            Input.TRANSPORT_ERROR: (_CONFIRMED, Action.IGNORE),
            Input.TIMER_G: (_CONFIRMED, Action.IGNORE),
            Input.TIMER_H: (_CONFIRMED, Action.IGNORE),
            Input.TIMER_I: (_TERMINATED, Action.FORGET),
            Input.TIMER_L: (_CONFIRMED, Action.IGNORE),
        },
        _ACCEPTED: {
            # the user retransmits the 2xx by its own timer (RFC 3261 13.3.1.4)
            Input.REQUEST: (_ACCEPTED, Action.IGNORE),
            Input.ACK: (_ACCEPTED, Action.ACKNOWLEDGED),
            Input.PROVISIONAL: (_ACCEPTED, Action.IGNORE),
            Input.SUCCESS: (_ACCEPTED, Action.SEND),
            Input.FAILURE: (_ACCEPTED, Action.IGNORE),
            Input.TRANSPORT_ERROR: (_ACCEPTED, Action.IGNORE),
            Input.TIMER_G: (_ACCEPTED, Action.IGNORE),
            Input.TIMER_H: (_ACCEPTED, Action.IGNORE),
            Input.TIMER_I: (_ACCEPTED, Action.IGNORE),
            Input.TIMER_L: (_TERMINATED, Action.FORGET),
        },
        _TERMINATED: {
            Input.REQUEST: (_TERMINATED, Action.IGNORE),
            Input.ACK: (_TERMINATED, Action.IGNORE),
            Input.PROVISIONAL: (_TERMINATED, Action.IGNORE),
            Input.SUCCESS: (_TERMINATED, Action.IGNORE),
            Input.FAILURE: (_TERMINATED, Action.IGNORE),
            Input.TRANSPORT_ERROR: (_TERMINATED, Action.IGNORE),
            Input.TIMER_G: (_TERMINATED, Action.IGNORE),
            Input.TIMER_H: (_TERMINATED, Action.IGNORE),
            Input.TIMER_I: (_TERMINATED, Action.IGNORE),
            Input.TIMER_L: (_TERMINATED, Action.IGNORE),
        },
    },
    starts={
        _COMPLETED: (Timer.G, Timer.H),
        _CONFIRMED: (Timer.I,),
        _ACCEPTED: (Timer.L,),
    },
    keeps={},
)

NON_INVITE_SERVER = Machine(
    name="non-INVITE server",
    section="RFC 3261 17.2.2",
    start=_TRYING,
    table={
        _TRYING: {
            Input.REQUEST: (_TRYING, Action.IGNORE),
            Input.PROVISIONAL: (_PROCEEDING, Action.SEND),
            Input.SUCCESS: (_COMPLETED, Action.SEND),
            Input.FAILURE: (_COMPLETED, Action.SEND),
            Input.TRANSPORT_ERROR: (_TRYING, Action.IGNORE),
            Input.TIMER_J: (_TRYING, Action.IGNORE),
        },
        _PROCEEDING: {
            Input.REQUEST: (_PROCEEDING, Action.RETRANSMIT),
            Input.PROVISIONAL: (_PROCEEDING, Action.SEND),
            Input.SUCCESS: (_COMPLETED, Action.SEND),
            Input.FAILURE: (_COMPLETED, Action.SEND),
            Input.TRANSPORT_ERROR: (_PROCEEDING, Action.IGNORE),
            Input.TIMER_J: (_PROCEEDING, Action.IGNORE),
        },
        _COMPLETED: {
            Input.REQUEST: (_COMPLETED, Action.RETRANSMIT),
            Input.PROVISIONAL: (_COMPLETED, Action.IGNORE),
            Input.SUCCESS: (_COMPLETED, Action.IGNORE),
            Input.FAILURE: (_COMPLETED, Action.IGNORE),
            Input.TRANSPORT_ERROR: (_COMPLETED, Action.IGNORE),
            Input.TIMER_J: (_TERMINATED, Action.FORGET),
        },
        _TERMINATED: {
            Input.REQUEST: (_TERMINATED, Action.IGNORE),
            Input.PROVISIONAL: (_TERMINATED, Action.IGNORE),
            Input.SUCCESS: (_TERMINATED, Action.IGNORE),
            Input.FAILURE: (_TERMINATED, Action.IGNORE),
            Input.TRANSPORT_ERROR: (_TERMINATED, Action.IGNORE),
            Input.TIMER_J: (_TERMINATED, Action.IGNORE),
        },
    },
    starts={_COMPLETED: (Timer.J,)},
    keeps={},
)

MACHINES = (INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER)

TIMER_INPUTS: Mapping[Timer, Input] = {
    Timer.A: Input.TIMER_A,
    Timer.B: Input.TIMER_B,
    Timer.D: Input.TIMER_D,
    Timer.E: Input.TIMER_E,
    Timer.F: Input.TIMER_F,
    Timer.G: Input.TIMER_G,
    Timer.H: Input.TIMER_H,
    Timer.I: Input.TIMER_I,
    Timer.J: Input.TIMER_J,
    Timer.K: Input.TIMER_K,
    Timer.L: Input.TIMER_L,
    Timer.M: Input.TIMER_M,
}


def inputs_of(machine: Machine) -> frozenset[Input]:
    """Return every input that the machine's table names."""
    return frozenset(entry for row in machine.table.values() for entry in row)
