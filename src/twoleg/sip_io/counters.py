"""What the shell counts, for metrics."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Plain rising numbers, read by whoever exports them."""

    datagrams_received: int = 0
    messages_received: int = 0
    """Over connections."""
    sent: int = 0
    send_failures: int = 0
    dropped_sources: int = 0
    """Datagrams and connections from sources that are shut out."""
    forbidden: int = 0
    """Requests answered 403 or dropped because of whom they came from."""
    sources_shut_out: int = 0
    stream_errors: int = 0
    connections_opened: int = 0
    connections_accepted: int = 0
    connections_refused: int = 0
    connections_failed: int = 0
    connections_idle_closed: int = 0
    wrong_certificates: int = 0
    calls_placed: int = 0
    calls_answered: int = 0
    calls_refused: int = 0
    calls_incoming: int = 0
    calls_overflowed: int = 0
    registrations: int = 0
    registrations_challenged: int = 0
    registrations_refused: int = 0
    registrations_overflowed: int = 0
    callback_errors: int = 0
    """Exceptions of the embedding's own callbacks; each is logged."""
    internal_errors: int = 0
    """Messages and timers that the stack itself failed at; each is logged."""
