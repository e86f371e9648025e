"""`twoleg webhooks`: where events are sent, what was sent there, and send it again."""

from __future__ import annotations

from typing import Annotated

import typer

from twoleg.cli.client import Json, connected
from twoleg.cli.options import AsJson
from twoleg.cli.output import print_fields, print_json, print_table
from twoleg.cli.resources import Resource, assigned, commands

COLUMNS = (
    "id", "created_at", "type", "call_id", "appointment_id", "state", "attempts", "last_status",
    "last_error",
)  # fmt: skip

webhooks = commands(
    Resource(
        "webhooks",
        "webhook",
        ("id", "url", "events", "active", "disabled_reason", "failing_since"),
        "url, events, active",
    )
)

WebhookId = Annotated[int, typer.Argument(metavar="ID")]


@webhooks.command("rotate-secret")
def rotate_secret(id_: WebhookId, as_json: AsJson = False) -> None:
    """Give a webhook a new secret; the old one signs beside it for 24 hours."""
    with connected() as client:
        _show(client.post(f"/webhooks/{id_}/rotate-secret", {}), as_json)


@webhooks.command("test")
def send_test(id_: WebhookId, as_json: AsJson = False) -> None:
    """Send a `webhook.test` event; `deliveries` tells what came of it."""
    with connected() as client:
        _show(client.post(f"/webhooks/{id_}/test", {}), as_json)


@webhooks.command()
def deliveries(
    id_: WebhookId,
    filters: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILTER=VALUE...", help="state=failed call_id=81, say."),
    ] = None,
    limit: Annotated[int, typer.Option(help="Rows at the most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was sent to a webhook or is to be, the newest first."""
    with connected() as client:
        path = f"/webhooks/{id_}/deliveries"
        rows = list(client.pages(path, limit, **assigned(filters or [])))
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS)


@webhooks.command()
def redeliver(
    id_: WebhookId,
    delivery_id: Annotated[int, typer.Argument(metavar="DELIVERY")],
    as_json: AsJson = False,
) -> None:
    """Send a delivery again, whatever became of it, under the same webhook-id."""
    with connected() as client:
        path = f"/webhooks/{id_}/deliveries/{delivery_id}/redeliver"
        _show(client.post(path, {}), as_json)


def _show(thing: Json, as_json: bool) -> None:
    if as_json:
        print_json(thing)
    else:
        print_fields(thing)
