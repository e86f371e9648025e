"""The recordings of calls."""
