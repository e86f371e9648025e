"""`/appointment-feeds`: list, make, read, change, delete, poll."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from twoleg.api.appointment_feeds.schemas import (
    AppointmentFeed,
    AppointmentFeedChange,
    NewAppointmentFeed,
)
from twoleg.api.authentication import AppointmentReader, AppointmentWriter
from twoleg.api.errors import FieldErrors
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.state import AddressPolicyOf, DatabaseOf
from twoleg.api.values import Id
from twoleg.directory.accounts import find_account
from twoleg.events.addresses import AddressPolicy, InvalidUrl
from twoleg.reminders.appointments.queries import default_plan
from twoleg.reminders.feeds import (
    change_feed,
    create_feed,
    delete_feed,
    find_feed,
    list_feeds,
    poll_soon,
)

PATH: Final = "/appointment-feeds"
_WEBCAL: Final = "webcal://"

router = APIRouter(prefix=PATH, tags=["appointment feeds"])


@router.get("", response_model=Page[AppointmentFeed])
async def read_appointment_feeds(
    principal: AppointmentReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
) -> Any:
    """List feeds in the order they were made."""
    async with database.connection() as connection:
        found = await list_feeds(
            connection, principal.account_id, after_id=position_of(cursor), limit=limit + 1
        )
    return page_of(found, limit, found)


@router.post("", status_code=201, response_model=AppointmentFeed)
async def make_appointment_feed(
    body: NewAppointmentFeed,
    principal: AppointmentWriter,
    database: DatabaseOf,
    policy: AddressPolicyOf,
    response: Response,
) -> Any:
    """Make a feed; it is polled within seconds, and `state` says what came of that."""
    given = body.given() | {"url": _checked(policy, body.url)}
    async with database.connection() as connection:
        account_id = principal.account_id
        if "time_zone" not in given:
            given["time_zone"] = (await find_account(connection, account_id)).time_zone
        if "reminder_plan_id" not in given:
            given["reminder_plan_id"] = await default_plan(connection, account_id)
        made = await create_feed(connection, account_id, given)
    created(response, PATH, made.id)
    return made


@router.get("/{feed_id}", response_model=AppointmentFeed)
async def read_appointment_feed(
    feed_id: Id, principal: AppointmentReader, database: DatabaseOf
) -> Any:
    """Read one feed."""
    async with database.connection() as connection:
        return await find_feed(connection, principal.account_id, feed_id)


@router.patch("/{feed_id}", response_model=AppointmentFeed)
async def edit_appointment_feed(
    feed_id: Id,
    body: AppointmentFeedChange,
    principal: AppointmentWriter,
    database: DatabaseOf,
    policy: AddressPolicyOf,
) -> Any:
    """Change the fields that are given; appointments to come follow the feed to another plan."""
    given = body.given()
    if "url" in given:
        given["url"] = _checked(policy, given["url"])
    async with database.connection() as connection:
        return await change_feed(connection, principal.account_id, feed_id, given)


@router.delete("/{feed_id}", status_code=204)
async def remove_appointment_feed(
    feed_id: Id,
    principal: AppointmentWriter,
    database: DatabaseOf,
    delete_appointments: bool = False,
) -> None:
    """Delete a feed. Its appointments stay, unless those to come are to go with it."""
    async with database.connection() as connection:
        await delete_feed(
            connection, principal.account_id, feed_id, with_appointments=delete_appointments
        )


@router.post("/{feed_id}/poll", status_code=202, response_model=AppointmentFeed)
async def poll_appointment_feed(
    feed_id: Id, principal: AppointmentWriter, database: DatabaseOf
) -> Any:
    """Have a feed polled now, not only when its time has come."""
    async with database.connection() as connection:
        return await poll_soon(connection, principal.account_id, feed_id)


def _checked(policy: AddressPolicy, url: str) -> str:
    """Return the URL as it is fetched: what calendars call webcal is HTTPS. Raises FieldErrors."""
    if url[: len(_WEBCAL)].lower() == _WEBCAL:
        url = "https://" + url[len(_WEBCAL) :]
    try:
        return policy.check(url)
    except InvalidUrl as error:
        raise FieldErrors({"url": [f"The url {error}."]}) from error
