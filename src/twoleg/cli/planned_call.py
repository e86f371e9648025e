"""What a call would be, for people: the reply to a dry run, line by line."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from twoleg.cli.client import Json
from twoleg.cli.output import print_json


def print_plan(plan: Json, *, as_json: bool) -> None:
    """Print the reply to a dry run."""
    if as_json:
        print_json(plan)
        return
    agents, contact = list(_agent_lines(plan)), list(_contact_lines(plan))
    for line in contact + agents if plan["first"] == "contact" else agents + contact:
        typer.echo(line)
    if plan["record"]:
        typer.echo(f"recorded; announced to: {plan['announcement']}")
    typer.echo("nothing was placed")


def _agent_lines(plan: Json) -> Iterator[str]:
    for number, step in enumerate(plan["steps"], 1):
        yield f"{number}. {_target(step)}: {_what(step)}"
        for agent in step["agents"]:
            yield f"     {agent['name'] or agent['user_id'] or step['phone_number']}"
            for phone in agent["phones"]:
                confirmed = ", asked to press 1" if phone["asked_to_confirm"] else ""
                yield from _ways(phone, "       ", confirmed)
    if plan["more_steps"]:
        yield "   and so on"
    if not plan["steps"]:
        yield "   nobody can be rung"


def _target(step: Json) -> str:
    if step["ring_group_id"] is not None:
        return f"ring group {step['ring_group_id']}"
    return step["phone_number"] or f"user {step['user_id']}"


def _what(step: Json) -> str:
    if step["action"] == "ring":
        return f"ring for {step['seconds']:g} s"
    if step["action"] == "unreachable":
        return "no phone to ring"
    if step["queue_is_full"]:
        return "all are busy, and the queue is full"
    queue = "" if step["waiting"] is None else f", behind {step['waiting']} calls"
    return f"busy: wait up to {step['seconds']:g} s{queue}"


def _contact_lines(plan: Json) -> Iterator[str]:
    contact = plan["contact"]
    known = "new contact" if contact["id"] is None else f"contact {contact['id']}"
    yield f"{known} {contact['phone_number']}: ring for {contact['ring_seconds']:g} s"
    for trunk in contact["trunks"]:
        yield from _ways(trunk, "     ", "")


def _ways(leg: Json, indent: str, confirmed: str) -> Iterator[str]:
    for way in (leg, *leg["otherwise"]):
        over = "" if way["trunk_id"] is None else f" over {way['trunk'] or way['trunk_id']}"
        yield f"{indent}{way['to']}{over}, shows {way['shows'] or 'no number'}{confirmed}"
