"""Trunks of an account."""

from twoleg.directory.trunks.queries import (
    change_trunk,
    create_trunk,
    delete_trunk,
    find_trunk,
    list_trunks,
)
from twoleg.directory.trunks.values import (
    CallerIdMode,
    NumberFormat,
    Privacy,
    Trunk,
    TrunkCodec,
    TrunkTransport,
    is_dial_prefix,
    is_host,
)

__all__ = [
    "CallerIdMode",
    "NumberFormat",
    "Privacy",
    "Trunk",
    "TrunkCodec",
    "TrunkTransport",
    "change_trunk",
    "create_trunk",
    "delete_trunk",
    "find_trunk",
    "is_dial_prefix",
    "is_host",
    "list_trunks",
]
