"""Calls: place, list, read, say what one came to, hang up."""
