"""The endpoint whose contract may not change."""
