"""What came of calls and reminders over a time, in figures, and lists to take away."""
