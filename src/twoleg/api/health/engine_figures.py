"""What the engines measured, as Prometheus wants it: read from their heartbeats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from twoleg.store import Database

# An engine that was not heard of for so long places no calls.
HEARTBEAT_SECONDS: Final = 15
MAX_ENGINES: Final = 1000

_FIGURES: Final = """
SELECT id, name, extract(epoch FROM clock_timestamp() - heartbeat_at)::float8, draining, figures
FROM engines WHERE NOT gone AND heartbeat_at > clock_timestamp() - make_interval(secs => %s)
ORDER BY id LIMIT %s
"""

_GAUGES: Final = {
    "calls_running": "Calls that run.",
    "calls_waiting": "Calls that wait for an agent.",
    "event_loop_lateness_seconds": "How late its event loop is; over 0.1 fewer calls are claimed.",
    "legs": "SIP legs that are not over.",
    "tasks": "Tasks of its event loop.",
    "rtp_ports_free": "RTP port pairs that could be opened.",
    "rtp_ports_open": "RTP port pairs that are open.",
    "trunks_registered": "Trunks that the engine is registered with.",
    "record_changes_pending": "Changes of calls that wait for the database.",
    "recordings": "Calls that are being recorded.",
}
_COUNTERS: Final = {
    "calls_placed": "Calls begun.",
    "record_changes": "Changes of calls written.",
    "record_batches": "Statements that wrote them.",
    "record_changes_lost": "Changes of calls that were dropped.",
    "recordings_stopped": "Recordings that ended before their calls: the disk was full or slow.",
}
_LABELS: Final = ("engine", "host")

Row = tuple[int, str, float, bool, dict[str, Any]]


async def figures_of(database: Database) -> Sequence[Row]:
    """Read the figures of the engines that live. Raises DatabaseUnavailable."""
    async with database.connection() as connection:
        cursor = await connection.execute(_FIGURES, (HEARTBEAT_SECONDS, MAX_ENGINES))
        return await cursor.fetchall()


class EngineFigures(Collector):
    """The figures of some engines, each labelled with the engine's id and host."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def to_text(self) -> bytes:
        """Write them in the text format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Give a family for each figure."""
        age = GaugeMetricFamily(
            "twoleg_engine_heartbeat_age_seconds", "Time since it was heard of.", labels=_LABELS
        )
        draining = GaugeMetricFamily(
            "twoleg_engine_draining", "Whether it takes no more calls.", labels=_LABELS
        )
        for engine_id, host, seconds, is_draining, _ in self._rows:
            age.add_metric((str(engine_id), host), seconds)
            draining.add_metric((str(engine_id), host), is_draining)
        yield from (age, draining)
        for name, text in _GAUGES.items():
            yield self._plain(GaugeMetricFamily, "gauges", name, text)
        for name, text in _COUNTERS.items():
            yield self._plain(CounterMetricFamily, "counters", name, text)
        yield self._named("outcomes", "calls_ended", "Calls that ended, by outcome.", "outcome")
        yield self._named("sip", "sip", "What its SIP counted.", "counter")

    def _plain(
        self,
        kind: type[GaugeMetricFamily | CounterMetricFamily],
        group: str,
        name: str,
        text: str,
    ) -> Metric:
        family = kind(f"twoleg_engine_{name}", text, labels=_LABELS)
        for engine_id, host, _, _, figures in self._rows:
            if name in figures.get(group, ()):
                family.add_metric((str(engine_id), host), figures[group][name])
        return family

    def _named(self, group: str, name: str, text: str, label: str) -> Metric:
        family = CounterMetricFamily(f"twoleg_engine_{name}", text, labels=(*_LABELS, label))
        for engine_id, host, _, _, figures in self._rows:
            for each, count in figures.get(group, {}).items():
                family.add_metric((str(engine_id), host, each), count)
        return family
