"""What still comes to an INVITE whose leg has its answer, or waits for none any more."""

from __future__ import annotations

from twoleg.sip.client_transaction import ClientTransaction, Unheard
from twoleg.sip.dialog_request import DialogRequest
from twoleg.sip.dialogs import Dialog
from twoleg.sip.digest import DigestClient
from twoleg.sip.drafts import Draft
from twoleg.sip.early_dialogs import MAX_FORKS
from twoleg.sip.endpoint import Endpoint
from twoleg.sip.events import RefusalCause
from twoleg.sip.fields import Reason
from twoleg.sip.header_lines import reason_line
from twoleg.sip.message import Response
from twoleg.sip.success_ack import SuccessAck
from twoleg.sip.uri import SipUri


class LateAnswers:
    """Stops destinations that speak too late, and ends answers beyond the first.

    A leg makes it when there is need of it, and leaves it in its own place when it is over: for
    half a minute its 2xx may come again, or another, which is not worth keeping a whole leg for.
    """

    __slots__ = (
        "_digest",
        "_endpoint",
        "_forks",
        "_local_tag",
        "_local_uri",
        "_stopped",
        "ack",
        "authorization",
        "reason",
        "remote_tag",
        "target",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        local_uri: str,
        local_tag: str,
        target: SipUri,
        digest: DigestClient | None,
    ) -> None:
        self._endpoint = endpoint
        self._local_uri = local_uri
        self._local_tag = local_tag
        self._digest = digest
        self._stopped: tuple[str, ...] = ()
        self._forks: dict[str, SuccessAck] | None = None
        self.target = target
        self.authorization = ""
        """The credentials of the INVITE, as header lines."""

        self.reason: Reason | None = None
        self.remote_tag: str | None = None
        """Whose answer was the first, and has its ACK."""

        self.ack: SuccessAck | None = None

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status < 200:
            self._stop(transaction.draft)
        elif response.status < 300:
            if self.ack is not None and (response.to_tag or "") == self.remote_tag:
                self.ack.send()
            else:
                self.end(transaction.draft, response)

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        pass

    def end(self, draft: Draft, response: Response) -> None:
        """Acknowledge an answer, however often it comes, and end its dialog (13.2.2.4)."""
        tag = response.to_tag or ""
        if self._forks is None:
            self._forks = {}
        ack = self._forks.get(tag)
        if ack is not None:
            ack.send()
        elif len(self._forks) < MAX_FORKS:
            dialog = Dialog.of_response(
                self._endpoint, draft, response, self._local_uri, self._local_tag, self.target
            )
            ack = self._forks[tag] = SuccessAck(dialog, draft.cseq, self.authorization)
            ack.send()
            DialogRequest(dialog, self._digest, "BYE", reason_line(self.reason)).send()

    def _stop(self, draft: Draft) -> None:
        """Cancel an INVITE, once, whose destination speaks after we had given up waiting."""
        if draft.branch not in self._stopped:
            self._stopped += (draft.branch,)
            data = draft.cancel(reason_line(self.reason))
            ClientTransaction(self._endpoint, draft, Unheard(), "CANCEL", data).start()
