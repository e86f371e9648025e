"""What waits to be sent to webhooks, and what came of the rest, for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from twoleg.store import Database

MAX_COUNTED: Final = 100_000
"""More than so many are too many, however many they are."""

# Due, and never tried: what waits for its next attempt is late by its receiver's doing.
_BACKLOG: Final = """
SELECT count(*), coalesce(max(extract(epoch FROM now() - next_attempt_at))
    FILTER (WHERE attempts = 0), 0)::float8
FROM (SELECT next_attempt_at, attempts FROM webhook_deliveries WHERE state = 'pending' LIMIT %s) p
"""
_TOTALS: Final = "SELECT outcome, attempts FROM webhook_totals"
_OUTCOMES: Final = ("delivered", "failed", "retried")


async def webhook_figures(database: Database) -> bytes:
    """Return them in Prometheus' text format. Raises DatabaseUnavailable."""
    async with database.connection() as connection:
        cursor = await connection.execute(_BACKLOG, (MAX_COUNTED,))
        row = await cursor.fetchone()
        cursor = await connection.execute(_TOTALS)
        totals = dict(await cursor.fetchall())
    assert row is not None
    pending, seconds = row
    registry = CollectorRegistry()
    for name, text, value in (
        ("pending", "Deliveries that wait for their first or next attempt.", pending),
        ("lag_seconds", "How long the oldest delivery waits for its first attempt.", seconds),
    ):
        gauge = Gauge(f"twoleg_webhook_deliveries_{name}", text, registry=registry)
        gauge.set(max(0, value))
    counter = Counter(
        "twoleg_webhook_attempts",
        "Attempts at deliveries of all workers by what came of them; the last one fails.",
        labelnames=("outcome",),
        registry=registry,
    )
    for outcome in _OUTCOMES:
        counter.labels(outcome).inc(totals.get(outcome, 0))
    return generate_latest(registry)
