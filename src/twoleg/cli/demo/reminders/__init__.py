"""A clinic's morning of reminders, called for real, with simulated contacts."""
