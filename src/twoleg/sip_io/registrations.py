"""Staying registered with a trunk: the requests and the waiting of `sip.Registration`."""

from __future__ import annotations

import asyncio
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


@asynccontextmanager
async def registered(
    phone: Phone,
    config: RegistrationConfig,
    on_change: Callable[[Registration], None] = lambda _: None,
) -> AsyncIterator[Registration]:
    """Register, and stay registered until the block is left, which deregisters.

    `on_change` is called whenever the state, or the failure, may have changed.
    """
    registration = Registration(config, secrets.token_hex(12), random.random)
    loop = asyncio.get_running_loop()
    registration.start(loop.time())
    keeping = loop.create_task(_keep(phone, registration, on_change))
    try:
        yield registration
    finally:
        keeping.cancel()
        await asyncio.wait((keeping,))
        registration.stop(loop.time())
        request = registration.next_request()
        if request is not None:
            try:
                async with asyncio.timeout(DEREGISTER_SECONDS):
                    await phone.request(request)
            except (TimeoutError, RequestFailed, UnresolvedHost, PhoneClosed):
                pass


async def _keep(
    phone: Phone, registration: Registration, on_change: Callable[[Registration], None]
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        request = registration.next_request()
        if request is not None:
            response: Response | None = None
            cause = RefusalCause.RESPONSE
            try:
                response = await phone.request(request)
            except UnresolvedHost:
                cause = RefusalCause.TRANSPORT
            except RequestFailed as failed:
                cause = failed.cause
            registration.complete(response, cause, loop.time())
            on_change(registration)
            continue
        deadline = registration.next_deadline()
        if deadline is None:
            return
        await asyncio.sleep(max(0.0, deadline - loop.time()))
        registration.handle_timeout(loop.time())
        on_change(registration)
