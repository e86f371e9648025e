"""Accounts and what they own: users, ring groups, contacts, lines, trunks, tokens.

Each kind of thing is a package of its own: `values` (what it is) and `queries` (statements, each
bound to one account).
"""

from twoleg.directory.errors import Conflict, DirectoryError, Invalid, NotFound

__all__ = ["Conflict", "DirectoryError", "Invalid", "NotFound"]
