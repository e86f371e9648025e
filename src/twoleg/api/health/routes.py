"""`/health`, `/health/ready` and `/metrics`; none needs a token, none tells of an account."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import psycopg
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from twoleg.api.errors import JSONReply
from twoleg.api.health.engine_figures import HEARTBEAT_SECONDS, EngineFigures, figures_of
from twoleg.api.health.schemas import Liveness, Readiness
from twoleg.api.health.webhook_figures import webhook_figures
from twoleg.api.state import DatabaseOf, MeasurementsOf

CHECK_TIMEOUT_SECONDS: Final = 2.0

_ENGINES: Final = """
SELECT count(*) FROM engines
WHERE heartbeat_at > now() - make_interval(secs => %s) AND NOT draining AND NOT gone
"""

router = APIRouter(tags=["health"])


@router.get("/health", response_model=Liveness)
async def liveness() -> Liveness:
    """Tell that the process answers; asks nothing of the database."""
    return Liveness()


@router.get("/health/ready", response_model=Readiness, responses={503: {"model": Readiness}})
async def readiness(database: DatabaseOf) -> Response:
    """Tell whether calls can be taken in (the database) and placed (an engine)."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            async with database.connection() as connection:
                cursor = await connection.execute(_ENGINES, (HEARTBEAT_SECONDS,))
                row = await cursor.fetchone()
        engines = row[0] if row else 0
        ready = Readiness(status="ok" if engines else "unavailable", database="ok", engines=engines)
    except (psycopg.Error, OSError, TimeoutError):
        ready = Readiness(status="unavailable", database="unavailable", engines=0)
    return JSONReply(ready.model_dump(), 200 if ready.status == "ok" else 503)


@router.get("/metrics", response_class=Response)
async def metrics(measurements: MeasurementsOf, database: DatabaseOf) -> Response:
    """Return what this process and the engines measured, for Prometheus.

    Without the database there is nothing of the engines and the webhooks.
    """
    text = generate_latest(measurements.registry)
    with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            text += EngineFigures(await figures_of(database)).to_text()
            text += await webhook_figures(database)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
