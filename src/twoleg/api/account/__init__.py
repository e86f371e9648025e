"""The account's own settings: read, change."""
