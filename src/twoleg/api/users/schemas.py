"""The shapes of users in requests and replies."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from twoleg.api.values import Input, Name, Output, PhoneNumber, Text, Time, absent
from twoleg.directory.accounts import Screening
from twoleg.directory.media_encryption import MediaEncryption
from twoleg.directory.users import Availability, UserWithPassword, is_email, is_sip_username

MAX_PASSWORD = 128


def _email(text: str) -> str:
    if not is_email(text):
        raise ValueError("must be a valid email address")
    return text


def _sip_username(text: str) -> str:
    if not is_sip_username(text):
        raise ValueError("may hold letters, digits, and . _ + - behind the first")
    return text


Email = Annotated[Name, AfterValidator(_email)]
SipUsername = Annotated[Text, AfterValidator(_sip_username)]
SipPassword = Annotated[Name, Field(max_length=MAX_PASSWORD)]


class UserChange(Input):
    """What of a user changes; a `sip_password` of null is made up anew."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"availability": "away"}]})

    name: Name = absent()
    email: Email = absent()
    phone_number: PhoneNumber | None = absent()
    availability: Availability = absent()
    sip_username: SipUsername = absent()
    sip_password: SipPassword | None = absent()
    screening: Screening | None = absent()
    media_encryption: MediaEncryption = absent()


class NewUser(UserChange):
    """A user to be made; user name and password of SIP are made up where they are not given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Alice", "email": "alice@example.com", "phone_number": "+18181234567"}
            ]
        }
    )

    name: Name
    email: Email


class User(Output):
    """A user: `registered` has a phone now, `busy` is rung or talking now.

    `last_call_ended_at` is of the last call that the user answered; until `wrap_up_until` no ring
    group rings the user.
    """

    id: int
    name: str
    email: str
    phone_number: str | None
    availability: str
    sip_username: str
    screening: str | None
    media_encryption: str
    registered: bool
    busy: bool
    last_call_ended_at: Time | None
    wrap_up_until: Time | None
    created_at: Time


class UserShownOnce(User):
    """A user, with the SIP password where it was set just now; it is never shown again."""

    sip_password: str | None = None


class Endpoint(Output):
    """A phone that is registered."""

    contact_uri: str
    user_agent: str | None
    expires_at: Time


class EndpointList(Output):
    """The phones of a user."""

    data: list[Endpoint]


def shown_once(changed: UserWithPassword) -> UserShownOnce:
    """Return the reply that shows a new password."""
    user = User.model_validate(changed.user)
    return UserShownOnce(**dict(user), sip_password=changed.sip_password)
