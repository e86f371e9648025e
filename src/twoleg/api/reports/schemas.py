"""The shapes of reports in requests and replies."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from twoleg.api.values import Output, Time


class ReminderLine(Output):
    """What reminders of one group came to; `planned` and `called` count reminders, others calls.

    `reached` heard it in person; `heard` did so and decided nothing; `unreachable` were given up.
    """

    group: str
    group_id: int | None
    planned: int
    called: int
    calls: int
    reached: int
    confirmed: int
    reschedule_requested: int
    cancelled: int
    talked: int
    callback_requested: int
    opted_out: int
    heard: int
    message_left: int
    unreachable: int
    reached_rate: float | None
    confirmed_rate: float | None


class CallLine(Output):
    """What calls of one group came to; the means are over those that connected, or rang."""

    group: str
    group_id: int | None
    calls: int
    connected: int
    agent_missed: int
    contact_missed: int
    other: int
    connected_rate: float | None
    talk_seconds: float
    mean_talk_seconds: float | None
    mean_agent_ring_seconds: float | None
    mean_contact_ring_seconds: float | None


class _Report(Output):
    """From `from` up to but not `to`; days and hours are those of `time_zone`."""

    from_: Annotated[Time, Field(serialization_alias="from")]
    to: Time
    time_zone: str
    group_by: str


class ReminderReport(_Report):
    """What reminders came to, a line for each group; hours are on the contacts' clocks."""

    data: list[ReminderLine]
    total: ReminderLine


class CallReport(_Report):
    """What calls came to, a line for each group."""

    data: list[CallLine]
    total: CallLine
