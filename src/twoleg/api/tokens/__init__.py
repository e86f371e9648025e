"""Tokens: list, make, read, change, delete."""
