"""One call: starts the service and two phones, has them joined, and judges what was heard."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twoleg.cli.demo.children import logged
from twoleg.cli.demo.reports import Happening, PhoneScript, Report
from twoleg.cli.demo.running import DemoFailed, within
from twoleg.cli.demo.screen import Screen
from twoleg.cli.demo.script import (
    AGENT_TONE_HZ,
    CONTACT,
    CONTACT_TONE_HZ,
    DEADLINE_SECONDS,
    LEAST_HEARD_SECONDS,
    LINE,
    RING_SECONDS,
    TALK_SECONDS,
)
from twoleg.cli.demo.service import CONTRACT_PATH, Agent, Service
from twoleg.cli.demo.simulated import SimulatedPhone
from twoleg.cli.exit_codes import ExitCode

POLL_SECONDS = 0.1

_CONTACT = PhoneScript(
    tone_hz=CONTACT_TONE_HZ,
    expected_hz=AGENT_TONE_HZ,
    ring_seconds=RING_SECONDS,
    talk_seconds=TALK_SECONDS,
)


@dataclass(frozen=True, slots=True)
class Played:
    """What came of the call: its record, and what each phone measured."""

    record: Mapping[str, Any]
    agent: Mapping[str, Any]
    contact: Mapping[str, Any]


async def play_and_judge() -> ExitCode:
    """Have one call played, and say whether it was as it must be."""
    with tempfile.TemporaryDirectory(prefix="twoleg-demo-") as directory:
        screen = Screen()
        try:
            with screen:
                played = await within(DEADLINE_SECONDS, _play(screen, Path(directory)))
        except DemoFailed as failure:
            screen.result("demo", str(failure), good=False)
            screen.quote(logged(Path(directory)))
            return ExitCode.FAILED
        return ExitCode.OK if judge(screen, played) else ExitCode.FAILED


async def _play(screen: Screen, directory: Path) -> Played:
    def show(name: str, report: Report) -> None:
        screen.happened(name, _told(report))

    screen.waiting("starting two phones and the service")
    async with (
        SimulatedPhone.start("agent", directory, show) as agent_phone,
        SimulatedPhone.start("contact", directory, show) as contact_phone,
        Service.start(directory) as service,
    ):
        screen.happened("demo", f"service is up, with SIP at {service.sip}")
        contact_phone.begin(_CONTACT)
        listening = await contact_phone.until(Happening.LISTENING)
        agent = await service.furnish(listening["port"])
        agent_phone.begin(_agent_script(agent, service.sip))
        screen.waiting("registering the agent's phone")
        await agent_phone.until(Happening.REGISTERED)
        screen.happened("demo", f"POST {CONTRACT_PATH}: {CONTACT} from {LINE}")
        location = await service.place(agent)
        record = await _follow(screen, service, location)
        heard = [await phone.until(Happening.ENDED) for phone in (agent_phone, contact_phone)]
        screen.waiting("ending the phones and the service")
        return Played(record, *heard)


async def _follow(screen: Screen, service: Service, location: str) -> dict[str, Any]:
    """Show the call's events as its record gains them, until it has ended."""
    shown = 0
    while True:
        record = await service.record(location)
        events = record["events"]
        for event in events[shown:]:
            screen.happened("twoleg", event["type"].removeprefix("call.").replace("_", " "))
        shown = len(events)
        if record["status"] == "ended":
            return record
        screen.waiting(record["status"].replace("_", " "))
        await asyncio.sleep(POLL_SECONDS)


def judge(screen: Screen, played: Played) -> bool:
    """Print what was measured and recorded; say whether it is as it must be."""
    screen.space()
    good = [
        _judge_heard(screen, "agent heard", CONTACT_TONE_HZ, played.agent),
        _judge_heard(screen, "contact heard", AGENT_TONE_HZ, played.contact),
    ]
    record = played.record
    connected: bool = record["outcome"] == "connected"
    durations = ", ".join(
        f"{name.removesuffix('_seconds').replace('_', ' ')} {record[name]} s"
        for name in ("agent_ring_seconds", "contact_ring_seconds", "talk_seconds", "total_seconds")
    )
    text = f"{record['outcome']}, ended by {record['ended_by']}: {durations}"
    screen.result("record", text, good=connected)
    return connected and all(good)


def _judge_heard(screen: Screen, name: str, hertz: int, heard: Mapping[str, Any]) -> bool:
    if heard["level"] is None:
        screen.result(name, f"no tone of {hertz} Hz", good=False)
        return False
    good: bool = heard["seconds"] >= LEAST_HEARD_SECONDS
    text = f"{hertz} Hz at {heard['level']} dBFS for {heard['seconds']} s"
    screen.result(name, text, good=good)
    return good


def _agent_script(agent: Agent, registrar: str) -> PhoneScript:
    return PhoneScript(
        registrar=registrar,
        username=agent.sip_username,
        password=agent.sip_password,
        tone_hz=AGENT_TONE_HZ,
        expected_hz=CONTACT_TONE_HZ,
        ring_seconds=RING_SECONDS,
    )


def _told(report: Report) -> str:
    facts = report.facts
    match report.happening:
        case Happening.LISTENING:
            return f"phone listens on port {facts['port']}"
        case Happening.REGISTERED:
            return "phone is registered"
        case Happening.REFUSED:
            return f"registration is refused with {facts['status']}"
        case Happening.RINGS:
            return f"rings, called by {facts['caller']}"
        case Happening.ANSWERS:
            return f"answers, plays {facts['tone_hz']} Hz"
        case Happening.HEARS:
            return f"hears {facts['hertz']} Hz"
        case Happening.HANGS_UP:
            return "hangs up"
        case Happening.ENDED:
            return "call is over"
