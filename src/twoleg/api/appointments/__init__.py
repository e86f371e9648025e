"""Appointments: list, make, read, change, delete."""
