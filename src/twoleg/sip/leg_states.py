"""What may happen to a leg, as total tables: one for legs that we ring, one for those rung at us.

`TABLE[state][input]` is `(next state, action)`. What the actions do is in `outgoing_leg.py` and
`incoming_leg.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from twoleg.sip.values import immutable


class LegState(Enum):
    """Where a leg stands."""

    __hash__ = object.__hash__  # members are single; the hash of their name is slow

    CALLING = "calling"  # INVITE sent, nothing came back
    RINGING = "ringing"  # a provisional response was sent or came
    LEAVING = "leaving"  # to be ended as soon as the protocol lets us
    CANCELING = "canceling"  # CANCEL sent
    ACCEPTING = "accepting"  # the 2xx waits for the PRACK of our description (RFC 3262 3)
    ANSWERED = "answered"  # a 2xx came or was sent; no ACK yet
    CONFIRMED = "confirmed"  # the ACK was sent or came
    ENDING = "ending"  # BYE sent
    ENDED = "ended"


class LegInput(Enum):
    """What may happen to a leg."""

    __hash__ = object.__hash__  # members are single; the hash of their name is slow

    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699, timeout or unreachable"
    RETRY = "asked who we are, sent elsewhere, or the next destination's turn"
    ACKNOWLEDGE = "user acknowledges"
    ACCEPT = "user accepts"
    ACCEPT_LATER = "user accepts, but a description of ours has no PRACK"
    PRACK = "PRACK"
    REJECT = "user rejects"
    HANG_UP = "user hangs up"
    CANCEL = "CANCEL"
    ACK = "ACK"
    BYE = "BYE"
    DONE = "BYE is done"  # answered, or never will be
    GONE = "dialog is gone"  # a 481, or nothing, to a request of ours
    GIVE_UP = "64*T1 after CANCEL, after our 2xx or after our reliable 1xx"


class LegAction(Enum):
    """What a step does."""

    __hash__ = object.__hash__  # members are single; the hash of their name is slow

    IGNORE = "ignore"
    INVITE = "send INVITE anew"
    PROGRESS = "tell user: progress"
    ANSWER = "tell user: answered"
    REFUSE = "tell user: refused"
    CANCEL = "send CANCEL"
    ACK = "send ACK"
    ACK_BYE = "send ACK, send BYE"
    ACK_END = "send ACK, tell user: ended"
    BYE = "send BYE"
    END = "tell user: ended"
    ESTABLISH = "tell user: established"
    RING = "send 1xx"
    ACCEPT = "send 2xx"
    REJECT = "send 300-699, tell user: refused"
    WITHDRAW = "send 487, tell user: refused"


Step: TypeAlias = tuple[LegState, LegAction]
LegTable: TypeAlias = Mapping[LegState, Mapping[LegInput, Step]]

_S, _I, _A = LegState, LegInput, LegAction


@immutable()
class LegMachine:
    """The table of one kind of leg, and its first state."""

    name: str
    section: str
    start: LegState
    table: LegTable


def _total(
    rows: Mapping[LegState, Mapping[LegInput, Step]], inputs: tuple[LegInput, ...]
) -> LegTable:
    """Write out, for each state, the inputs that change nothing."""
    return {
        state: {happened: row.get(happened, (state, _A.IGNORE)) for happened in inputs}
        for state, row in rows.items()
    }


OUTGOING_LEG = LegMachine(
    name="outgoing leg",
    section="RFC 3261 9.1, 13.2, 15",
    start=_S.CALLING,
    table=_total(
        {
            _S.CALLING: {
                _I.PROVISIONAL: (_S.RINGING, _A.PROGRESS),
                _I.SUCCESS: (_S.ANSWERED, _A.ANSWER),
                _I.FAILURE: (_S.ENDED, _A.REFUSE),
                _I.RETRY: (_S.CALLING, _A.INVITE),
                # RFC 3261 9.1: no CANCEL before a provisional response
                _I.HANG_UP: (_S.LEAVING, _A.IGNORE),
            },
            _S.RINGING: {
                _I.PROVISIONAL: (_S.RINGING, _A.PROGRESS),
                _I.SUCCESS: (_S.ANSWERED, _A.ANSWER),
                _I.FAILURE: (_S.ENDED, _A.REFUSE),
                _I.RETRY: (_S.CALLING, _A.INVITE),
                _I.HANG_UP: (_S.CANCELING, _A.CANCEL),
            },
            _S.LEAVING: {
                _I.PROVISIONAL: (_S.CANCELING, _A.CANCEL),
                _I.SUCCESS: (_S.ENDING, _A.ACK_BYE),
                _I.FAILURE: (_S.ENDED, _A.REFUSE),
            },
            _S.CANCELING: {
                # the answer crossed our CANCEL
                _I.SUCCESS: (_S.ENDING, _A.ACK_BYE),
                _I.FAILURE: (_S.ENDED, _A.REFUSE),
                _I.GIVE_UP: (_S.ENDED, _A.REFUSE),
            },
            _S.ANSWERED: {
                _I.ACKNOWLEDGE: (_S.CONFIRMED, _A.ACK),
                _I.HANG_UP: (_S.ENDING, _A.ACK_BYE),
                _I.BYE: (_S.ENDED, _A.ACK_END),
                _I.GONE: (_S.ENDED, _A.ACK_END),
            },
            _S.CONFIRMED: {
                # our ACK was lost
                _I.SUCCESS: (_S.CONFIRMED, _A.ACK),
                _I.HANG_UP: (_S.ENDING, _A.BYE),
                _I.BYE: (_S.ENDED, _A.END),
                _I.GONE: (_S.ENDED, _A.END),
            },
            _S.ENDING: {
                _I.SUCCESS: (_S.ENDING, _A.ACK),
                _I.DONE: (_S.ENDED, _A.END),
            },
            _S.ENDED: {
                # by what the leg has left in its place: late_answers.py
                _I.SUCCESS: (_S.ENDED, _A.ACK),
            },
        },
        (
            _I.PROVISIONAL,
            _I.SUCCESS,
            _I.FAILURE,
            _I.RETRY,
            _I.ACKNOWLEDGE,
            _I.HANG_UP,
            _I.BYE,
            _I.DONE,
            _I.GONE,
            _I.GIVE_UP,
        ),
    ),
)

INCOMING_LEG = LegMachine(
    name="incoming leg",
    section="RFC 3261 9.2, 13.3, 15, RFC 3262 3",
    start=_S.CALLING,
    table=_total(
        {
            _S.CALLING: {
                _I.PROVISIONAL: (_S.RINGING, _A.RING),
                _I.ACCEPT: (_S.ANSWERED, _A.ACCEPT),
                _I.REJECT: (_S.ENDED, _A.REJECT),
                _I.HANG_UP: (_S.ENDED, _A.REJECT),
                _I.CANCEL: (_S.ENDED, _A.WITHDRAW),
                _I.BYE: (_S.ENDED, _A.WITHDRAW),
            },
            _S.RINGING: {
                _I.PROVISIONAL: (_S.RINGING, _A.RING),
                _I.ACCEPT: (_S.ANSWERED, _A.ACCEPT),
                _I.ACCEPT_LATER: (_S.ACCEPTING, _A.IGNORE),
                _I.REJECT: (_S.ENDED, _A.REJECT),
                _I.HANG_UP: (_S.ENDED, _A.REJECT),
                _I.CANCEL: (_S.ENDED, _A.WITHDRAW),
                _I.BYE: (_S.ENDED, _A.WITHDRAW),
                # RFC 3262 3: a reliable 1xx without PRACK
                _I.GIVE_UP: (_S.ENDED, _A.REJECT),
            },
            _S.ACCEPTING: {
                _I.PRACK: (_S.ANSWERED, _A.ACCEPT),
                _I.HANG_UP: (_S.ENDED, _A.REJECT),
                _I.CANCEL: (_S.ENDED, _A.WITHDRAW),
                _I.BYE: (_S.ENDED, _A.WITHDRAW),
                _I.GIVE_UP: (_S.ENDED, _A.REJECT),
            },
            _S.ANSWERED: {
                _I.ACK: (_S.CONFIRMED, _A.ESTABLISH),
                # RFC 3261 15: no BYE before the ACK
                _I.HANG_UP: (_S.LEAVING, _A.IGNORE),
                _I.BYE: (_S.ENDED, _A.END),
                _I.GIVE_UP: (_S.ENDING, _A.BYE),
                _I.GONE: (_S.ENDED, _A.END),
            },
            _S.LEAVING: {
                _I.ACK: (_S.ENDING, _A.BYE),
                _I.BYE: (_S.ENDED, _A.END),
                _I.GIVE_UP: (_S.ENDING, _A.BYE),
                _I.GONE: (_S.ENDED, _A.END),
            },
            _S.CONFIRMED: {
                _I.HANG_UP: (_S.ENDING, _A.BYE),
                _I.BYE: (_S.ENDED, _A.END),
                _I.GONE: (_S.ENDED, _A.END),
            },
            _S.ENDING: {
                _I.DONE: (_S.ENDED, _A.END),
            },
            _S.ENDED: {},
        },
        (
            _I.PROVISIONAL,
            _I.ACCEPT,
            _I.ACCEPT_LATER,
            _I.PRACK,
            _I.REJECT,
            _I.HANG_UP,
            _I.CANCEL,
            _I.ACK,
            _I.BYE,
            _I.DONE,
            _I.GONE,
            _I.GIVE_UP,
        ),
    ),
)

LEG_MACHINES = (OUTGOING_LEG, INCOMING_LEG)
