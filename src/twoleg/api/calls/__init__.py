"""Calls: place, list, read, hang up."""
