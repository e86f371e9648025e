"""What comes in from the network, past the gatekeeper, to the core."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from twoleg.sip import (
    Destination,
    Flow,
    Outgoing,
    RemoteProtocolError,
    Request,
    Response,
    parse_message,
)
from twoleg.sip_io.core_loop import CoreLoop
from twoleg.sip_io.counters import Counters
from twoleg.sip_io.gatekeeper import Gatekeeper, ShutOuts, Verdict

_NEVER_JUDGED: Final = frozenset({"ACK", "CANCEL"})
_KEEP_ALIVES: Final = frozenset({b"", b"\0", b"\r\n", b"\r\n\r\n"})
"""Datagrams that phones send to keep their NAT's port open; nothing is to be done about them."""

_MAX_KEEP_ALIVE: Final = max(map(len, _KEEP_ALIVES))

_log = logging.getLogger(__name__)


class Reception:
    """The `Inbox` of a phone. Nothing that a peer sends raises out of it."""

    def __init__(
        self,
        running: CoreLoop,
        gatekeeper: Gatekeeper,
        shut_outs: ShutOuts,
        counters: Counters,
    ) -> None:
        self._running = running
        self._core = running.core
        self._gatekeeper = gatekeeper
        self._shut_outs = shut_outs
        self._counters = counters
        self.on_flow_lost: Callable[[Flow], None] | None = None

    def datagrams(self, received: Sequence[tuple[bytes, Flow]]) -> float:
        """Take what has come together: the same step of all costs less than all steps of each."""
        count = len(received)
        if self._shut_outs.any_shut:
            admitted = [each for each in received if self.admits(each[1].remote.host)]
            self._counters.dropped_sources += count - len(admitted)
            received = admitted
        self._counters.datagrams_received += len(received)
        messages = [(_read(data), flow) for data, flow in received if not _is_keep_alive(data)]
        for message, flow in messages:
            self._receive(message, flow)
        return self._running.go(count)

    def message(self, message: Request | Response | RemoteProtocolError, flow: Flow) -> None:
        self._counters.messages_received += 1
        self._receive(message, flow)
        self._running.turn()

    def flow_lost(self, flow: Flow) -> None:
        if self.on_flow_lost is not None:
            self.on_flow_lost(flow)

    def resolved(self, sent: Outgoing, destinations: tuple[Destination, ...]) -> None:
        self._core.resolved(sent, destinations, self._running.now())
        self._running.turn()

    def send_failed(self, sent: Outgoing) -> None:
        self._core.transport_failed(sent, self._running.now())
        self._running.turn()

    def undelivered(self, beginning: bytes) -> None:
        self._core.undelivered(beginning, self._running.now())
        self._running.turn()

    def admits(self, host: str) -> bool:
        shut_outs = self._shut_outs
        return not shut_outs.any_shut or not shut_outs.is_shut(host, self._running.now())

    def strike(self, host: str) -> None:
        """Note that a source was refused; one that keeps trying is not listened to for a while."""
        if not self._gatekeeper.trusts(host) and self._shut_outs.strike(host, self._running.now()):
            self._counters.sources_shut_out += 1
            _log.warning("source shut out", extra={"source": host})

    def _receive(self, message: Request | Response | RemoteProtocolError, flow: Flow) -> None:
        try:
            if not isinstance(message, Request) or self._may_pass(message, flow):
                self._core.receive_message(message, flow, self._running.now())
        except Exception:  # noqa: BLE001
            # An event loop closes the socket whose protocol raises: one message would end us all.
            self._counters.internal_errors += 1
            _log.exception("message failed", extra={"source": flow.remote.host})

    def _may_pass(self, request: Request, flow: Flow) -> bool:
        """Have the gatekeeper judge what would open something new."""
        if request.method in _NEVER_JUDGED or request.to_tag is not None:
            return True
        verdict = self._gatekeeper.judge(request, flow)
        if verdict is Verdict.ALLOW:
            return True
        self._counters.forbidden += 1
        self.strike(flow.remote.host)
        if verdict is Verdict.FORBID:
            refusal = RemoteProtocolError(403, "Forbidden", request)
            self._core.receive_message(refusal, flow, self._running.now())
        return False


def _is_keep_alive(data: bytes) -> bool:
    return len(data) <= _MAX_KEEP_ALIVE and data in _KEEP_ALIVES


def _read(data: bytes) -> Request | Response | RemoteProtocolError:
    try:
        return parse_message(data)
    except RemoteProtocolError as error:
        return error
