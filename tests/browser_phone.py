"""A phone as a web page has it: SIP over a WebSocket of the `websockets` library (RFC 7118)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

from twoleg.sip import Credentials, DigestClient, Request, Response, parse_message

SECONDS: Final = 30


class BrowserPhone:
    """One page's phone: it has no address of its own, and can be reached by its connection only."""

    def __init__(self, socket: ClientConnection, username: str, domain: str) -> None:
        self.socket = socket
        self.name = f"<sip:{username}@{domain}>"
        self.contact = f"<sip:{secrets.token_hex(4)}@{secrets.token_hex(6)}.invalid;transport=ws>"
        self.via = f"SIP/2.0/WS {secrets.token_hex(6)}.invalid"
        self.domain = domain
        self.encode: Callable[[str], str | bytes] = str
        """How messages are sent: as text, or as `str.encode` does."""

    async def send(self, first: str, *lines: str, body: str = "") -> None:
        """Send a message."""
        kind = ("Content-Type: application/sdp",) if body else ()
        await self.socket.send(self.encode("\r\n".join([first, *lines, *kind, "", body])))

    async def receive(self) -> Any:
        """Give the next message."""
        async with asyncio.timeout(SECONDS):
            data = await self.socket.recv()
        return parse_message(data.encode() if isinstance(data, str) else data)

    async def register(self, password: str) -> Response:
        """Register with digest; give the last response."""
        uri, call_id = f"sip:{self.domain}", secrets.token_hex(8)
        username = self.name.partition(":")[2].partition("@")[0]
        digest = DigestClient(Credentials(username, password), secrets.token_hex)
        for number in (1, 2):
            headers = [f"{name}: {value}" for name, value in digest.headers("REGISTER", uri)]
            await self.send(
                f"REGISTER {uri} SIP/2.0",
                f"Via: {self.via};branch=z9hG4bK{secrets.token_hex(6)}",
                "Max-Forwards: 70",
                f"From: {self.name};tag={secrets.token_hex(4)}",
                f"To: {self.name}",
                f"Call-ID: {call_id}",
                f"CSeq: {number} REGISTER",
                f"Contact: {self.contact};expires=60",
                *headers,
            )
            response = await self.receive()
            if response.status != 401 or not digest.challenged(response.headers):
                break
        return response

    async def reply(self, request: Request, status: str, body: str = "") -> None:
        """Answer a request."""
        copied = [
            f"{name}: {value}"
            for name in ("Via", "From", "Call-ID", "CSeq")
            for value in request.headers.get_all(name)
        ]
        tag = "" if request.to.tag else ";tag=page"
        to = f"To: {request.headers.get('To')}{tag}"
        await self.send(f"SIP/2.0 {status}", *copied, to, f"Contact: {self.contact}", body=body)

    async def hang_up(self, invite: Request) -> None:
        """Send the BYE of a call that came with `invite`."""
        contact = invite.headers.get("Contact")
        assert contact is not None
        await self.send(
            f"BYE {contact.strip('<>')} SIP/2.0",
            f"Via: {self.via};branch=z9hG4bK{secrets.token_hex(6)}",
            "Max-Forwards: 70",
            f"From: {invite.headers.get('To')};tag=page",
            f"To: {invite.headers.get('From')}",
            f"Call-ID: {invite.call_id}",
            "CSeq: 1 BYE",
        )


@asynccontextmanager
async def browser_phone(
    url: str, username: str, domain: str = "twoleg.example", **options: Any
) -> AsyncIterator[BrowserPhone]:
    """Open the connection of a page's phone, for as long as the page is there."""
    async with connect(url, subprotocols=["sip"], **options) as socket:
        yield BrowserPhone(socket, username, domain)
