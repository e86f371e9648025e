"""Lines: list, make, read, change, delete."""
