"""Where a request within a dialog goes when its destination fails (RFC 3263 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twoleg.sip.client_transaction import ClientTransaction
from twoleg.sip.events import DestinationFailed, RefusalCause
from twoleg.sip.message import Response
from twoleg.sip.transport import Destination

if TYPE_CHECKING:
    from twoleg.sip.dialogs import Dialog


class Failover:
    """Made of the first failure of a request, and told of each further one.

    The next hop of a dialog is an address that a name was found to stand for, or a name, which
    whoever sends the request looks up. Both may stand for further addresses: they are tried in
    turn. A next hop that is an address by itself has none, nor has a connection.
    """

    __slots__ = ("_dialog", "_left", "_looked_up", "cause", "response", "tried")

    def __init__(self, dialog: Dialog, response: Response | None, cause: RefusalCause) -> None:
        self._dialog = dialog
        self._left: list[Destination] = []
        self._looked_up = False
        self.tried: tuple[Destination, ...] = ()
        self.response = response
        self.cause = cause
        """What the last destination that the request was sent to came to."""

    @property
    def has_more(self) -> bool:
        """Whether another destination is known behind the one given last."""
        return bool(self._left)

    def note(self, response: Response | None, cause: RefusalCause) -> None:
        """Take what a further destination came to; that there was none left to try is nothing."""
        if response is not None or cause is not RefusalCause.TRANSPORT:
            self.response, self.cause = response, cause

    def next(self, transaction: ClientTransaction) -> Destination | None:
        """Give where the request goes next; None where nothing is left."""
        draft = transaction.draft
        there = draft.destination
        if draft.flow is not None:
            return None
        self.tried += (there,)
        self._left += [
            other for other in transaction.further if not any(map(other.leads_where, self._left))
        ]
        name = self._dialog.name_of(there)
        if name is None and not self._left:
            return None
        self._dialog.endpoint.events.append(DestinationFailed(there, self.cause))
        if self._left:
            return self._left.pop(0)
        if name is None or self._looked_up:
            return None
        self._looked_up = True
        return name
