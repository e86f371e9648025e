"""A request of ours outside any dialog: OPTIONS, REGISTER and their like."""

from __future__ import annotations

from twoleg.sip.client_transaction import ClientTransaction
from twoleg.sip.dialogs import destination_of
from twoleg.sip.digest import DigestClient
from twoleg.sip.drafts import Draft
from twoleg.sip.endpoint import CALL_ID_BYTES, Endpoint
from twoleg.sip.errors import LocalProtocolError
from twoleg.sip.events import DestinationFailed, RefusalCause, RequestCompleted
from twoleg.sip.header_lines import header_lines, route_lines
from twoleg.sip.interface import OutOfDialogRequest
from twoleg.sip.message import Response
from twoleg.sip.transport import Destination, Transport


class PlainRequest:
    """Sends the request to one destination after another, until one answers."""

    def __init__(self, endpoint: Endpoint, request: OutOfDialogRequest) -> None:
        self._endpoint = endpoint
        self._request = request
        self._call_id = request.call_id or endpoint.tokens(CALL_ID_BYTES)
        self._cseq = request.cseq or 1
        self._tag = endpoint.tag()
        self._attempt = 0
        self._destinations = endpoint.usable(request.destinations)
        self._transaction: ClientTransaction | None = None
        self._digest: DigestClient | None = None
        if request.credentials is not None:
            self._digest = DigestClient(request.credentials, endpoint.tokens)
        self.number = endpoint.number()

    def send(self) -> None:
        """Send it. Raises LocalProtocolError if there is nowhere to send it."""
        endpoint, request = self._endpoint, self._request
        destination = self._destination()
        uri = str(request.target)
        lines = header_lines(request.headers)
        if endpoint.config.user_agent:
            lines += f"User-Agent: {endpoint.config.user_agent}\r\n"
        if self._digest is not None:
            lines += header_lines(self._digest.headers(request.method, uri))
        draft = Draft(
            method=request.method,
            uri=uri,
            via=endpoint.via(destination.transport),
            branch=endpoint.branch(),
            from_=f"{request.from_};tag={self._tag}",
            to=str(request.to),
            call_id=self._call_id,
            cseq=self._cseq,
            routes=route_lines(request.routes),
            headers=lines,
            body=request.body,
            destination=destination,
            flow=request.flow,
        )
        self._transaction = ClientTransaction(endpoint, draft, self)
        self._transaction.start()
        if self._attempt + 1 < len(self._destinations):
            self._transaction.hurry()

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        if transaction is not self._transaction or response.status < 200:
            return
        digest = self._digest
        if digest is not None:
            if response.status not in (401, 407):
                digest.accepted()
            elif digest.challenged(response.headers):
                self._cseq += 1
                self.send()
                return
        if response.status == 503 and self._next_destination(RefusalCause.RESPONSE):
            return
        self._endpoint.events.append(RequestCompleted(self.number, response, RefusalCause.RESPONSE))

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        if transaction is self._transaction and not self._next_destination(cause):
            self._endpoint.events.append(RequestCompleted(self.number, None, cause))

    def _next_destination(self, cause: RefusalCause) -> bool:
        transaction = self._transaction
        assert transaction is not None
        self._endpoint.events.append(DestinationFailed(transaction.draft.destination, cause))
        if self._attempt + 1 >= len(self._destinations):
            return False
        self._attempt += 1
        self.send()
        return True

    def _destination(self) -> Destination:
        request = self._request
        if self._destinations:
            return self._destinations[self._attempt]
        flow = request.flow
        if flow is not None:
            return Destination(flow.transport, flow.remote.host, flow.remote.port)
        hop = request.routes[0].uri if request.routes else request.target
        there = destination_of(hop, Transport.UDP)
        if there is None:
            raise LocalProtocolError("the target names no host, and there is no route to it")
        return there
