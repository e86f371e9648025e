"""Webhooks: where events are sent, what was sent there, send it again."""
