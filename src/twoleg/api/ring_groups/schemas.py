"""The shapes of ring groups in requests and replies."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from twoleg.api.values import (
    Id,
    Input,
    Name,
    Output,
    PhoneNumber,
    Time,
    Whole,
    WrapUp,
    absent,
)
from twoleg.directory.accounts import Screening
from twoleg.directory.ring_groups import MAX_MEMBERS, Strategy

MAX_RING_SECONDS = 600
MAX_WAIT_SECONDS = 3600
MAX_WAITING = 10_000


class Fallback(Input):
    """Who is rung once nobody of the group answered: a user, a ring group or a phone number."""

    user_id: Id = absent()
    ring_group_id: Id = absent()
    phone_number: PhoneNumber = absent()

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("must have one of user_id, ring_group_id and phone_number")
        return self


class RingGroupChange(Input):
    """What of a ring group changes; `user_ids` replaces all of its users."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"strategy": "in_order", "user_ids": [2, 1]}]}
    )

    name: Name = absent()
    strategy: Strategy = absent()
    user_ids: Annotated[list[Id], Field(max_length=MAX_MEMBERS)] = absent()
    ring_seconds: Annotated[Whole, Field(ge=1, le=MAX_RING_SECONDS)] = absent()
    max_wait_seconds: Annotated[Whole, Field(ge=0, le=MAX_WAIT_SECONDS)] = absent()
    max_waiting: Annotated[Whole, Field(ge=0, le=MAX_WAITING)] | None = absent()
    wrap_up_seconds: WrapUp | None = absent()
    screening: Screening | None = absent()
    fallback: Fallback | None = absent()


class NewRingGroup(RingGroupChange):
    """A ring group to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Sales", "strategy": "ring_all", "user_ids": [1, 2]}]
        }
    )

    name: Name


class RingGroup(Output):
    """A ring group; `waiting` is how many calls wait for somebody of it now."""

    id: int
    name: str
    strategy: str
    user_ids: list[int]
    ring_seconds: int
    max_wait_seconds: int
    max_waiting: int | None
    wrap_up_seconds: int | None
    screening: str | None
    fallback: dict[str, Any] | None
    waiting: int
    created_at: Time
