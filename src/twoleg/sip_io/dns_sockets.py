"""The sockets by which name servers are asked, whole or not there at all."""

import asyncio
import socket
from collections.abc import Awaitable
from typing import Any

import dns.asyncbackend


class DnsSockets(dns.asyncbackend.Backend):  # type: ignore[misc, name-defined]
    """The asyncio backend of dnspython, whose datagram sockets are made to the end.

    uvloop 0.23 loses one whose making is cancelled, and waits for it for ever when the loop is
    closed. Making one is a matter of a turn or two of the loop.
    """

    def __init__(self) -> None:
        self._asyncio: Any = dns.asyncbackend.get_backend("asyncio")

    def name(self) -> str:
        return "asyncio"

    async def make_socket(self, af: Any, socktype: Any, *args: Any, **kwargs: Any) -> Any:
        making = self._asyncio.make_socket(af, socktype, *args, **kwargs)
        if socktype != socket.SOCK_DGRAM:
            return await making
        task = asyncio.ensure_future(making)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await (await task).close()
            raise

    def datagram_connection_required(self) -> bool:
        return bool(self._asyncio.datagram_connection_required())

    async def sleep(self, interval: float) -> None:
        await self._asyncio.sleep(interval)

    def get_transport_class(self) -> Any:
        return self._asyncio.get_transport_class()

    async def wait_for(self, awaitable: Awaitable[Any], timeout: float | None) -> Any:
        return await self._asyncio.wait_for(awaitable, timeout)
