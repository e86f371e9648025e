"""Options that several commands share, and the settings that they make."""

from __future__ import annotations

import os
from difflib import get_close_matches
from tomllib import TOMLDecodeError
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.logs import configure_logs
from twoleg.settings import FILE, PREFIX, Settings, unknown_variables


def _option(name: str, metavar: str) -> Any:
    """Make the option of a setting: read as text, so that one place judges all sources alike."""
    field = Settings.model_fields[name]
    shown = "" if field.default is None else str(field.default)
    default = f" Default: {shown}." if shown else ""
    return typer.Option(
        f"--{name.replace('_', '-')}",
        metavar=metavar,
        envvar=f"{PREFIX}{name.upper()}",
        help=f"{field.description}{default}",
    )


def _flag(name: str) -> Any:
    """Make the option of a setting that is on or off."""
    return typer.Option(
        f"--{name.replace('_', '-')}/--no-{name.replace('_', '-')}",
        envvar=f"{PREFIX}{name.upper()}",
        help=Settings.model_fields[name].description,
    )


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Supervised = Annotated[bool, typer.Option(hidden=True)]
DataDir = Annotated[str | None, _option("data_dir", "DIR")]
DatabaseUrl = Annotated[str | None, _option("database_url", "URL")]
Http = Annotated[str | None, _option("http", "HOST:PORT")]
TrustedProxies = Annotated[str | None, _option("trusted_proxies", "ADDRESSES")]
Sip = Annotated[str | None, _option("sip", "HOST:PORT")]
SipTls = Annotated[str | None, _option("sip_tls", "HOST:PORT")]
SipWs = Annotated[str | None, _option("sip_ws", "HOST:PORT")]
SipWss = Annotated[str | None, _option("sip_wss", "HOST:PORT")]
SipWsOrigins = Annotated[str | None, _option("sip_ws_origins", "ORIGINS")]
TlsCertificate = Annotated[str | None, _option("tls_certificate", "FILE")]
TlsKey = Annotated[str | None, _option("tls_key", "FILE")]
TlsAuthorities = Annotated[str | None, _option("tls_authorities", "FILE")]
PublicAddress = Annotated[str | None, _option("public_address", "IP")]
RtpPorts = Annotated[str | None, _option("rtp_ports", "LOW-HIGH")]
Rtpengine = Annotated[str | None, _option("rtpengine", "IP:PORT,...")]
Simulator = Annotated[bool | None, _flag("simulator")]
SimulatorSip = Annotated[str | None, _option("simulator_sip", "HOST:PORT")]
SimulatorRtpPorts = Annotated[str | None, _option("simulator_rtp_ports", "LOW-HIGH")]
MaxCalls = Annotated[str | None, _option("max_calls", "COUNT")]
MaxQueuedSeconds = Annotated[str | None, _option("max_queued_seconds", "SECONDS")]
SilentSeconds = Annotated[str | None, _option("silent_seconds", "SECONDS")]
DrainSeconds = Annotated[str | None, _option("drain_seconds", "SECONDS")]
ReminderMinuteSeconds = Annotated[str | None, _option("reminder_minute_seconds", "SECONDS")]
PiperVoices = Annotated[str | None, _option("piper_voices", "LANGUAGE=FILE")]
RecordDays = Annotated[str | None, _option("record_days", "DAYS")]
RecordingsUrl = Annotated[str | None, _option("recordings_url", "URL")]
RecordingsEndpoint = Annotated[str | None, _option("recordings_endpoint", "URL")]
RecordingsRegion = Annotated[str | None, _option("recordings_region", "REGION")]
RecordingsAccessKey = Annotated[str | None, _option("recordings_access_key", "KEY")]
RecordingsSecretKey = Annotated[str | None, _option("recordings_secret_key", "KEY")]
RecordingDays = Annotated[str | None, _option("recording_days", "DAYS")]
RecordingLinkSeconds = Annotated[str | None, _option("recording_link_seconds", "SECONDS")]
WebhooksAllowPrivate = Annotated[str | None, _option("webhooks_allow_private", "true|false")]
DeliveryDays = Annotated[str | None, _option("delivery_days", "DAYS")]
LogFormat = Annotated[str | None, _option("log_format", "FORMAT")]
LogLevel = Annotated[str | None, _option("log_level", "LEVEL")]


def settings_from(**given: Any) -> Settings:
    """Make the settings from the options that were `given` (None: not) and set up the logs.

    Ends the command with exit code 78 and a line for each setting that is wrong.
    """
    unknown = unknown_variables(os.environ)
    for name in unknown:
        typer.echo(f"{name}: {_meant(name)}", err=True)
    if unknown:
        raise typer.Exit(ExitCode.CONFIG)
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"]) or "settings"
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                message = _meant(name)
            typer.echo(f"{name}: {message}", err=True)
        raise typer.Exit(ExitCode.CONFIG) from error
    except (SettingsError, TOMLDecodeError) as error:
        typer.echo(f"{FILE}: {error}", err=True)
        raise typer.Exit(ExitCode.CONFIG) from error
    configure_logs(settings.log_format, settings.log_level)
    return settings


def _meant(name: str) -> str:
    """Say that `name` is no setting, and which one may be meant."""
    known = list(Settings.model_fields)
    close = get_close_matches(name.removeprefix(PREFIX).lower(), known, n=1)
    if close:
        return f"there is no such setting; is {close[0]} meant?"
    return f"there is no such setting; there are {', '.join(known)}"
