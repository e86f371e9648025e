"""Contacts of an account."""

from twoleg.directory.contacts.queries import (
    change_contact,
    create_contact,
    delete_contact,
    find_contact,
    list_contacts,
)
from twoleg.directory.contacts.values import MAX_PHONE_NUMBERS, Contact, is_language_tag

__all__ = [
    "MAX_PHONE_NUMBERS",
    "Contact",
    "change_contact",
    "create_contact",
    "delete_contact",
    "find_contact",
    "is_language_tag",
    "list_contacts",
]
