"""The ACK of a 2xx to an INVITE of ours (RFC 3261 13.2.2.4)."""

from __future__ import annotations

from twoleg.sip.dialogs import Dialog


class SuccessAck:
    """Made once, and sent whenever its 2xx comes.

    `lines` are the credentials of the INVITE, which has the same `cseq`, and what tells of the
    body. Raises LocalProtocolError where the dialog leads nowhere.
    """

    __slots__ = ("_data", "_dialog", "_flow", "_sent", "_there")

    def __init__(self, dialog: Dialog, cseq: int, lines: str, body: bytes = b"") -> None:
        draft = dialog.draft("ACK", cseq, lines, body)
        self._dialog = dialog
        self._data = draft.to_bytes()
        self._there = draft.destination
        self._flow = draft.flow
        self._sent = 0

    def send(self) -> None:
        """Send it, once more if need be.

        Nobody answers an ACK: that its 2xx comes again says that it did not arrive, so that another
        address has its turn, where there are several.
        """
        there, flow = self._there, self._flow
        if self._sent and flow is None:
            there = self._dialog.name_of(there) or there
        self._dialog.endpoint.send(self._data, there, flow, self._sent)
        self._sent += 1
