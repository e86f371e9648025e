"""`twoleg serve`: every part on one machine, with the embedded PostgreSQL unless told otherwise."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
import typer

from twoleg.cli.database import explained
from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.options import (
    DatabaseUrl,
    DataDir,
    DeliveryDays,
    DrainSeconds,
    Http,
    LogFormat,
    LogLevel,
    MaxCalls,
    MaxQueuedSeconds,
    PiperVoices,
    PublicAddress,
    RecordDays,
    RecordingDays,
    RecordingLinkSeconds,
    RecordingsAccessKey,
    RecordingsEndpoint,
    RecordingsRegion,
    RecordingsSecretKey,
    RecordingsUrl,
    ReminderMinuteSeconds,
    Rtpengine,
    RtpPorts,
    SilentSeconds,
    Simulator,
    SimulatorRtpPorts,
    SimulatorSip,
    Sip,
    SipTls,
    SipWs,
    SipWsOrigins,
    SipWss,
    Supervised,
    TlsAuthorities,
    TlsCertificate,
    TlsKey,
    TrustedProxies,
    WebhooksAllowPrivate,
    settings_from,
)
from twoleg.cli.setup import first_account
from twoleg.cli.stopping import ended_in_order, stop_requested
from twoleg.cli.supervisor import PartFailed, Supervisor
from twoleg.settings import PREFIX, Settings
from twoleg.store import EmbeddedServer, schema
from twoleg.store.errors import EmbeddedServerFailed

log = structlog.get_logger(__name__)

PARTS = ("api", "engine", "worker")
SIMULATOR = "simulator"
DATABASE_LOOK_SECONDS = 1.0
GRACE_SECONDS = 2.5
"""What a part may take to end beyond the time that running calls are given."""


def serve(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    http: Http = None,
    trusted_proxies: TrustedProxies = None,
    sip: Sip = None,
    sip_tls: SipTls = None,
    sip_ws: SipWs = None,
    sip_wss: SipWss = None,
    sip_ws_origins: SipWsOrigins = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    tls_authorities: TlsAuthorities = None,
    public_address: PublicAddress = None,
    rtp_ports: RtpPorts = None,
    rtpengine: Rtpengine = None,
    simulator: Simulator = None,
    simulator_sip: SimulatorSip = None,
    simulator_rtp_ports: SimulatorRtpPorts = None,
    max_calls: MaxCalls = None,
    max_queued_seconds: MaxQueuedSeconds = None,
    silent_seconds: SilentSeconds = None,
    drain_seconds: DrainSeconds = None,
    reminder_minute_seconds: ReminderMinuteSeconds = None,
    piper_voices: PiperVoices = None,
    record_days: RecordDays = None,
    webhooks_allow_private: WebhooksAllowPrivate = None,
    delivery_days: DeliveryDays = None,
    recordings_url: RecordingsUrl = None,
    recordings_endpoint: RecordingsEndpoint = None,
    recordings_region: RecordingsRegion = None,
    recordings_access_key: RecordingsAccessKey = None,
    recordings_secret_key: RecordingsSecretKey = None,
    recording_days: RecordingDays = None,
    recording_link_seconds: RecordingLinkSeconds = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
    supervised: Supervised = False,
) -> None:
    """Run everything on this machine.

    Prints `ready http://HOST:PORT sip:HOST:PORT` when calls can be placed. On an empty database it
    first makes an account and prints its id and token, once. Every option is also an environment
    variable, and a line `name = value` of twoleg.toml.
    """
    settings = settings_from(
        data_dir=data_dir, database_url=database_url, http=http,
        trusted_proxies=trusted_proxies, sip=sip, sip_tls=sip_tls,
        sip_ws=sip_ws, sip_wss=sip_wss, sip_ws_origins=sip_ws_origins,
        tls_certificate=tls_certificate, tls_key=tls_key, tls_authorities=tls_authorities,
        public_address=public_address, rtp_ports=rtp_ports, rtpengine=rtpengine,
        max_calls=max_calls,
        simulator=simulator, simulator_sip=simulator_sip, simulator_rtp_ports=simulator_rtp_ports,
        max_queued_seconds=max_queued_seconds, silent_seconds=silent_seconds,
        drain_seconds=drain_seconds,
        reminder_minute_seconds=reminder_minute_seconds, piper_voices=piper_voices,
        record_days=record_days,
        webhooks_allow_private=webhooks_allow_private, delivery_days=delivery_days,
        recordings_url=recordings_url, recordings_endpoint=recordings_endpoint,
        recordings_region=recordings_region, recordings_access_key=recordings_access_key,
        recordings_secret_key=recordings_secret_key, recording_days=recording_days,
        recording_link_seconds=recording_link_seconds,
        log_format=log_format, log_level=log_level,
    )  # fmt: skip
    with explained(), ended_in_order():
        if settings.database_url is not None:
            _serve(settings, settings.database_url.get_secret_value(), supervised)
        else:
            with EmbeddedServer(settings.data_dir) as server:
                _serve(settings, server.url, supervised, server)


def _serve(
    settings: Settings, url: str, supervised: bool, server: EmbeddedServer | None = None
) -> None:
    schema.upgrade(url)
    account = asyncio.run(first_account(url))
    if account is not None:
        print(f"account {account.account_id} token {account.token}", flush=True)  # noqa: T201
    try:
        asyncio.run(_supervise(settings, url, supervised, server))
    except PartFailed as failure:
        typer.echo(f"twoleg {failure.part} cannot run as it is configured; see above", err=True)
        raise typer.Exit(ExitCode.CONFIG) from failure


async def _supervise(
    settings: Settings, url: str, supervised: bool, server: EmbeddedServer | None
) -> None:
    def announce(said: Mapping[str, str]) -> dict[str, str]:
        print(f"ready {said['api']} {said['engine']}", flush=True)  # noqa: T201
        # Port 0 takes any free one: what is started again must come back to the same.
        bound = {
            f"{PREFIX}HTTP": said["api"].removeprefix("http://"),
            f"{PREFIX}SIP": said["engine"].removeprefix("sip:"),
        }
        if settings.simulator:
            bound[f"{PREFIX}SIMULATOR_SIP"] = said[SIMULATOR].removeprefix("sip:")
        return bound

    supervisor = Supervisor(
        (*PARTS, SIMULATOR) if settings.simulator else PARTS,
        environment=_environment(settings, url),
        stop_seconds=settings.drain_seconds + GRACE_SECONDS,
        on_ready=announce,
    )
    async with stop_requested(supervised=supervised) as stop, _kept_up(server):
        await supervisor.run(stop)


@asynccontextmanager
async def _kept_up(server: EmbeddedServer | None) -> AsyncIterator[None]:
    """Start the embedded server again whenever it has died, until the block is left."""
    if server is None:
        yield
        return
    keeping = asyncio.create_task(_keep_up(server))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def _keep_up(server: EmbeddedServer) -> None:
    while True:
        await asyncio.sleep(DATABASE_LOOK_SECONDS)
        # Shielded: a start that was begun is ended, so that what follows finds what it started.
        looking = asyncio.ensure_future(asyncio.to_thread(server.revive))
        try:
            if await asyncio.shield(looking):
                log.error("the database had ended by itself and was started again")
        except asyncio.CancelledError:
            await asyncio.gather(looking, return_exceptions=True)
            raise
        except EmbeddedServerFailed as error:
            # As it may while the last processes of the dead one end.
            log.warning("the database cannot be started again yet", error=str(error))


def _environment(settings: Settings, url: str) -> dict[str, str]:
    """Hand the settings down by environment: a command line is readable by everyone."""
    values = {
        name: value.value if hasattr(value, "value") else str(value)
        for name in Settings.model_fields
        if (value := getattr(settings, name)) is not None
    }
    values["database_url"] = url
    if values["log_format"] == "auto" and sys.stderr.isatty():
        values["log_format"] = "console"
    return {f"{PREFIX}{name.upper()}": value for name, value in values.items()}
