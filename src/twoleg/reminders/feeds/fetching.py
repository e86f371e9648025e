"""Fetching a calendar over HTTP, from addresses that are allowed, and within bounds."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import httpx

from twoleg import __version__
from twoleg.events.addresses import AddressPolicy, InvalidUrl

TIMEOUT_SECONDS: Final = 30.0
"""How long all of it may take: names, connections, redirects and the calendar itself."""

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_REDIRECTS: Final = 5
MAX_ADDRESSES: Final = 3
"""Addresses of one name that are tried."""

_NOT_MODIFIED: Final = 304
_HEADERS: Final = {"User-Agent": f"twoleg/{__version__}", "Accept": "text/calendar, */*;q=0.1"}


class CannotFetch(Exception):
    """There is no calendar to be had; `message` says why, and names no URL."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server said of the version that it sent (RFC 9110 8.8)."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """Ask for another version than that (RFC 9110 13.1)."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A calendar. `data` None: it is the version that was known."""

    data: bytes | None
    validators: Validators


class Fetcher:
    """Fetches calendars. Whatever a server does, CannotFetch is all that is raised."""

    def __init__(self, client: httpx.AsyncClient, policy: AddressPolicy) -> None:
        self._client = client
        self._policy = policy

    @classmethod
    @asynccontextmanager
    async def open(
        cls, policy: AddressPolicy, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Fetcher]:
        """Have a fetcher; `tls` None: the system's certificate authorities are trusted."""
        # A connection belongs to the name that it was opened for: none is kept for another.
        async with httpx.AsyncClient(
            verify=tls or ssl.create_default_context(),
            timeout=TIMEOUT_SECONDS,
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
            headers=_HEADERS,
        ) as client:
            yield cls(client, policy)

    async def fetch(self, url: str, known: Validators) -> Fetched:
        """Fetch what is at `url`, unless it is what is `known`. Raises CannotFetch."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._follow(url, known)
        except TimeoutError:
            raise CannotFetch(f"No calendar came within {TIMEOUT_SECONDS:g} s.") from None
        except InvalidUrl as error:
            raise CannotFetch(f"The URL {error}.") from error
        # ValueError: joining URLs and looking names up raise it for what is neither.
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise CannotFetch(_in_words(error)) from error

    async def _follow(self, url: str, known: Validators) -> Fetched:
        for _ in range(MAX_REDIRECTS + 1):
            url = self._policy.check(url)
            found = await self._get(url, known)
            if isinstance(found, Fetched):
                return found
            url = urljoin(url, found)
        raise CannotFetch(f"The URL leads on more than {MAX_REDIRECTS} times.")

    async def _get(self, url: str, known: Validators) -> Fetched | str:
        """Return the calendar, or where it is said to be."""
        response = await self._connect(url, known)
        try:
            if response.status_code == _NOT_MODIFIED:
                return Fetched(None, known)
            if response.has_redirect_location:
                return response.headers["Location"]
            if not response.is_success:
                raise CannotFetch(f"The server answers {response.status_code}.")
            data = bytearray()
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise CannotFetch(f"The calendar is larger than {MAX_BYTES >> 20} MB.")
            return Fetched(bytes(data), _validators(response.headers))
        finally:
            await response.aclose()

    async def _connect(self, url: str, known: Validators) -> httpx.Response:
        """Ask an address that the name has and the policy allows.

        What is judged is what is connected to, so that a name cannot change in between. TLS goes
        on naming the host, and checks its certificate.
        """
        there = httpx.URL(url)
        port = there.port or (443 if there.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(there.host, port)
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        allowed = [each for each in addresses if self._policy.allows(each)][:MAX_ADDRESSES]
        if not allowed:
            raise CannotFetch("The host has no public address.")
        headers = {"Host": there.netloc.decode("ascii"), **known.headers()}
        for address in allowed:
            request = self._client.build_request(
                "GET",
                there.copy_with(host=address),
                headers=headers,
                extensions={"sni_hostname": there.host},
            )
            try:
                return await self._client.send(request, stream=True)
            except httpx.ConnectError:
                if address == allowed[-1]:
                    raise
        raise AssertionError("the last address returns or raises")


def _validators(headers: httpx.Headers) -> Validators:
    """Return what can be said back to the server: a header that we send is ASCII."""
    told = (headers.get("ETag"), headers.get("Last-Modified"))
    etag, last_modified = (each if each and each.isascii() else None for each in told)
    return Validators(etag, last_modified)


def _in_words(error: Exception) -> str:
    """Say what went wrong, without the URL, which is a secret of the account's."""
    if isinstance(error, httpx.ConnectError):
        cause = error.__cause__ or error.__context__
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return f"The certificate is not good: {cause.verify_message}."
            cause = cause.__cause__ or cause.__context__
        return "No connection."
    if isinstance(error, httpx.TimeoutException):
        return f"No calendar came within {TIMEOUT_SECONDS:g} s."
    if isinstance(error, httpx.InvalidURL) or type(error) is ValueError:
        return "The server leads on to what is no URL."
    if isinstance(error, httpx.HTTPError):
        return "The server broke the reply off."
    return "The host's name is not known."
