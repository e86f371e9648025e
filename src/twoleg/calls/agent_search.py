"""Whom a call asks: its user or ring group, and then what stands behind that. Without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from twoleg.calls.agent_queries import Found, Seek

MAX_TARGETS: Final = 10
"""How many users, groups and numbers one call asks: a chain of fallbacks ends there."""

SETTLE_SECONDS: Final = 0.75
"""How long a user is waited for in any case: a call of theirs may have ended on the wire just now,
and its end is written a moment later. It is looked for them at least twice in that time.
"""


class Target(NamedTuple):
    """A user, a ring group, or a phone number: whichever is not None."""

    user_id: int | None = None
    ring_group_id: int | None = None
    phone_number: str | None = None


@dataclass(slots=True, eq=False)
class AgentSearch:
    """Where one call's search for its agent stands.

    Nobody is asked twice: neither a target that two fallbacks lead to, nor a user that two groups
    have.
    """

    call_id: int
    named: tuple[Target, ...]
    """What the call itself names: a user, a group, or both, the group behind the user."""

    asked_wait_seconds: float | None = None
    """How long the request lets the call wait; it goes before the group's own time."""

    queued_seconds: float = 0.0
    """How long the call had waited when it was claimed."""

    rung: set[int] = field(default_factory=set)
    kept_user_id: int | None = None
    """Who talks while others are sought, and stays reserved for the call."""

    none_free: bool = False
    """Whom it asked last is there, and has another call, or is away."""

    _asked: list[Target] = field(init=False, default_factory=list)
    _target: Target | None = field(init=False)
    _begun: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._target = self.named[0] if self.named else None

    @property
    def target(self) -> Target | None:
        """Whom the call asks now; None: nobody is left."""
        return self._target

    @property
    def seek(self) -> Seek:
        """What to look for in the database."""
        target = self._target or Target()
        return Seek(
            self.call_id,
            target.user_id,
            target.ring_group_id,
            tuple(self.rung),
            self._begun,
            self.kept_user_id,
        )

    def patience(self, group_wait_seconds: int | None) -> float:
        """How long the call may wait for its target, in seconds.

        That counts from the call's acceptance for whom it asks first, and from then on for others.
        A user with a group behind it is not waited for: the group is there for that. Any other is
        waited for as long as the end of a former call takes to be written.
        """
        own = self._target in self.named
        if own and self._target != self.named[-1]:
            return 0.0
        asked = self.asked_wait_seconds if own else None
        waits = float((group_wait_seconds if asked is None else asked) or 0)
        patience = waits if self._asked else waits - self.queued_seconds
        is_user = self._target is not None and self._target.user_id is not None
        return max(patience, SETTLE_SECONDS) if is_user else patience

    def ring(self, found: Found) -> None:
        """Note who is rung now; where that is everybody, what stands behind comes next."""
        self.rung.update([agent["user_id"] for agent in found.agents])
        self._begun = True
        is_user = found.strategy is None
        if is_user or (found.is_ring_all and self.patience(found.max_wait_seconds) <= 0):
            self.turn_to_next(found.fallback)

    def turn_to_next(self, fallback: Mapping[str, Any] | None) -> None:
        """Go on to the target behind this one; `fallback` is that of the group just asked."""
        assert self._target is not None
        self._asked.append(self._target)
        following = Target(**fallback) if fallback else None
        if len(self._asked) < len(self.named) and self._target in self.named:
            following = self.named[len(self._asked)]
        if following is not None and (
            following in self._asked
            or following.user_id in self.rung
            or len(self._asked) >= MAX_TARGETS
        ):
            following = None
        self._target = following
        self._begun = False
