"""Whether the process lives, whether calls can be placed, and what it measured."""
