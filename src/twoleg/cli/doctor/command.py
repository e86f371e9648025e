"""The command: all checks, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from twoleg.cli.doctor import certificates, machine, network, service, stored
from twoleg.cli.doctor.finding import Finding, Level, ok
from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.options import (
    AsJson,
    DatabaseUrl,
    DataDir,
    Http,
    PublicAddress,
    Rtpengine,
    RtpPorts,
    Sip,
    SipTls,
    SipWs,
    SipWss,
    TlsCertificate,
    TlsKey,
    settings_from,
)
from twoleg.cli.output import print_json
from twoleg.settings import Settings

_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


def doctor(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    http: Http = None,
    sip: Sip = None,
    sip_tls: SipTls = None,
    sip_ws: SipWs = None,
    sip_wss: SipWss = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    public_address: PublicAddress = None,
    rtp_ports: RtpPorts = None,
    rtpengine: Rtpengine = None,
    as_json: AsJson = False,
) -> None:
    """Check this installation, whether or not it runs, and say how to mend what is wrong.

    With TWOLEG_TOKEN set, the state of the account's trunks is looked at too. Ends with 1 if
    something fails; warnings alone end with 0.
    """
    settings = settings_from(
        data_dir=data_dir, database_url=database_url, http=http, sip=sip, sip_tls=sip_tls,
        sip_ws=sip_ws, sip_wss=sip_wss,
        tls_certificate=tls_certificate, tls_key=tls_key, public_address=public_address,
        rtp_ports=rtp_ports, rtpengine=rtpengine,
    )  # fmt: skip
    findings = list(examine(settings))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def examine(settings: Settings) -> Iterator[Finding]:
    """Run every check; none of them raises or changes anything."""
    running = service.is_running(settings)
    yield ok("settings", "each is known and reads well")
    yield from machine.check_data_dir(settings)
    yield from stored.check_database(settings)
    yield from network.check_ports(settings, running=running)
    yield from network.check_rtp_range(settings)
    yield from network.check_rtpengine(settings)
    yield from machine.check_open_files(settings)
    yield from network.check_public_address(settings)
    yield from certificates.check_certificates(settings)
    yield from service.check_service(settings, running=running)


def _print(findings: list[Finding]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    for finding in findings:
        detail = Text(finding.detail)
        if finding.mend:
            detail.append(f"\n{finding.mend}", style="dim")
        level = Text(finding.level, style=_STYLES[finding.level])
        table.add_row(level, finding.subject, detail)
    Console().print(table)
