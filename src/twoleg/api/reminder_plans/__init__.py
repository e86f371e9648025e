"""Reminder plans: list, make, read, change, delete."""
