"""Delivery of events to webhooks: from the log to each receiver, at least once, in order."""

from twoleg.events.delivery.service import Delivering, delivering, remove_old_deliveries

__all__ = ["Delivering", "delivering", "remove_old_deliveries"]
