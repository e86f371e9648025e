"""Phones and proxies that others wrote, run as processes of their own."""
