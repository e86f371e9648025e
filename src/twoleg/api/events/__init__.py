"""Events of calls as they come, as server-sent events."""
