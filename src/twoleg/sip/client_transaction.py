"""Client transactions (RFC 3261 17.1, RFC 6026): a request until its final response, or none."""

from __future__ import annotations

from typing import Final, Protocol

from twoleg.sip.drafts import Draft
from twoleg.sip.endpoint import Endpoint
from twoleg.sip.events import RefusalCause
from twoleg.sip.message import Response
from twoleg.sip.timers import Deadline, Timer
from twoleg.sip.transactions import (
    INVITE_CLIENT,
    NON_INVITE_CLIENT,
    TIMER_INPUTS,
    Action,
    Input,
    State,
)

_BUSY: Final = frozenset({State.CALLING, State.TRYING, State.PROCEEDING})
_RETRANSMITS: Final = frozenset({Timer.A, Timer.E})


class ClientUser(Protocol):
    """Whoever sent a request."""

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """Take a provisional or final response; of INVITE each 2xx, however often it comes."""

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        """Take note that there will be no response: TIMEOUT or TRANSPORT."""


class ClientTransaction:
    """One request on its way. `start` sends it; `give_up` forgets it."""

    __slots__ = (
        "_ack",
        "_data",
        "_deadlines",
        "_endpoint",
        "_interval",
        "_key",
        "_machine",
        "_number",
        "_user",
        "draft",
        "state",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        draft: Draft,
        user: ClientUser,
        method: str = "",
        data: bytes = b"",
    ) -> None:
        """Take the request as `draft`; `data` is what to send, if it is written already.

        A CANCEL comes with the draft of its INVITE: it is told by `method`.
        """
        self._endpoint = endpoint
        method = method or draft.method
        self._data = data or draft.to_bytes()
        self._user: ClientUser | None = user
        self._machine = INVITE_CLIENT if method == "INVITE" else NON_INVITE_CLIENT
        self._key = (draft.branch, method)
        self._number = endpoint.number()
        self._deadlines: dict[Timer, Deadline] = {}
        self._interval = endpoint.intervals.t1
        self._ack = b""
        self.draft = draft
        self.state = self._machine.start

    def start(self) -> None:
        """Send the request."""
        endpoint = self._endpoint
        endpoint.clients[self._key] = self
        endpoint.sending[self._number] = self
        endpoint.busy += 1
        self._send(self._data)
        self._start_timers()

    def resume(self) -> None:
        """Wait for the final response of an INVITE that another process sent."""
        endpoint = self._endpoint
        endpoint.clients[self._key] = self
        endpoint.sending[self._number] = self
        endpoint.busy += 1
        self.state = State.PROCEEDING

    def receive(self, response: Response) -> None:
        """Take a response that matches."""
        status = response.status
        if status < 200:
            self._step(Input.PROVISIONAL, response)
        elif status < 300:
            self._step(Input.SUCCESS, response)
        else:
            self._step(Input.FAILURE, response)

    def transport_failed(self) -> None:
        """Take note that what was sent last could not be sent."""
        self._step(Input.TRANSPORT_ERROR)

    def give_up(self) -> None:
        """Forget a request whose response nobody waits for any more."""
        self._step(Input.GIVE_UP)

    def timer_fired(self, timer: Timer) -> None:
        del self._deadlines[timer]
        self._step(TIMER_INPUTS[timer])
        if timer in _RETRANSMITS and self.state in _BUSY:
            self._restart(timer)

    def _step(self, happened: Input, response: Response | None = None) -> None:
        before = self.state
        user = self._user
        after, action = self._machine.table[before][happened]
        if after is not before:
            self._enter(after)
        if user is None or action is Action.IGNORE or action is Action.FORGET:
            return
        if action is Action.DELIVER:
            assert response is not None
            user.on_response(self, response)
        elif action is Action.DELIVER_LATE:
            assert response is not None
            self._enter(after)
            user.on_response(self, response)
        elif action is Action.ACK_AND_DELIVER:
            assert response is not None
            self._acknowledge(response)
            user.on_response(self, response)
        elif action is Action.ACK:
            assert response is not None
            self._acknowledge(response)
        elif action is Action.RETRANSMIT or action is Action.RETRANSMIT_LATER:
            self._endpoint.counters.retransmissions_sent += 1
            self._send(self._data)
            if action is Action.RETRANSMIT_LATER:
                self._interval = self._endpoint.intervals.t2
        elif action is Action.TIMEOUT:
            user.on_failure(self, RefusalCause.TIMEOUT)
        else:
            user.on_failure(self, RefusalCause.TRANSPORT)

    def _enter(self, state: State) -> None:
        endpoint = self._endpoint
        deadlines = self._deadlines
        kept = self._machine.keeps.get(state)
        for timer in tuple(deadlines):
            if not kept or timer not in kept:
                endpoint.deadlines.cancel(deadlines.pop(timer))
        if self.state in _BUSY and state not in _BUSY:
            endpoint.busy -= 1
        self.state = state
        if state is State.TERMINATED:
            endpoint.clients.pop(self._key, None)
            endpoint.sending.pop(self._number, None)
            # Who sent it holds it too: together they would outlive the call.
            self._user = None
        elif state not in _BUSY:
            # What is sent from here on is a repeated ACK, whose loss nobody is told of.
            self._data = b""
            self._start_timers()

    def _start_timers(self) -> None:
        durations = self._endpoint.durations[self.draft.destination.transport.reliable]
        for timer in self._machine.starts.get(self.state, ()):
            seconds = durations[timer]
            if seconds is not None:
                self._deadlines[timer] = self._endpoint.timer(seconds, self, timer)

    def _restart(self, timer: Timer) -> None:
        # RFC 3261 17.1.1.2: timer A doubles without bound; 17.1.2.2: timer E up to T2.
        self._interval *= 2
        if timer is Timer.E:
            self._interval = min(self._interval, self._endpoint.intervals.t2)
        self._deadlines[timer] = self._endpoint.timer(self._interval, self, timer)

    def _acknowledge(self, response: Response) -> None:
        if not self._ack:
            self._ack = self.draft.failure_ack(response.headers.get("To") or self.draft.to)
        self._send(self._ack)

    def _send(self, data: bytes) -> None:
        draft = self.draft
        self._endpoint.send(data, draft.destination, draft.flow, self._number)
