"""The shapes of trunks in requests and replies."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from twoleg.api.values import Input, Name, Output, Text, Time, Whole, absent
from twoleg.directory.media_encryption import MediaEncryption
from twoleg.directory.trunks import (
    CallerIdMode,
    NumberFormat,
    Privacy,
    TrunkCodec,
    TrunkTransport,
    is_dial_prefix,
    is_host,
)

MAX_PORT = 65535
MAX_CALLS = 100_000
MAX_PRIORITY = 65535


def _host(text: str) -> str:
    bare = text.removeprefix("[").removesuffix("]")
    if not is_host(bare):
        raise ValueError("must be a host name or an IP address, without sip: and port")
    return bare.lower()


def _dial_prefix(text: str) -> str:
    if not is_dial_prefix(text):
        raise ValueError("must be up to 15 digits, * or #, with a + before them at most")
    return text


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _distinct(codecs: list[TrunkCodec]) -> list[TrunkCodec]:
    if len(set(codecs)) < len(codecs):
        raise ValueError("field has a duplicate value: name each codec once")
    return codecs


Host = Annotated[Text, AfterValidator(_host)]
DialPrefix = Annotated[Text, AfterValidator(_dial_prefix)]
Transport = Annotated[TrunkTransport, BeforeValidator(_lower)]
Codecs = Annotated[list[TrunkCodec], Field(min_length=1), AfterValidator(_distinct)]


class TrunkChange(Input):
    """What of a trunk changes; `password` can be written, never read."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"host": "sip.example.com", "port": 5060}]}
    )

    name: Name = absent()
    host: Host = absent()
    port: Annotated[Whole, Field(ge=1, le=MAX_PORT)] | None = absent()
    transport: Transport = absent()
    media_encryption: MediaEncryption = absent()
    username: Name | None = absent()
    password: Name | None = absent()
    register_: bool = absent("register")
    from_domain: Host | None = absent()
    max_calls: Annotated[Whole, Field(ge=0, le=MAX_CALLS)] | None = absent()
    calls_per_second: Annotated[Whole, Field(ge=0, le=MAX_CALLS)] | None = absent()
    caller_id_mode: CallerIdMode = absent()
    privacy: Privacy = absent()
    number_format: NumberFormat = absent()
    dial_prefix: DialPrefix | None = absent()
    codecs: Codecs = absent()
    priority: Annotated[Whole, Field(ge=0, le=MAX_PRIORITY)] = absent()
    weight: Annotated[Whole, Field(ge=0, le=MAX_PRIORITY)] = absent()


class NewTrunk(TrunkChange):
    """A trunk to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Carrier",
                    "host": "sip.carrier.example",
                    "transport": "udp",
                    "username": "account",
                    "password": "secret",
                    "register": True,
                }
            ]
        }
    )

    name: Name
    host: Host


class Trunk(Output):
    """A trunk and what is known of its state."""

    id: int
    name: str
    host: str
    port: int | None
    transport: str
    media_encryption: str
    username: str | None
    register_: bool = Field(alias="register")
    from_domain: str | None
    max_calls: int | None
    calls_per_second: int | None
    caller_id_mode: str
    privacy: str
    number_format: str
    dial_prefix: str | None
    codecs: list[str]
    priority: int
    weight: int
    state: str
    state_detail: str | None
    state_at: Time | None
    created_at: Time
