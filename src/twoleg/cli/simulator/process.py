"""The simulator's process: a phone of its own that answers as the number called does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Self

import structlog

from twoleg.cli.listening import AddressUnusable
from twoleg.cli.simulator.far_end import FarEnd
from twoleg.cli.simulator.furnishing import furnish
from twoleg.cli.simulator.numbers import Behaviour, Sounds, behaviour_of
from twoleg.cli.stopping import stop_requested
from twoleg.media import EmbeddedPlane, NoPortsLeft
from twoleg.settings import ListenAddress, Settings
from twoleg.sip import SessionRejected, SipUri, Transport
from twoleg.sip_io import AddressInUse, IncomingCall, KnownAddresses, Listen, Phone, PhoneConfig
from twoleg.store import Database

MAX_CALLS: Final = 2000
OVERLOADED: Final = 503

log = structlog.get_logger(__name__)


class Simulator:
    """Takes calls at one address. Made by `Simulator.open`."""

    def __init__(self, phone: Phone, plane: EmbeddedPlane) -> None:
        self._phone = phone
        self._plane = plane
        self._sounds = Sounds.make()
        self._calls: set[asyncio.Task[None]] = set()
        self._times_called: Counter[Behaviour] = Counter()

    @classmethod
    @asynccontextmanager
    async def open(cls, listen: ListenAddress, rtp_ports: range) -> AsyncIterator[Self]:
        """Take calls until the block is left, which ends them. Raises AddressInUse."""
        transports = (Transport.UDP, Transport.TCP)
        config = PhoneConfig(
            listen=tuple(Listen(each, listen.host, listen.port) for each in transports),
            user_agent="twoleg simulator",
            accept_calls=True,
            max_incoming=MAX_CALLS,
        )
        async with (
            EmbeddedPlane.open(host=listen.host, ports=rtp_ports) as plane,
            Phone.open(config, KnownAddresses({listen.host})) as phone,
        ):
            simulator = cls(phone, plane)
            taking = asyncio.create_task(simulator._take_calls())
            try:
                yield simulator
            finally:
                ending = (taking, *simulator._calls)
                for task in ending:
                    task.cancel()
                await asyncio.gather(*ending, return_exceptions=True)

    @property
    def address(self) -> ListenAddress:
        """Where SIP is listened on, as bound."""
        _, address = self._phone.addresses[0]
        return ListenAddress(address.host, address.port)

    async def _take_calls(self) -> None:
        async for call in self._phone.incoming():
            task = asyncio.create_task(self._take(call))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _take(self, call: IncomingCall) -> None:
        """Behave as the number called does, until the caller hangs up or it has done all."""
        uri = call.request.uri
        user = uri.user if isinstance(uri, SipUri) else None
        behaviour = behaviour_of(user)
        self._times_called[behaviour] += 1
        try:
            async with self._plane.open_port() as port:
                far_end = FarEnd(call, port, self._times_called[behaviour])
                behaving = asyncio.ensure_future(behaviour(far_end, self._sounds))
                over = asyncio.ensure_future(call.ended())
                try:
                    await asyncio.wait({behaving, over}, return_when=asyncio.FIRST_COMPLETED)
                    if behaving.done():
                        behaving.result()
                finally:
                    call.hang_up()
                    behaving.cancel()
                    over.cancel()
                    await asyncio.gather(behaving, over, return_exceptions=True)
        except (NoPortsLeft, OSError):
            call.reject(OVERLOADED)
        except SessionRejected:
            log.warning("an offer could not be answered", call_id=call.request.call_id)
        except Exception:
            # One call's mishap must not end the others.
            log.exception("a simulated call broke off", call_id=call.request.call_id)


async def run(settings: Settings, url: str, *, supervised: bool) -> None:
    """Be the simulator, and the account's trunk to it. Raises AddressUnusable."""
    ports = settings.simulator_rtp_ports
    async with stop_requested(supervised=supervised) as stop:
        try:
            async with (
                Database.open(url) as database,
                Simulator.open(settings.simulator_sip, range(ports.low, ports.high + 1)) as here,
            ):
                await furnish(database, here.address)
                print(f"ready sip:{here.address}", flush=True)  # noqa: T201
                await stop.wait()
        except AddressInUse as error:
            raise AddressUnusable(
                "simulator_sip", error.address, error.__cause__ or error
            ) from error
