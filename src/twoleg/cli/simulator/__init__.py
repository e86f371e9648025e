"""A carrier that is none: a trunk of our own with numbers that behave in fixed ways."""
