"""Appointments, and the calls that remind of them."""
