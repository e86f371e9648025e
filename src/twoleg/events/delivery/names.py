"""Looking names up, many at a time: a name that takes long must not hold others up."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final

MAX_LOOKUPS: Final = 64
"""Names that are looked up at once; the event loop's own threads are a handful."""


class Names:
    """The system's resolver, hosts file and all. Close it when done."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_LOOKUPS, thread_name_prefix="names")
        self._under_way: dict[str, asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str) -> list[str]:
        """Return the IP addresses of `host`, itself where it is one. Raises OSError, UnicodeError.

        A name that is being looked up is not looked up once more: each holds one thread at most.
        """
        try:
            ip_address(host)
        except ValueError:
            pass
        else:
            return [host]
        found = self._under_way.get(host)
        if found is None:
            loop = asyncio.get_running_loop()
            found = loop.run_in_executor(self._threads, look_up, host)
            self._under_way[host] = found
            found.add_done_callback(lambda done: self._looked_up(host, done))
        return await asyncio.shield(found)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _looked_up(self, host: str, done: asyncio.Future[list[str]]) -> None:
        del self._under_way[host]
        if not done.cancelled():
            # Whoever asked may have gone: then nobody else fetches it.
            done.exception()


def look_up(host: str) -> list[str]:
    """Return the addresses of `host`, in the system's order. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
