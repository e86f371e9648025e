"""Options that several commands share, and the settings that they make."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.logs import configure_logs
from twoleg.settings import PREFIX, Settings, unknown_variables


def _said(name: str) -> str:
    return Settings.model_fields[name].description or ""


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Supervised = Annotated[bool, typer.Option(hidden=True)]
DataDir = Annotated[Path | None, typer.Option(help=_said("data_dir"))]
DatabaseUrl = Annotated[str | None, typer.Option(help=_said("database_url"))]
Http = Annotated[str | None, typer.Option(metavar="HOST:PORT", help=_said("http"))]
Sip = Annotated[str | None, typer.Option(metavar="HOST:PORT", help=_said("sip"))]
SipTls = Annotated[str | None, typer.Option(metavar="HOST:PORT", help=_said("sip_tls"))]
PublicAddress = Annotated[str | None, typer.Option(metavar="IP", help=_said("public_address"))]
RtpPorts = Annotated[str | None, typer.Option(metavar="LOW-HIGH", help=_said("rtp_ports"))]
TlsCertificate = Annotated[Path | None, typer.Option(help=_said("tls_certificate"))]
TlsKey = Annotated[Path | None, typer.Option(help=_said("tls_key"))]
TlsAuthorities = Annotated[Path | None, typer.Option(help=_said("tls_authorities"))]
LogFormatOption = Annotated[str | None, typer.Option("--log-format", help=_said("log_format"))]
LogLevel = Annotated[str | None, typer.Option("--log-level", help=_said("log_level"))]


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
    except SettingsError as error:
        typer.echo(str(error), err=True)
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
