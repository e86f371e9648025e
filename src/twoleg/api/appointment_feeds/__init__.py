"""Calendar feeds: addresses whose calendars are read again and again."""
