"""Reports: what reminders and calls came to."""
