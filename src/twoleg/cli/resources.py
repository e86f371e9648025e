"""The commands that keep the directory: one group of five for each kind of thing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from twoleg.cli.client import Json, connected
from twoleg.cli.groups import group
from twoleg.cli.options import AsJson
from twoleg.cli.output import print_fields, print_json, print_table

ASSIGNMENTS = typer.Argument(
    metavar="FIELD=VALUE...", help="Fields to set; FIELD:=VALUE takes VALUE as JSON (a list, say)."
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of thing under `/api/v1/PATH`; `singular` is its name in help texts.

    It has commands of its own in place of those that it is `without`.
    """

    path: str
    singular: str
    columns: tuple[str, ...]
    fields: str
    without: frozenset[str] = frozenset()


def assigned(assignments: list[str]) -> Json:
    """Read `FIELD=VALUE` and `FIELD:=JSON`; raises typer.BadParameter that names the word."""
    body: Json = {}
    for word in assignments:
        name, equals, value = word.partition("=")
        if not equals or not name.rstrip(":"):
            raise typer.BadParameter(f"{word!r}: give FIELD=VALUE or FIELD:=JSON")
        if not name.endswith(":"):
            body[name] = value
            continue
        try:
            body[name[:-1]] = json.loads(value)
        except ValueError as error:
            raise typer.BadParameter(f"{word!r}: after := comes JSON ({error})") from error
    return body


def commands(resource: Resource) -> typer.Typer:
    """Make the group of commands for one `resource`."""
    made = group(no_args_is_help=True, help=f"Keep the account's {resource.path}.")

    def show_one(thing: Json, as_json: bool) -> None:
        if as_json:
            print_json(thing)
        else:
            print_fields(thing)

    @made.command("list", help=f"List {resource.path}.")
    def list_(
        filters: Annotated[
            list[str] | None, typer.Argument(metavar="FILTER=VALUE...", help="name=Alice, say.")
        ] = None,
        limit: Annotated[int, typer.Option(help="Rows at the most.")] = 100,
        as_json: AsJson = False,
    ) -> None:
        with connected() as client:
            query: dict[str, Any] = assigned(filters or [])
            rows = list(client.pages(f"/{resource.path}", limit, **query))
        if as_json:
            print_json(rows)
        else:
            print_table(rows, resource.columns)

    @made.command(help=f"Show one {resource.singular}.")
    def show(id_: Annotated[int, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
        with connected() as client:
            show_one(client.get(f"/{resource.path}/{id_}"), as_json)

    if "create" not in resource.without:

        @made.command(help=f"Make a {resource.singular}. Fields: {resource.fields}.")
        def create(assignments: Annotated[list[str], ASSIGNMENTS], as_json: AsJson = False) -> None:
            with connected() as client:
                show_one(client.post(f"/{resource.path}", assigned(assignments)), as_json)

    if "update" not in resource.without:

        @made.command(help=f"Change a {resource.singular}. Fields: {resource.fields}.")
        def update(
            id_: Annotated[int, typer.Argument(metavar="ID")],
            assignments: Annotated[list[str], ASSIGNMENTS],
            as_json: AsJson = False,
        ) -> None:
            with connected() as client:
                body = assigned(assignments)
                show_one(client.patch(f"/{resource.path}/{id_}", body), as_json)

    @made.command(help=f"Delete a {resource.singular}; records that name it stay.")
    def delete(id_: Annotated[int, typer.Argument(metavar="ID")]) -> None:
        with connected() as client:
            client.delete(f"/{resource.path}/{id_}")

    return made


users = commands(
    Resource(
        "users",
        "user",
        ("id", "name", "email", "phone_number", "availability", "sip_username", "registered"),
        "name, email, phone_number, availability, sip_username, sip_password, screening, "
        "media_encryption",
    )
)
ring_groups = commands(
    Resource(
        "ring-groups",
        "ring group",
        ("id", "name", "strategy", "user_ids", "ring_seconds", "waiting"),
        "name, strategy, user_ids, ring_seconds, max_wait_seconds, max_waiting, wrap_up_seconds, "
        "screening, fallback",
    )
)
lines = commands(
    Resource(
        "lines",
        "line",
        ("id", "phone_number", "name", "country", "trunk_ids"),
        "phone_number, name, country, trunk_ids",
    )
)
trunks = commands(
    Resource(
        "trunks",
        "trunk",
        ("id", "name", "host", "port", "transport", "state"),
        "name, host, port, transport, media_encryption, username, password, register, "
        "from_domain, max_calls, calls_per_second, caller_id_mode, privacy, number_format, "
        "dial_prefix, codecs, priority, weight",
    )
)
tokens = commands(
    Resource(
        "tokens",
        "token",
        ("id", "name", "scopes", "expires_at"),
        "name, scopes, expires_at",
        without=frozenset({"update"}),
    )
)
