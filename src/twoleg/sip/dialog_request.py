"""A request of ours within a dialog, and what follows of its responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from twoleg.sip.client_transaction import ClientTransaction
from twoleg.sip.dialogs import Dialog
from twoleg.sip.digest import DigestClient
from twoleg.sip.events import RefusalCause
from twoleg.sip.failover import Failover
from twoleg.sip.header_lines import header_lines
from twoleg.sip.message import Response
from twoleg.sip.success_ack import SuccessAck

Done: TypeAlias = Callable[[Response | None, RefusalCause], None]


class DialogRequest:
    """Sends the request, and again with credentials if the peer asks who we are.

    A destination that does not answer, cannot be reached or says 503 makes room for the next; where
    there is one, it has 16*T1 to say anything at all.
    `done` is told once of the final response, or of None with the cause. Each 2xx to an INVITE
    is acknowledged, however often it comes (RFC 3261 13.2.2.4).
    """

    __slots__ = (
        "_ack",
        "_authorization",
        "_body",
        "_dialog",
        "_digest",
        "_done",
        "_failover",
        "_lines",
        "_method",
        "_transaction",
    )

    def __init__(
        self,
        dialog: Dialog,
        digest: DigestClient | None,
        method: str,
        lines: str = "",
        body: bytes = b"",
        done: Done | None = None,
    ) -> None:
        self._dialog = dialog
        self._digest = digest
        self._method = method
        self._lines = lines
        self._body = body
        self._done = done
        self._authorization = ""
        self._transaction: ClientTransaction | None = None
        self._ack: SuccessAck | None = None
        self._failover: Failover | None = None

    def send(self) -> None:
        """Send it, with the dialog's next number."""
        dialog, digest = self._dialog, self._digest
        draft = dialog.draft(self._method, dialog.next_cseq(), self._lines, self._body)
        if digest is not None:
            self._authorization = header_lines(digest.headers(self._method, draft.uri))
            draft.headers += self._authorization
        transaction = self._transaction = ClientTransaction(dialog.endpoint, draft, self)
        transaction.hurries = True
        transaction.start()
        if draft.destination.others:
            transaction.hurry()

    def _goes_on(
        self, transaction: ClientTransaction, response: Response | None, cause: RefusalCause
    ) -> bool:
        """Send the same request, as a new transaction, to the next destination (RFC 3263 4.3)."""
        if self._failover is None:
            self._failover = Failover(self._dialog, response, cause)
        else:
            self._failover.note(response, cause)
        there = self._failover.next(transaction)
        if there is None:
            return False
        endpoint = self._dialog.endpoint
        draft = replace(transaction.draft, destination=there, branch=endpoint.branch())
        following = self._transaction = ClientTransaction(endpoint, draft, self)
        following.hurries = True
        following.tried = self._failover.tried
        following.start()
        if self._failover.has_more:
            following.hurry()
        return True

    def give_up(self) -> None:
        """Wait for its response no longer; nobody is told."""
        self._done = None
        if self._transaction is not None:
            self._transaction.give_up()

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        status = response.status
        if transaction is not self._transaction or status < 200:
            if self._method == "INVITE" and 200 <= status < 300:
                # From a destination that we had given up.
                self._acknowledge(transaction.draft.cseq)
            return
        if status == 503 and self._goes_on(transaction, response, RefusalCause.RESPONSE):
            return
        if self._failover is not None and status != 503:
            self._dialog.goes_by(transaction.draft.destination)
        digest = self._digest
        if digest is not None:
            if status not in (401, 407):
                digest.accepted()
            elif digest.challenged(response.headers):
                self.send()
                return
        if status < 300 and self._method in ("INVITE", "UPDATE"):
            self._dialog.refresh_target(response)
            if self._method == "INVITE":
                self._acknowledge(transaction.draft.cseq)
        self._tell(response, RefusalCause.RESPONSE)

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        if transaction is not self._transaction or self._goes_on(transaction, None, cause):
            return
        failover = self._failover
        if failover is None:
            self._tell(None, cause)
        else:
            self._tell(failover.response, failover.cause)

    def _tell(self, response: Response | None, cause: RefusalCause) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(response, cause)

    def _acknowledge(self, cseq: int) -> None:
        if self._ack is None:
            self._ack = SuccessAck(self._dialog, cseq, self._authorization)
        self._ack.send()
