"""Users: list, make, read, change, delete."""
