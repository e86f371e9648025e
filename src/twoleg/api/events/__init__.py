"""Events of calls and appointments as they come, as server-sent events."""
