"""Who does for a leg what its port cannot."""

from typing import Protocol


class PortListener(Protocol):
    """Does for a leg what its port cannot; whoever has the port is one."""

    def send_digit(self, digit: str) -> None:
        """Tell the far end of a digit: it takes no telephone-event."""
        ...

    def media_failed(self, why: str) -> None:
        """Take note that no audio will flow with a browser, or none any more."""
        ...
