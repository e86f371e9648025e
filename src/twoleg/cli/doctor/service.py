"""Checks of the running service, and of its trunks as its engine sees them by OPTIONS."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx

from twoleg.cli.client import Client, Json, RequestRefused, ServiceUnreachable
from twoleg.cli.doctor.finding import Finding, fail, ok, warn
from twoleg.cli.doctor.network import EVERY_ADDRESS
from twoleg.settings import ListenAddress, Settings

HEALTH_SECONDS = 3.0
MOST_TRUNKS = 200
GOOD_STATES = frozenset({"registered", "reachable"})
NOT_YET_STATES = frozenset({"unknown", "registering"})


def is_running(settings: Settings) -> bool:
    """Say whether an api of twoleg answers at the configured address."""
    try:
        response = httpx.get(f"{_url(settings.http)}/api/v1/health", timeout=HEALTH_SECONDS)
    except httpx.HTTPError:
        return False
    kind: str = response.headers.get("content-type", "")
    return kind.startswith("application/json")


def check_service(settings: Settings, *, running: bool) -> Iterator[Finding]:
    """Ask the service how its trunks are."""
    if not running:
        yield warn("service", f"nothing answers at {settings.http}", "start `twoleg serve`")
        return
    yield _readiness(settings)
    if not os.environ.get("TWOLEG_TOKEN"):
        yield warn("trunks", "not looked at", "set TWOLEG_TOKEN to a token of the account")
        return
    try:
        with Client(_url(settings.http)) as client:
            trunks = list(client.pages("/trunks", MOST_TRUNKS))
    except (RequestRefused, ServiceUnreachable) as error:
        yield fail("trunks", f"cannot be listed: {error}", "check TWOLEG_TOKEN and the api's log")
        return
    if not trunks:
        yield warn(
            "trunks",
            "there is none: only registered phones can be rung",
            "make one: `twoleg trunks create name=Carrier host=...`",
        )
    for trunk in trunks:
        yield _trunk(trunk)


def _readiness(settings: Settings) -> Finding:
    subject = "service"
    try:
        reply = httpx.get(f"{_url(settings.http)}/api/v1/health/ready", timeout=HEALTH_SECONDS)
        state: Json = reply.json()
    except (httpx.HTTPError, ValueError):
        return fail(subject, f"does not say at {settings.http} how it is", "look at its log")
    if state.get("database") != "ok":
        return fail(subject, "its database does not answer it", "start the database")
    if not state.get("engines"):
        return fail(subject, "no engine runs: calls wait", "start `twoleg engine`, or `serve`")
    return ok(subject, f"answers at {settings.http}, with {state['engines']} engine(s)")


def _trunk(trunk: Json) -> Finding:
    subject = f"trunk {trunk['name']}"
    state: str = trunk["state"]
    detail = f"{state} {trunk.get('state_detail') or ''}".strip()
    if state in GOOD_STATES:
        return ok(subject, detail)
    if state in NOT_YET_STATES:
        return warn(subject, f"{detail}: no answer of it is known yet", "look again in a minute")
    return fail(
        subject,
        f"{detail}: {trunk['host']} does not answer as it should",
        "check its host, port, transport, user name and password, and the firewall for SIP",
    )


def _url(address: ListenAddress) -> str:
    host = EVERY_ADDRESS.get(address.host, address.host)
    return f"http://{ListenAddress(host, address.port)}"
