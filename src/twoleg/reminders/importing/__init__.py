"""Appointments from other systems: CSV files, iCalendar files, and feeds that are polled."""
