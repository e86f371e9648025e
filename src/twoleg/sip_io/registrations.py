"""Staying registered with a trunk: the requests and the waiting of `sip.Registration`."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from twoleg.sip import RefusalCause, Registration, RegistrationConfig, Response
from twoleg.sip_io.errors import PhoneClosed, RequestFailed
from twoleg.sip_io.resolver import UnresolvedHost

if TYPE_CHECKING:
    from twoleg.sip_io.phone import Phone

DEREGISTER_SECONDS: Final = 2.0
"""How long the end waits for the registrar."""

CALL_ID_BYTES: Final = 12

_log = logging.getLogger(__name__)


@asynccontextmanager
async def registered(
    phone: Phone,
    config: RegistrationConfig,
    on_change: Callable[[Registration], None] = lambda _: None,
) -> AsyncIterator[Registration]:
    """Register, and stay registered until the block is left, which deregisters.

    `on_change` is called whenever the state, or the failure, may have changed.
    """
    registration = Registration(config, secrets.token_hex(CALL_ID_BYTES), random.random)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    registration.start(loop.time())
    keeping = loop.create_task(_keep(phone, registration, on_change, stopping))
    try:
        yield registration
    finally:
        registration.stop(loop.time())
        stopping.set()
        try:
            await asyncio.wait((keeping,), timeout=DEREGISTER_SECONDS)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


async def _keep(
    phone: Phone,
    registration: Registration,
    on_change: Callable[[Registration], None],
    stopping: asyncio.Event,
) -> None:
    """Send what the registration wants sent, when it wants it, until it has stopped."""
    now = asyncio.get_running_loop().time
    while not registration.stopped:
        request = registration.next_request()
        if request is None:
            if await _wait_until(registration.next_deadline(), stopping):
                continue
            registration.handle_timeout(now())
        else:
            response: Response | None = None
            cause = RefusalCause.RESPONSE
            try:
                response = await phone.request(request)
            except UnresolvedHost:
                cause = RefusalCause.TRANSPORT
            except RequestFailed as failed:
                cause = failed.cause
            except PhoneClosed:
                return
            registration.complete(response, cause, now())
        try:
            on_change(registration)
        except Exception:  # noqa: BLE001
            phone.counters.callback_errors += 1
            _log.exception("registration callback failed")


async def _wait_until(deadline: float | None, stopping: asyncio.Event) -> bool:
    """Wait for a time of the loop's clock; True if `stopping` came before it."""
    try:
        async with asyncio.timeout_at(deadline):
            await stopping.wait()
    except TimeoutError:
        return False
    return True
