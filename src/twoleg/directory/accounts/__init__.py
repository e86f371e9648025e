"""Accounts: the tenants that own everything else."""

from twoleg.directory.accounts.queries import (
    any_account,
    change_account,
    find_account,
    setup_account,
)
from twoleg.directory.accounts.values import (
    Account,
    Announcement,
    NewAccount,
    Recording,
    Screening,
)

__all__ = [
    "Account",
    "Announcement",
    "NewAccount",
    "Recording",
    "Screening",
    "any_account",
    "change_account",
    "find_account",
    "setup_account",
]
