"""Ring groups: list, make, read, change, delete."""
