"""Contacts from CSV files of other systems."""

from twoleg.directory.contacts.importing.csv_rows import Column
from twoleg.directory.contacts.importing.importer import CONTACTS_CSV

__all__ = ["CONTACTS_CSV", "Column"]
