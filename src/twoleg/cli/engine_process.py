"""The engine process: places calls until told to stop, then lets running ones drain."""

from __future__ import annotations

from typing import Final

from twoleg.calls.background import background
from twoleg.calls.engine import Engine, EngineConfig
from twoleg.calls.story import StorySettings
from twoleg.cli.collector import look_when_quiet, spare_what_is_loaded
from twoleg.cli.listening import AddressUnusable
from twoleg.cli.open_files import open_as_many_as_allowed
from twoleg.cli.precedence import take_precedence
from twoleg.cli.stopping import stop_requested
from twoleg.reminders.calls import reminder_call
from twoleg.settings import ListenAddress, Settings
from twoleg.sip_io import AddressInUse
from twoleg.speech import Voices

_SETTINGS: Final = {"TLS": "sip_tls", "WS": "sip_ws", "WSS": "sip_wss"}
"""What names the address of a transport; `sip` that of the others."""


async def run(settings: Settings, url: str, *, supervised: bool) -> None:
    """Place the calls that are queued in the database at `url`.

    Raises AddressUnusable and UnusableVoice.
    """
    config = _config(settings)
    open_as_many_as_allowed()
    take_precedence()
    async with stop_requested(supervised=supervised) as stop:
        try:
            async with Engine.open(config, url, reminder_call) as engine:
                spare_what_is_loaded()
                async with background(look_when_quiet(lambda: engine.running == 0)):
                    print(f"ready sip:{engine.sip_address}", flush=True)  # noqa: T201
                    await stop.wait()
                    await engine.drain(settings.drain_seconds)
        except AddressInUse as error:
            setting = _SETTINGS.get(error.transport, "sip")
            raise AddressUnusable(setting, error.address, error.__cause__ or error) from error


def _config(settings: Settings) -> EngineConfig:
    return EngineConfig(
        sip=(settings.sip.host, settings.sip.port),
        sip_tls=_pair(settings.sip_tls),
        sip_ws=_pair(settings.sip_ws),
        sip_wss=_pair(settings.sip_wss),
        websocket_origins=settings.websocket_origins,
        tls_certificate=settings.tls_certificate,
        tls_key=settings.tls_key,
        tls_authorities=settings.tls_authorities,
        public_address=settings.public_address,
        rtp_ports=range(settings.rtp_ports.low, settings.rtp_ports.high + 1),
        rtpengine=tuple(
            (node.host, node.port)
            for node in (settings.rtpengine.addresses if settings.rtpengine is not None else ())
        ),
        max_calls=settings.max_calls,
        max_queued_seconds=settings.max_queued_seconds,
        data_dir=settings.data_dir,
        objects=settings.objects,
        voices=Voices.checked(settings.piper_voices.by_language),
        story=StorySettings(silent_seconds=settings.silent_seconds or None),
    )


def _pair(listen: ListenAddress | None) -> tuple[str, int] | None:
    return None if listen is None else (listen.host, listen.port)
