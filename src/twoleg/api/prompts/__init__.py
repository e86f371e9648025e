"""Prompts: list, make, read, hear, change, delete."""
