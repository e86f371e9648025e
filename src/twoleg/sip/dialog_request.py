"""A request of ours within a dialog, and what follows of its responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twoleg.sip.client_transaction import ClientTransaction
from twoleg.sip.dialogs import Dialog
from twoleg.sip.digest import DigestClient
from twoleg.sip.drafts import Draft
from twoleg.sip.events import RefusalCause
from twoleg.sip.header_lines import header_lines
from twoleg.sip.message import Response

Done: TypeAlias = Callable[[Response | None, RefusalCause], None]


class DialogRequest:
    """Sends the request, and again with credentials if the peer asks who we are.

    `done` is told once of the final response, or of None with the cause. Each 2xx to an INVITE
    is acknowledged, however often it comes (RFC 3261 13.2.2.4).
    """

    __slots__ = (
        "_ack",
        "_ack_way",
        "_authorization",
        "_body",
        "_dialog",
        "_digest",
        "_done",
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
        self._ack = b""
        self._ack_way: Draft | None = None

    def send(self) -> None:
        """Send it, with the dialog's next number."""
        dialog, digest = self._dialog, self._digest
        draft = dialog.draft(self._method, dialog.next_cseq(), self._lines, self._body)
        if digest is not None:
            self._authorization = header_lines(digest.headers(self._method, draft.uri))
            draft.headers += self._authorization
        self._transaction = ClientTransaction(dialog.endpoint, draft, self)
        self._transaction.start()

    def give_up(self) -> None:
        """Wait for its response no longer; nobody is told."""
        self._done = None
        if self._transaction is not None:
            self._transaction.give_up()

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        status = response.status
        if transaction is not self._transaction or status < 200:
            return
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
        if transaction is self._transaction:
            self._tell(None, cause)

    def _tell(self, response: Response | None, cause: RefusalCause) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(response, cause)

    def _acknowledge(self, cseq: int) -> None:
        dialog = self._dialog
        if self._ack_way is None:
            self._ack_way = dialog.draft("ACK", cseq, self._authorization)
            self._ack = self._ack_way.to_bytes()
        dialog.endpoint.send(self._ack, self._ack_way.destination, self._ack_way.flow)
