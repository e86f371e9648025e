"""Ring groups of an account."""

from twoleg.directory.ring_groups.queries import (
    change_ring_group,
    create_ring_group,
    delete_ring_group,
    find_ring_group,
    leave_ring_groups,
    list_ring_groups,
)
from twoleg.directory.ring_groups.values import MAX_MEMBERS, RingGroup, Strategy

__all__ = [
    "MAX_MEMBERS",
    "RingGroup",
    "Strategy",
    "change_ring_group",
    "create_ring_group",
    "delete_ring_group",
    "find_ring_group",
    "leave_ring_groups",
    "list_ring_groups",
]
