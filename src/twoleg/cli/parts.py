"""`twoleg api`, `engine`, `worker` and `simulator`: the parts, each alone.

Each imports its process when it runs: none carries the memory and start-up time of the others.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Protocol

import structlog
import typer
import uvloop

from twoleg.cli.database import explained, running_database_url
from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.listening import AddressUnusable
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
from twoleg.settings import Settings
from twoleg.speech import UnusableVoice
from twoleg.store import schema


class Part(Protocol):
    """A process's main coroutine: it prints `ready ...`, and returns after it was told to stop."""

    def __call__(
        self, settings: Settings, url: str, *, supervised: bool
    ) -> Coroutine[None, None, None]: ...


def api(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    http: Http = None,
    trusted_proxies: TrustedProxies = None,
    webhooks_allow_private: WebhooksAllowPrivate = None,
    recordings_url: RecordingsUrl = None,
    recordings_endpoint: RecordingsEndpoint = None,
    recordings_region: RecordingsRegion = None,
    recordings_access_key: RecordingsAccessKey = None,
    recordings_secret_key: RecordingsSecretKey = None,
    recording_link_seconds: RecordingLinkSeconds = None,
    piper_voices: PiperVoices = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
    supervised: Supervised = False,
) -> None:
    """Take requests in over HTTP."""
    from twoleg.cli import api_process

    settings = settings_from(
        data_dir=data_dir, database_url=database_url, http=http,
        trusted_proxies=trusted_proxies, webhooks_allow_private=webhooks_allow_private,
        recordings_url=recordings_url, recordings_endpoint=recordings_endpoint,
        recordings_region=recordings_region, recordings_access_key=recordings_access_key,
        recordings_secret_key=recordings_secret_key, recording_link_seconds=recording_link_seconds,
        piper_voices=piper_voices,
        log_format=log_format, log_level=log_level,
    )  # fmt: skip
    _run("api", api_process.run, settings, supervised)


def engine(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
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
    max_calls: MaxCalls = None,
    max_queued_seconds: MaxQueuedSeconds = None,
    silent_seconds: SilentSeconds = None,
    drain_seconds: DrainSeconds = None,
    recordings_url: RecordingsUrl = None,
    recordings_endpoint: RecordingsEndpoint = None,
    recordings_region: RecordingsRegion = None,
    recordings_access_key: RecordingsAccessKey = None,
    recordings_secret_key: RecordingsSecretKey = None,
    piper_voices: PiperVoices = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
    supervised: Supervised = False,
) -> None:
    """Place calls over SIP and RTP."""
    from twoleg.cli import engine_process

    settings = settings_from(
        data_dir=data_dir, database_url=database_url, sip=sip, sip_tls=sip_tls,
        sip_ws=sip_ws, sip_wss=sip_wss, sip_ws_origins=sip_ws_origins,
        tls_certificate=tls_certificate, tls_key=tls_key, tls_authorities=tls_authorities,
        public_address=public_address, rtp_ports=rtp_ports, rtpengine=rtpengine,
        max_calls=max_calls,
        max_queued_seconds=max_queued_seconds, silent_seconds=silent_seconds,
        drain_seconds=drain_seconds,
        recordings_url=recordings_url, recordings_endpoint=recordings_endpoint,
        recordings_region=recordings_region, recordings_access_key=recordings_access_key,
        recordings_secret_key=recordings_secret_key,
        piper_voices=piper_voices,
        log_format=log_format, log_level=log_level,
    )  # fmt: skip
    _run("engine", engine_process.run, settings, supervised)


def worker(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    reminder_minute_seconds: ReminderMinuteSeconds = None,
    record_days: RecordDays = None,
    webhooks_allow_private: WebhooksAllowPrivate = None,
    delivery_days: DeliveryDays = None,
    recordings_url: RecordingsUrl = None,
    recordings_endpoint: RecordingsEndpoint = None,
    recordings_region: RecordingsRegion = None,
    recordings_access_key: RecordingsAccessKey = None,
    recordings_secret_key: RecordingsSecretKey = None,
    recording_days: RecordingDays = None,
    piper_voices: PiperVoices = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
    supervised: Supervised = False,
) -> None:
    """Do the jobs that may wait."""
    from twoleg.cli import worker_process

    settings = settings_from(
        data_dir=data_dir, database_url=database_url,
        reminder_minute_seconds=reminder_minute_seconds, record_days=record_days,
        webhooks_allow_private=webhooks_allow_private, delivery_days=delivery_days,
        recordings_url=recordings_url, recordings_endpoint=recordings_endpoint,
        recordings_region=recordings_region, recordings_access_key=recordings_access_key,
        recordings_secret_key=recordings_secret_key, recording_days=recording_days,
        piper_voices=piper_voices,
        log_format=log_format, log_level=log_level,
    )  # fmt: skip
    _run("worker", worker_process.run, settings, supervised)


def simulator(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    simulator_sip: SimulatorSip = None,
    simulator_rtp_ports: SimulatorRtpPorts = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
    supervised: Supervised = False,
) -> None:
    """Be a trunk whose numbers behave in fixed ways, to try calls without a carrier."""
    from twoleg.cli.simulator import process

    settings = settings_from(
        data_dir=data_dir, database_url=database_url, simulator_sip=simulator_sip,
        simulator_rtp_ports=simulator_rtp_ports, log_format=log_format, log_level=log_level,
    )  # fmt: skip
    _run("simulator", process.run, settings, supervised)


def _run(name: str, part: Part, settings: Settings, supervised: bool) -> None:
    structlog.contextvars.bind_contextvars(part=name)
    with explained():
        url = running_database_url(settings)
        schema.check(url)
        try:
            uvloop.run(part(settings, url, supervised=supervised))
        except (AddressUnusable, UnusableVoice) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(ExitCode.CONFIG) from error
