"""What the api process measures of itself, in a Prometheus registry of its own."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Measurements(Collector):
    """Counters of one app; made with it, so that two apps in a process do not mix.

    Plain numbers, because one event loop writes them: the client's own take a lock each time.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets = [0] * (len(_SECONDS) + 1)
        self._seconds = 0.0
        self.event_streams: Callable[[], int] = lambda: 0
        """Counts who reads events now."""

        self.registry.register(self)

    def request(self, method: str, status: int, seconds: float) -> None:
        """Count one request; status 0 is one whose client had gone."""
        self._requests[method if method in _METHODS else "other", status] += 1
        self._buckets[bisect_left(_SECONDS, seconds)] += 1
        self._seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """Give what was measured, as Prometheus wants it."""
        requests = CounterMetricFamily(
            "twoleg_http_requests",
            "HTTP requests by method and status.",
            labels=("method", "status"),
        )
        for (method, status), count in self._requests.items():
            requests.add_metric((method, str(status)), count)
        yield requests
        bounds = [*map(str, _SECONDS), "+Inf"]
        yield HistogramMetricFamily(
            "twoleg_http_request_seconds",
            "Time from a request's headers to the end of its reply.",
            buckets=list(zip(bounds, accumulate(self._buckets), strict=True)),
            sum_value=self._seconds,
        )
        yield GaugeMetricFamily(
            "twoleg_event_streams", "Open streams of events.", value=self.event_streams()
        )
