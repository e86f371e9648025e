"""What comes before the answer: early dialogs, reliable provisionals (RFC 3261 12.1, RFC 3262)."""

from __future__ import annotations

from typing import Final

from twoleg.sip.dialog_request import DialogRequest
from twoleg.sip.dialogs import Dialog
from twoleg.sip.digest import DigestClient
from twoleg.sip.drafts import Draft
from twoleg.sip.endpoint import Endpoint
from twoleg.sip.errors import InvalidValue
from twoleg.sip.message import Response
from twoleg.sip.uri import Uri

MAX_FORKS: Final = 32
"""Early dialogs, and answers beyond the first, that one INVITE may bring."""


class EarlyDialogs:
    """The early dialogs of one INVITE, by the far end's tag.

    Most calls have no use for them: each is made of its first response when it is asked for.
    """

    __slots__ = ("_dialogs", "_endpoint", "_first", "_local_tag", "_local_uri", "_numbers")

    def __init__(self, endpoint: Endpoint, local_uri: str, local_tag: str) -> None:
        self._endpoint = endpoint
        self._local_uri = local_uri
        self._local_tag = local_tag
        self._first: dict[str, tuple[Response, Draft, Uri]] = {}
        self._dialogs: dict[str, Dialog] = {}
        self._numbers: dict[str, int] = {}

    def take(
        self, response: Response, number: int | None, tag: str, draft: Draft, target: Uri
    ) -> bool:
        """Take a provisional response above 100: its `reliable_number`, and the far end's tag.

        False for a reliable one that came before, or whose predecessor has not come: it is to be
        left alone (RFC 3262 4).
        """
        if number is not None:
            before = self._numbers.get(tag)
            if before is not None and number != before + 1:
                return False
        if tag not in self._first:
            if len(self._first) >= MAX_FORKS:
                return True
            self._first[tag] = (response, draft, target)
        if number is not None:
            self._numbers[tag] = number
        return True

    def acknowledge(
        self, response: Response, number: int, tag: str, digest: DigestClient | None
    ) -> None:
        """Send the PRACK of a reliable response (RFC 3262 4)."""
        dialog = self.find(tag)
        if dialog is not None:
            lines = f"RAck: {number} {response.cseq}\r\n"
            DialogRequest(dialog, digest, "PRACK", lines).send()

    def find(self, tag: str) -> Dialog | None:
        """Give the early dialog with a far end."""
        dialog = self._dialogs.get(tag)
        if dialog is None:
            first = self._first.get(tag)
            if first is not None:
                response, draft, target = first
                dialog = self._dialogs[tag] = Dialog.of_response(
                    self._endpoint, draft, response, self._local_uri, self._local_tag, target
                )
        return dialog

    def confirm(self, dialog: Dialog) -> None:
        """Have the dialog that a 2xx makes go on where its early one was (RFC 3261 13.2.2.4)."""
        early = self._dialogs.get(dialog.remote_tag)
        if early is not None:
            dialog.local_cseq = max(early.local_cseq, dialog.local_cseq)
            dialog.remote_cseq = early.remote_cseq


def reliable_number(response: Response) -> int | None:
    """Give the number of a provisional response that wants PRACK (RFC 3262 4)."""
    headers = response.headers
    if "RSeq" not in headers.by_name:
        return None
    try:
        return response.number("RSeq") if headers.has_token("Require", "100rel") else None
    except InvalidValue:
        return None
