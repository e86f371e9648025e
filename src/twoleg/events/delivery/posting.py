"""Sending one signed message by HTTP, to addresses that are allowed, and within bounds."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import httpcore

from twoleg import __version__
from twoleg.events.addresses import AddressPolicy, InvalidUrl

TIMEOUT_SECONDS: Final = 10.0
"""How long a receiver may take for all of it: name, connection, TLS and reply."""

MAX_READ: Final = 64 * 1024
"""Bytes of a reply's body that are read (and forgotten), so that its connection can be kept."""

MAX_ADDRESSES: Final = 3
"""Addresses of one name that are tried."""

KEEP_ALIVE_SECONDS: Final = 30.0
MAX_RETRY_AFTER_SECONDS: Final = 3600.0
_SUCCESS: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
_GONE: Final = 410
_BUSY: Final = (429, 503)


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


class AllowedNetwork(httpcore.AsyncNetworkBackend):
    """Looks a name up, and connects to an address of it that the policy allows.

    What is judged is what is connected to, so that a name cannot change in between. TLS goes on
    naming the host, and checks its certificate.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to `host`. Raises AddressNotAllowed, httpcore.ConnectError and others of it."""
        addresses = await self._allowed(host, port)
        error: Exception | None = None
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                error = refused
        assert error is not None
        raise error

    async def _allowed(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} is unknown") from error
        addresses = dict.fromkeys(str(address[0]) for *_, address in found)
        allowed = [address for address in addresses if self._policy.allows(address)]
        if not allowed:
            raise AddressNotAllowed
        return allowed[:MAX_ADDRESSES]


class Poster:
    """The connections to one receiver. Close it when done."""

    def __init__(self, policy: AddressPolicy, tls: ssl.SSLContext, max_connections: int) -> None:
        self._policy = policy
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=AllowedNetwork(policy),
        )

    async def close(self) -> None:
        await self._pool.aclose()

    async def post(self, request: Request) -> Reply:
        """Send `request`. Whatever a receiver does is a reply; nothing is raised.

        Redirects are not followed: where a message goes is what its owner wrote down.
        """
        try:
            url = self._policy.check(request.url)
        except InvalidUrl as error:
            return Reply(None, f"the URL {error}")
        status: int | None = None
        retry_after: float | None = None
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._pool.stream(
                    "POST",
                    url,
                    headers=[*_HEADERS, *request.headers, ("Host", _host(url))],
                    content=request.body,
                ) as response,
            ):
                status = response.status
                retry_after = _retry_after(response.headers) if status in _BUSY else None
                await _read_a_little(response)
        except TimeoutError:
            if status is None:
                return Reply(None, f"no reply within {TIMEOUT_SECONDS:g} s")
        except AddressNotAllowed:
            return Reply(None, "the host has no public address")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            if status is None:
                return Reply(None, _told(error))
        except (OSError, ValueError, RuntimeError) as error:
            # Bytes that no library foresaw must not stop the deliveries of others.
            if status is None:
                return Reply(None, f"no reply: {type(error).__name__}")
        assert status is not None
        return Reply(status, _refusal(status), retry_after)


_HEADERS: Final = (
    ("Content-Type", "application/json"),
    ("User-Agent", f"twoleg/{__version__}"),
    ("Accept", "*/*"),
)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].partition("?")[0]


async def _read_a_little(response: httpcore.Response) -> None:
    read = 0
    async for chunk in response.aiter_stream():
        read += len(chunk)
        if read > MAX_READ:
            return


def _refusal(status: int) -> str | None:
    if status in _SUCCESS:
        return None
    if status in _REDIRECT:
        return f"answered {status}: redirects are not followed"
    return f"answered {status}"


def _told(error: Exception) -> str:
    what = {
        httpcore.ConnectError: "no connection",
        httpcore.ConnectTimeout: "no connection in time",
        httpcore.ReadError: "the connection broke off",
        httpcore.WriteError: "the connection broke off",
        httpcore.RemoteProtocolError: "the reply is no HTTP",
    }.get(type(error), type(error).__name__)
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not good: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"{what}: TLS: {cause.reason or 'broken off'}"
    return what


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    for name, value in headers:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < len("100000"):
            return min(float(value), MAX_RETRY_AFTER_SECONDS)
    return None
