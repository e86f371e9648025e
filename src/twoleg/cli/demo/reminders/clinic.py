"""The demo's clinic: its staff, plans, contacts and appointments, made by HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from twoleg.cli.demo.reminders.cast import (
    CAST,
    DUE_SECONDS,
    FRONT_DESK,
    MAX_ATTEMPTS,
    MINUTES_BEFORE,
    MORNING,
    NO_QUIET_HOURS,
    RETRY_BUSY_MINUTES,
    RETRY_NO_ANSWER_MINUTES,
    RING_SECONDS,
    TEXT,
    VOICEMAIL_TEXT,
    Plan,
    Visitor,
)
from twoleg.cli.demo.service import Service

DECIDED = ("done", "dropped")
_MOST = 200


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor's appointment."""

    visitor: Visitor
    id: int
    contact_id: int
    time: str
    """On the clinic's clock."""


async def furnish(service: Service) -> list[Visit]:
    """Make everything; the reminders become due a few seconds later."""
    [line] = (await service.get("/lines"))["data"]
    desk = await _group(service, "Front desk", phone_number=FRONT_DESK)
    nobody = await _group(service, "Laboratory", availability="away")
    plans = {
        Plan.PRACTICE: await _plan(
            service,
            Plan.PRACTICE,
            line["id"],
            desk,
            voicemail="message",
            voicemail_text=VOICEMAIL_TEXT,
        ),
        Plan.LABORATORY: await _plan(
            service, Plan.LABORATORY, line["id"], nobody, change_means="cancel"
        ),
    }
    return [await _visit(service, visitor, plans[visitor.plan]) for visitor in CAST]


def zone_of_morning(at: datetime) -> str:
    """Name a zone in which it is `MORNING` o'clock at a time of UTC, give or take an hour."""
    ahead = (MORNING - at.hour + 12) % 24 - 12
    # POSIX counts the hours that a zone is behind.
    return f"Etc/GMT{-ahead:+d}"


async def appointments(service: Service) -> Mapping[int, Mapping[str, Any]]:
    """Return the appointments as they are, by id."""
    found = (await service.get("/appointments", limit=_MOST))["data"]
    return {each["id"]: each for each in found}


def all_are_over(found: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether nobody will be called any more."""
    return all(
        reminder["state"] in DECIDED
        for appointment in found
        for reminder in appointment["reminders"]
    )


async def _group(service: Service, name: str, **fields: str) -> int:
    email = f"{name.replace(' ', '-').lower()}@example.com"
    user = await service.create("/users", name=name, email=email, **fields)
    group = await service.create(
        "/ring-groups", name=name, user_ids=[user["id"]], screening="never"
    )
    return int(group["id"])


async def _plan(service: Service, plan: Plan, line_id: int, group_id: int, **fields: str) -> int:
    made = await service.create(
        "/reminder-plans",
        name=plan,
        line_id=line_id,
        ring_group_id=group_id,
        moments=[{"minutes_before": MINUTES_BEFORE}],
        text=TEXT,
        language="en",
        quiet_hours=NO_QUIET_HOURS,
        ring_seconds=RING_SECONDS,
        max_attempts=MAX_ATTEMPTS,
        retry_busy_minutes=RETRY_BUSY_MINUTES,
        retry_no_answer_minutes=RETRY_NO_ANSWER_MINUTES,
        **fields,
    )
    return int(made["id"])


async def _visit(service: Service, visitor: Visitor, plan_id: int) -> Visit:
    contact = await service.create(
        "/contacts", name=visitor.name, phone_number=visitor.phone_number
    )
    due_at = datetime.now(UTC) + timedelta(seconds=DUE_SECONDS)
    made = await service.create(
        "/appointments",
        contact_id=contact["id"],
        reminder_plan_id=plan_id,
        starts_at=(due_at + timedelta(minutes=MINUTES_BEFORE)).isoformat(),
        time_zone=zone_of_morning(due_at),
    )
    wall = datetime.fromisoformat(made["starts_at"])
    return Visit(visitor, made["id"], contact["id"], wall.strftime("%H:%M"))
