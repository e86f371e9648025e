"""`/webhooks`: list, make, read, change, delete, try; and their deliveries."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from twoleg.api.authentication import Administrator
from twoleg.api.errors import FieldErrors, NoSuchThing
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.state import AddressPolicyOf, DatabaseOf
from twoleg.api.values import Id, Word
from twoleg.api.webhooks.schemas import (
    CallbackSecret,
    Delivery,
    NewWebhook,
    Webhook,
    WebhookChange,
    WebhookShownOnce,
    shown_once,
)
from twoleg.calls.records import find_call
from twoleg.events import webhooks
from twoleg.events.addresses import AddressPolicy, InvalidUrl
from twoleg.events.webhooks import DeliveryState

PATH: Final = "/webhooks"

router = APIRouter(tags=["webhooks"])


@router.get(PATH, response_model=Page[Webhook])
async def read_webhooks(
    principal: Administrator,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
) -> Any:
    """List webhooks in the order they were made."""
    async with database.connection() as connection:
        found = await webhooks.list_webhooks(
            connection, principal.account_id, after_id=position_of(cursor), limit=limit + 1
        )
    return page_of(found, limit, found)


@router.post(PATH, status_code=201, response_model=WebhookShownOnce)
async def make_webhook(
    body: NewWebhook,
    principal: Administrator,
    database: DatabaseOf,
    policy: AddressPolicyOf,
    response: Response,
) -> Any:
    """Make a webhook; its secret is shown only in this reply."""
    given = body.given()
    url = _checked(policy, body.url)
    async with database.connection() as connection:
        made, secret = await webhooks.create_webhook(
            connection,
            principal.account_id,
            url=url,
            events=given.get("events", ()),
            active=given.get("active", True),
        )
    created(response, PATH, made.id)
    return shown_once(made, secret)


@router.get(f"{PATH}/{{webhook_id}}", response_model=Webhook)
async def read_webhook(webhook_id: Id, principal: Administrator, database: DatabaseOf) -> Any:
    """Read one webhook."""
    async with database.connection() as connection:
        return _found(await webhooks.find_webhook(connection, principal.account_id, webhook_id))


@router.patch(f"{PATH}/{{webhook_id}}", response_model=Webhook)
async def edit_webhook(
    webhook_id: Id,
    body: WebhookChange,
    principal: Administrator,
    database: DatabaseOf,
    policy: AddressPolicyOf,
) -> Any:
    """Change the fields that are given; one that is switched on again begins anew."""
    given = body.given()
    url = _checked(policy, given["url"]) if "url" in given else None
    async with database.connection() as connection:
        return _found(
            await webhooks.change_webhook(
                connection,
                principal.account_id,
                webhook_id,
                url=url,
                events=given.get("events"),
                active=given.get("active"),
            )
        )


@router.delete(f"{PATH}/{{webhook_id}}", status_code=204)
async def remove_webhook(webhook_id: Id, principal: Administrator, database: DatabaseOf) -> None:
    """Delete a webhook; what has not been sent to it never will be."""
    async with database.connection() as connection:
        if not await webhooks.delete_webhook(connection, principal.account_id, webhook_id):
            raise NoSuchThing


@router.post(f"{PATH}/{{webhook_id}}/rotate-secret", response_model=WebhookShownOnce)
async def rotate_secret(webhook_id: Id, principal: Administrator, database: DatabaseOf) -> Any:
    """Give a webhook a new secret; the old one signs beside it for 24 hours."""
    async with database.connection() as connection:
        changed, secret = _found(
            await webhooks.rotate_secret(connection, principal.account_id, webhook_id)
        )
    return shown_once(changed, secret)


@router.post(f"{PATH}/{{webhook_id}}/test", status_code=202, response_model=Delivery)
async def send_test(webhook_id: Id, principal: Administrator, database: DatabaseOf) -> Any:
    """Send a `webhook.test` event, also to a webhook that is not active; it is tried once."""
    async with database.connection() as connection:
        return _found(await webhooks.send_test(connection, principal.account_id, webhook_id))


@router.get(f"{PATH}/{{webhook_id}}/deliveries", response_model=Page[Delivery])
async def read_deliveries(
    webhook_id: Id,
    principal: Administrator,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    state: DeliveryState | None = None,
    type: Word | None = None,  # noqa: A002  the name of the filter
    call_id: Id | None = None,
    appointment_id: Id | None = None,
) -> Any:
    """List what was sent to a webhook or is to be, newest first."""
    async with database.connection() as connection:
        _found(await webhooks.find_webhook(connection, principal.account_id, webhook_id))
        found = await webhooks.list_deliveries(
            connection,
            principal.account_id,
            webhook_id,
            state=state,
            type_=type,
            call_id=call_id,
            appointment_id=appointment_id,
            before_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.get("/calls/{call_id}/deliveries", response_model=Page[Delivery])
async def read_deliveries_of_call(
    call_id: Id,
    principal: Administrator,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    state: DeliveryState | None = None,
) -> Any:
    """List what was sent of a call, to webhooks and to its callback URL, newest first."""
    async with database.connection() as connection:
        _found(await find_call(connection, principal.account_id, call_id))
        found = await webhooks.list_deliveries_of_call(
            connection,
            principal.account_id,
            call_id,
            state=state,
            before_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, found)


@router.post(
    f"{PATH}/{{webhook_id}}/deliveries/{{delivery_id}}/redeliver",
    status_code=202,
    response_model=Delivery,
)
async def redeliver(
    webhook_id: Id, delivery_id: Id, principal: Administrator, database: DatabaseOf
) -> Any:
    """Send a delivery again, whatever became of it, under the same `webhook-id`."""
    async with database.connection() as connection:
        account_id = principal.account_id
        webhook = _found(await webhooks.find_webhook(connection, account_id, webhook_id))
        if not webhook.active:
            raise FieldErrors({"webhook_id": ["The webhook is not active."]})
        return _found(await webhooks.send_again(connection, account_id, webhook_id, delivery_id))


@router.get("/account/callback-secret", response_model=CallbackSecret)
async def read_callback_secret(principal: Administrator, database: DatabaseOf) -> Any:
    """Read the secret that signs what is sent to calls' callback URLs."""
    async with database.connection() as connection:
        secret = await webhooks.callback_secret(connection, principal.account_id)
    return CallbackSecret(callback_secret=secret)


@router.post("/account/callback-secret", response_model=CallbackSecret)
async def rotate_callback_secret(principal: Administrator, database: DatabaseOf) -> Any:
    """Replace the secret that signs what is sent to calls' callback URLs, at once."""
    async with database.connection() as connection:
        secret = await webhooks.rotate_callback_secret(connection, principal.account_id)
    return CallbackSecret(callback_secret=secret)


def _found(thing: Any) -> Any:
    if thing is None:
        raise NoSuchThing
    return thing


def _checked(policy: AddressPolicy, url: str) -> str:
    try:
        return policy.check(url)
    except InvalidUrl as error:
        raise FieldErrors({"url": [f"The url {error}."]}) from error
