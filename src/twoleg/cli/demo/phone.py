"""A simulated phone in a process of its own, made of twoleg's SIP and media like any phone.

Reads a `PhoneScript` from the first line of its standard input, and ends when that is closed;
prints a `Report` a line.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop

from twoleg.calls.leg_media import LegMedia
from twoleg.cli.demo.meter import ToneMeter
from twoleg.cli.demo.reports import Happening, PhoneScript, Report
from twoleg.cli.demo.script import LOOPBACK, RTP_PORTS
from twoleg.cli.stopping import stop_requested
from twoleg.media import Codec, EmbeddedPlane, MediaPort, steady
from twoleg.settings import ListenAddress
from twoleg.sip import (
    Credentials,
    Registration,
    RegistrationConfig,
    RegistrationState,
    SipUri,
    Transport,
)
from twoleg.sip_io import IncomingCall, KnownAddresses, Listen, Phone, PhoneConfig, registered

TONE_MILLISECONDS = 1000
PATIENCE_SECONDS = 5.0
"""How long one that hangs up waits to hear the other side first."""


def report(happening: Happening, **facts: Any) -> None:
    """Tell the demo."""
    sys.stdout.write(Report(happening, facts).to_line())
    sys.stdout.flush()


async def run(script: PhoneScript) -> None:
    """Be a phone until told to stop."""
    settings = PhoneConfig(
        listen=(Listen(Transport.UDP, LOOPBACK, 0),),
        user_agent="twoleg demo phone",
        accept_calls=True,
    )
    async with (
        stop_requested(supervised=True) as stop,
        EmbeddedPlane.open(host=LOOPBACK, ports=RTP_PORTS) as plane,
        Phone.open(settings, KnownAddresses({LOOPBACK})) as phone,
    ):
        _, address = phone.addresses[0]
        report(Happening.LISTENING, port=address.port)
        if script.registrar is None:
            await _serve_until(stop, phone, plane, script)
        else:
            config = _registration(address.port, script)
            async with registered(phone, config, _report_registration):
                await _serve_until(stop, phone, plane, script)


async def _serve_until(
    stop: asyncio.Event, phone: Phone, plane: EmbeddedPlane, script: PhoneScript
) -> None:
    serving = asyncio.create_task(_serve(phone, plane, script))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        serving.cancel()
        stopping.cancel()
        await asyncio.gather(serving, stopping, return_exceptions=True)


def _registration(port: int, script: PhoneScript) -> RegistrationConfig:
    assert script.registrar is not None
    registrar = ListenAddress.parse(script.registrar)
    user = script.username or ""
    return RegistrationConfig(
        registrar=SipUri("sip", None, None, registrar.host, registrar.port),
        address_of_record=SipUri("sip", user, None, registrar.host, registrar.port),
        contact=SipUri("sip", user, None, LOOPBACK, port),
        credentials=Credentials(user, script.password or ""),
    )


def _report_registration(registration: Registration) -> None:
    if registration.state is RegistrationState.REGISTERED:
        report(Happening.REGISTERED)
    elif registration.failure is not None:
        report(Happening.REFUSED, status=registration.failure.status)


async def _serve(phone: Phone, plane: EmbeddedPlane, script: PhoneScript) -> None:
    async for call in phone.incoming():
        async with plane.open_port() as port:
            await _take(call, port, script)


async def _take(call: IncomingCall, port: MediaPort, script: PhoneScript) -> None:
    heard = asyncio.Event()

    def on_heard() -> None:
        report(Happening.HEARS, hertz=script.expected_hz)
        heard.set()

    meter = ToneMeter(script.expected_hz, script.tone_hz, on_heard)
    session = LegMedia(port, (Codec.PCMU,))
    over = asyncio.ensure_future(call.ended())
    try:
        report(Happening.RINGS, caller=str(call.request.from_.uri))
        call.ring()
        await asyncio.wait({over}, timeout=script.ring_seconds)
        if not over.done():
            port.tap(meter.receive)
            call.accept(session.answer_offer(call.offer), session)
            port.play(steady((script.tone_hz,), TONE_MILLISECONDS), loop=True)
            report(Happening.ANSWERS, tone_hz=script.tone_hz)
            await _talk(call, over, heard, script.talk_seconds)
    finally:
        over.cancel()
        call.hang_up()
        report(Happening.ENDED, level=meter.level, seconds=meter.seconds)


async def _talk(
    call: IncomingCall,
    over: asyncio.Future[Any],
    heard: asyncio.Event,
    talk_seconds: float | None,
) -> None:
    """Stay until the far end hangs up, or for `talk_seconds` after it was first heard."""
    if talk_seconds is not None:
        hearing = asyncio.ensure_future(heard.wait())
        await asyncio.wait(
            {over, hearing}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        hearing.cancel()
        await asyncio.wait({over}, timeout=talk_seconds)
        if not over.done():
            report(Happening.HANGS_UP)
            call.hang_up()
    await asyncio.wait({over})


if __name__ == "__main__":
    uvloop.run(run(PhoneScript.from_line(sys.stdin.readline())))
