"""`twoleg call`: places a call and shows it as it goes. `twoleg calls`: what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twoleg.cli.client import Json, connected
from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.following import follow_to_its_end
from twoleg.cli.groups import group
from twoleg.cli.options import AsJson
from twoleg.cli.output import print_fields, print_json, print_table
from twoleg.cli.planned_call import print_plan
from twoleg.cli.resources import assigned
from twoleg.cli.saving import save

MAX_KNOWN = 1000
"""Calls whose parties are kept to name them beside their events."""

COLUMNS = (
    "id", "created_at", "status", "outcome", "disposition", "ended_by", "user_id", "ring_group_id",
    "contact_phone_number", "talk_seconds",
)  # fmt: skip

LEG_COLUMNS = (
    "role", "to", "answered", "sip_status", "q850_cause", "reason", "codec", "mos", "packets_lost",
)  # fmt: skip
"""Of the quality figures the two that say most; `--json` has all."""

DELIVERY_COLUMNS = (
    "id", "created_at", "type", "webhook_id", "url", "state", "attempts", "last_status",
    "last_error",
)  # fmt: skip

calls = group(no_args_is_help=True, help="See what calls came to, or say it; end one.")


def place(
    contact: Annotated[str, typer.Argument(help="The contact's phone number, or its id.")],
    line: Annotated[str, typer.Option(help="The line's phone number, or its id.")],
    user: Annotated[str | None, typer.Option(help="Id of the user to ring.")] = None,
    user_phone_number: Annotated[
        str | None, typer.Option(help="Ring the user at this number, not at the user's phones.")
    ] = None,
    ring_group: Annotated[str | None, typer.Option(help="Id of the ring group to ring.")] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Any further field of POST /calls."),
    ] = None,
    follow: Annotated[bool, typer.Option(help="Stay until the call has ended.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the call would be; place nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Place a call: ring the agent, then the contact from the line, and join them.

    Ctrl-C hangs up. Ends with 0 if the two were connected, with 1 if not.
    """
    body: Json = {
        "user_id": user,
        "ring_group_id": ring_group,
        "user_phone_number": user_phone_number,
        **_either("contact", contact),
        **_either("line", line),
        **assigned(options or []),
    }
    body = {name: value for name, value in body.items() if value is not None}
    with connected() as client:
        if dry_run:
            print_plan(client.post("/calls?dry_run=true", body), as_json=as_json)
            return
        call = client.post("/calls", body)
        if follow:
            call = follow_to_its_end(client, call, quiet=as_json)
    if as_json:
        print_json(call)
    elif not follow:
        typer.echo(f"call {call['id']} is queued")
    if follow and call["outcome"] != "connected":
        raise typer.Exit(ExitCode.FAILED)


@calls.command("list")
def list_(
    filters: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILTER=VALUE...", help="outcome=connected user_id=1, say."),
    ] = None,
    limit: Annotated[int, typer.Option(help="Rows at the most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List calls, the newest first."""
    with connected() as client:
        rows = list(client.pages("/calls", limit, **assigned(filters or [])))
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS)


@calls.command()
def show(
    id_: Annotated[int, typer.Argument(metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """Show one call with its legs and events."""
    with connected() as client:
        call = client.get(f"/calls/{id_}")
    if as_json:
        print_json(call)
        return
    legs, events = call.pop("legs"), call.pop("events")
    print_fields(call)
    typer.echo()
    print_table([{**leg, **(leg["quality"] or {})} for leg in legs], LEG_COLUMNS)
    typer.echo()
    print_table(events, ("at", "type"))


@calls.command()
def tail(
    limit: Annotated[int, typer.Option(help="Calls to begin with.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show calls as they change, until Ctrl-C: those there are, then each event as it happens."""
    with connected() as client:
        events = client.events()
        next(events)
        calls = {call["id"]: call for call in client.pages("/calls", limit)}
        for call in reversed(calls.values()):
            if as_json:
                print_json(call)
            else:
                _print_state(call, call["outcome"] or call["status"])
        for event in filter(None, events):
            if "call_id" not in event:
                continue
            if as_json:
                print_json(event)
                continue
            call = calls.get(event["call_id"]) or client.get(f"/calls/{event['call_id']}")
            _print_state(call, event["data"].get("outcome") or event["type"])
            calls[call["id"]] = call
            if len(calls) > MAX_KNOWN:
                del calls[next(iter(calls))]


@calls.command()
def recording(
    id_: Annotated[int, typer.Argument(metavar="ID")],
    output: Annotated[Path, typer.Option(help="The WAV file to write; it must not be there.")],
) -> None:
    """Save a call's recording: the agent on the left, the contact on the right."""
    save(f"/calls/{id_}/recording", output)


@calls.command()
def dispose(
    id_: Annotated[int, typer.Argument(metavar="ID")],
    disposition: Annotated[
        str | None, typer.Option(help="One of the account's dispositions; '' takes it back.")
    ] = None,
    notes: Annotated[str | None, typer.Option(help="In your own words; '' takes it back.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a call came to, while it runs or afterwards."""
    body = {"disposition": disposition, "notes": notes}
    with connected() as client:
        given = {name: value or None for name, value in body.items() if value is not None}
        call = client.patch(f"/calls/{id_}", given)
    if as_json:
        print_json(call)
    else:
        print_fields({name: call[name] for name in ("id", "outcome", "disposition", "notes")})


@calls.command()
def deliveries(
    id_: Annotated[int, typer.Argument(metavar="ID")],
    limit: Annotated[int, typer.Option(help="Rows at the most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was sent of a call, to webhooks and its callback URL, the newest first."""
    with connected() as client:
        rows = list(client.pages(f"/calls/{id_}/deliveries", limit))
    if as_json:
        print_json(rows)
    else:
        print_table(rows, DELIVERY_COLUMNS)


@calls.command("hang-up")
def hang_up(id_: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Cancel or hang up a call, at whatever state it is."""
    with connected() as client:
        client.delete(f"/calls/{id_}")


def _either(name: str, value: str) -> Json:
    """Tell a phone number (`+...`) from an id."""
    return {f"{name}_id": value} if value.isdecimal() else {f"{name}_phone_number": value}


def _print_state(call: Json, state: str) -> None:
    agent = call["user_id"] or f"group {call['ring_group_id']}"
    state = state.removeprefix("call.")
    typer.echo(f"{call['id']}  agent {agent} > {call['contact_phone_number']}  {state}")
