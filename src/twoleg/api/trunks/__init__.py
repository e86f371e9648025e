"""Trunks: list, make, read, change, delete."""
