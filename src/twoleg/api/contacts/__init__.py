"""Contacts: list, make, read, change, delete."""
