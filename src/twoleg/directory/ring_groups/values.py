"""Ring groups: users that are rung together or in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

MAX_MEMBERS: Final = 200


class Strategy(StrEnum):
    """In which order the users of a group are rung."""

    RING_ALL = "ring_all"
    IN_ORDER = "in_order"
    ROUND_ROBIN = "round_robin"
    LONGEST_IDLE = "longest_idle"
    RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class RingGroup:
    """A ring group: `user_ids` in their order; `fallback` names one user, group or phone number.

    None: `max_waiting` is any number of calls, `wrap_up_seconds` and `screening`
    are the account's. `waiting` is how many calls wait for somebody now.
    """

    id: int
    account_id: int
    name: str
    strategy: str
    ring_seconds: int
    max_wait_seconds: int
    max_waiting: int | None
    wrap_up_seconds: int | None
    screening: str | None
    fallback: Mapping[str, Any] | None
    created_at: datetime
    user_ids: Sequence[int]
    waiting: int
