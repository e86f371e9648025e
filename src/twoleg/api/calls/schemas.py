"""The shapes of calls in requests and replies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from twoleg.api.account.schemas import MAX_DISPOSITION
from twoleg.api.errors import field_errors
from twoleg.api.recordings.schemas import Recording
from twoleg.api.values import (
    Id,
    Input,
    JsonObject,
    Output,
    Text,
    Time,
    Whole,
    absent,
    rfc3339,
    storable_text,
)
from twoleg.calls.dispositions import MAX_NOTES
from twoleg.calls.records import CallRecord, EventRecord, LegRecord
from twoleg.calls.requests import FIELDS, CallRequest, Errors, read_call_request
from twoleg.events.addresses import AddressPolicy, InvalidUrl

MAX_RING_SECONDS: Final = 600
MAX_CALL_SECONDS: Final = 4 * 60 * 60
MAX_WAIT_SECONDS: Final = 60 * 60
_STORED_OPTIONS: Final = {
    "first",
    "ring_seconds",
    "max_seconds",
    "max_wait_seconds",
    "screen",
    "record",
    "detect_machine",
    "whisper_prompt_id",
}


class RingSeconds(Input):
    """How long each side is rung."""

    agent: Annotated[Whole, Field(ge=1, le=MAX_RING_SECONDS)] | None = None
    contact: Annotated[Whole, Field(ge=1, le=MAX_RING_SECONDS)] | None = None


class CallOptions(Input):
    """What a native call may say beside the contract's fields."""

    ring_seconds: RingSeconds | None = None
    max_seconds: Annotated[Whole, Field(ge=1, le=MAX_CALL_SECONDS)] | None = None
    max_wait_seconds: Annotated[Whole, Field(ge=0, le=MAX_WAIT_SECONDS)] | None = None
    screen: bool | None = None
    first: Literal["agent", "contact"] | None = None
    record: bool | None = None
    detect_machine: Literal[False, "continue", "hang_up"] | None = None
    whisper_prompt_id: Id | None = None
    callback_url: Text | None = None
    metadata: JsonObject = Field(default_factory=dict)


class PlaceCall(CallOptions):
    """The contract's fields and options; described here, read by `read_call_request`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": 1,
                    "contact_phone_number": "+18181276543",
                    "line_id": 1,
                    "ring_seconds": {"agent": 25, "contact": 45},
                    "metadata": {"ticket": "4711"},
                }
            ]
        }
    )

    user_id: Id | None = None
    ring_group_id: Id | None = None
    contact_id: Id | None = None
    line_id: Id | None = None
    user_phone_number: str | None = None
    contact_phone_number: str | None = None
    line_phone_number: str | None = None


def read_place_call(fields: Mapping[str, Any], policy: AddressPolicy) -> CallRequest:
    """Read a native call; errors of the options stand beside those of the contract's fields.

    `policy` judges the callback URL.
    """
    own = {name: value for name, value in fields.items() if name not in FIELDS}
    errors: Errors = {}
    options = CallOptions()
    try:
        options = CallOptions.model_validate(own)
    except ValidationError as error:
        errors = field_errors(error.errors(), skip=0)
    callback_url = options.callback_url
    if callback_url is not None:
        try:
            callback_url = policy.check(callback_url)
        except InvalidUrl as error:
            errors["callback_url"] = [f"The callback_url {error}."]
    request = read_call_request(
        fields,
        options=options.model_dump(
            include=_STORED_OPTIONS,
            exclude_none=True,
        ),
        metadata=options.metadata,
        callback_url=callback_url,
    )
    return replace(request, errors=request.errors | errors) if errors else request


class CallChange(Input):
    """What people say that a call came to; null takes it back."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"disposition": None, "notes": "Call again in March."}]}
    )

    disposition: Annotated[str, Field(max_length=MAX_DISPOSITION)] | None = absent()
    notes: Annotated[str, Field(max_length=MAX_NOTES), AfterValidator(storable_text)] | None = (
        absent()
    )


class Leg(Output):
    """One SIP dialog of a call."""

    role: str
    user_id: int | None
    to: str | None
    trunk_id: int | None
    answered: bool
    started_at: Time | None
    answered_at: Time | None
    ended_at: Time | None
    sip_status: int | None
    q850_cause: int | None
    reason: str | None
    codec: str | None
    quality: dict[str, Any] | None


class Call(Output):
    """A call as it stands: its record once it has ended."""

    id: int
    status: str
    outcome: str | None
    ended_by: str | None
    user_id: int | None
    ring_group_id: int | None
    contact_id: int | None
    line_id: int | None
    user_phone_number: str | None
    contact_phone_number: str | None
    line_phone_number: str | None
    created_at: Time
    ended_at: Time | None
    agent_ring_seconds: float | None
    contact_ring_seconds: float | None
    talk_seconds: float | None
    total_seconds: float | None
    answered_by: str | None
    answered_by_ms: int | None
    failure: str | None
    disposition: str | None
    notes: str | None
    metadata: dict[str, Any]
    recording: Recording | None
    legs: list[Leg]
    events: list[dict[str, Any]]

    @classmethod
    def of(cls, record: CallRecord, recording: Recording | None) -> Call:
        """Return the shape of `record`; `recording` is that of its recording."""
        values = {
            name: getattr(record, name)
            for name in cls.model_fields
            if name not in ("metadata", "recording", "legs", "events")
        }
        return cls(
            **values,
            metadata=dict(record.metadata or {}),
            recording=recording,
            legs=[_leg(leg) for leg in record.legs],
            events=[_event(event) for event in record.events],
        )


def _leg(leg: LegRecord) -> Leg:
    values = {
        name: getattr(leg, name)
        for name in Leg.model_fields
        if name not in ("to", "answered", "quality")
    }
    return Leg(
        **values,
        to=leg.to_uri,
        answered=leg.answered_at is not None,
        quality=None if leg.quality is None else dict(leg.quality),
    )


def _event(event: EventRecord) -> dict[str, Any]:
    what = {"type": event.type, "at": rfc3339(event.at), "sequence": event.sequence}
    return dict(event.data or {}) | what
