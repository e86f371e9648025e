"""Sending one signed message by HTTP, to addresses that are allowed, and within bounds."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from twoleg import __version__
from twoleg.events.addresses import AddressPolicy, InvalidUrl
from twoleg.events.delivery.connection import Connection, ConnectionBroken, Head
from twoleg.events.delivery.names import Names

TIMEOUT_SECONDS: Final = 10.0
"""How long a receiver may take for all of it: name, connection, TLS and reply."""

MAX_ADDRESSES: Final = 3
"""Addresses of one name that are tried."""

KEEP_ALIVE_SECONDS: Final = 30.0
_SUCCESS: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
_GONE: Final = 410
_BUSY: Final = (429, 503)
_HEADERS: Final = (
    "Content-Type: application/json",
    f"User-Agent: twoleg/{__version__}",
    "Accept: */*",
)


class AddressNotAllowed(Exception):
    """A name led to no address that may be connected to."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: `headers` beside those that every message has."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """How a receiver took a message. `status` is None where there was no reply at all."""

    status: int | None
    error: str | None = None
    """Why it was not taken, for people."""

    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        return self.status in _SUCCESS

    @property
    def gone(self) -> bool:
        """The receiver wants nothing any more."""
        return self.status == _GONE

    @property
    def answered(self) -> bool:
        return self.status is not None


class Poster:
    """The connections to one receiver. Close it when done."""

    def __init__(self, policy: AddressPolicy, tls: ssl.SSLContext, names: Names) -> None:
        self._policy = policy
        self._tls = tls
        self._names = names
        self._idle: dict[_Origin, list[Connection]] = {}

    def close(self) -> None:
        """Close what is idle; a connection in use is closed by its exchange."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def post(self, request: Request) -> Reply:
        """Send `request`. Whatever a receiver does is a reply; nothing is raised.

        Redirects are not followed: where a message goes is what its owner wrote down.
        """
        try:
            url = self._policy.check(request.url)
        except InvalidUrl as error:
            return Reply(None, f"the URL {error}")
        origin, text = _written(url, request)
        heard: list[Connection] = []
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                head = await self._exchange(origin, text, heard)
        except TimeoutError:
            late = heard[-1].head if heard else None
            if late is None:
                return Reply(None, f"no reply within {TIMEOUT_SECONDS:g} s")
            head = late
        except ConnectionBroken as error:
            return Reply(None, str(error))
        except AddressNotAllowed:
            return Reply(None, "the host has no public address")
        except ssl.SSLCertVerificationError as error:
            return Reply(None, f"the certificate is not good: {error.verify_message}")
        except ssl.SSLError as error:
            return Reply(None, f"no connection: TLS: {error.reason or 'broken off'}")
        except (OSError, UnicodeError):
            return Reply(None, "no connection")
        retry_after = head.retry_after if head.status in _BUSY else None
        return Reply(head.status, _refusal(head.status), retry_after)

    async def _exchange(self, origin: _Origin, text: bytes, heard: list[Connection]) -> Head:
        """Send `text` over a connection that is kept, or a new one, which `heard` then holds."""
        while True:
            connection = self._kept(origin) or await self._connect(origin)
            heard.append(connection)
            try:
                head = await connection.exchange(text)
            except ConnectionBroken as broken:
                connection.close()
                # The far end may close what it kept just as we use it again.
                if not (broken.unheard and connection.used):
                    raise
            else:
                if connection.open:
                    connection.idle_since = asyncio.get_running_loop().time()
                    self._idle.setdefault(origin, []).append(connection)
                return head

    def _kept(self, origin: _Origin) -> Connection | None:
        connections = self._idle.get(origin, [])
        oldest = asyncio.get_running_loop().time() - KEEP_ALIVE_SECONDS
        while connections:
            connection = connections.pop()
            if connection.open and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    async def _connect(self, origin: _Origin) -> Connection:
        """Look the host up, and connect to an address of it that the policy allows.

        What is judged is what is connected to, so that a name cannot change in between. TLS goes
        on naming the host, and checks its certificate.
        """
        addresses = await self._names.addresses(origin.host)
        allowed = [address for address in addresses if self._policy.allows(address)]
        if not allowed:
            raise AddressNotAllowed
        *others, last = allowed[:MAX_ADDRESSES]
        for address in others:
            try:
                return await self._connect_to(address, origin)
            except OSError:
                continue
        return await self._connect_to(last, origin)

    async def _connect_to(self, address: str, origin: _Origin) -> Connection:
        loop = asyncio.get_running_loop()
        tls = self._tls if origin.tls else None
        name = origin.host if origin.tls else None
        _, connection = await loop.create_connection(
            Connection, address, origin.port, ssl=tls, server_hostname=name
        )
        return connection


@dataclass(frozen=True, slots=True)
class _Origin:
    tls: bool
    host: str
    port: int


def _written(url: str, request: Request) -> tuple[_Origin, bytes]:
    """Return where `request` goes and how it is written; `url` was checked."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    origin = _Origin(tls, parts.hostname or "", parts.port or (443 if tls else 80))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        *_HEADERS,
        *(f"{name}: {value}" for name, value in request.headers),
        f"Content-Length: {len(request.body)}",
    ]
    return origin, "\r\n".join(lines).encode() + b"\r\n\r\n" + request.body


def _refusal(status: int) -> str | None:
    if status in _SUCCESS:
        return None
    if status in _REDIRECT:
        return f"answered {status}: redirects are not followed"
    return f"answered {status}"
