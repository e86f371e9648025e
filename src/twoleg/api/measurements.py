"""What the api process measures of itself, in a Prometheus registry of its own."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Measurements:
    """Counters of one app; made with it, so that two apps in a process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "twoleg_http_requests",
            "HTTP requests by method and status.",
            ("method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "twoleg_http_request_seconds",
            "Time from a request's headers to the end of its reply.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._children: dict[tuple[str, int], Counter] = {}

    def request(self, method: str, status: int, seconds: float) -> None:
        """Count one request; status 0 is one whose client had gone."""
        key = (method if method in _METHODS else "other", status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._requests.labels(key[0], str(status))
        child.inc()
        self._seconds.observe(seconds)
