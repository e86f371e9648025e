"""The shapes of health."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether calls can be taken in and placed."""

    status: Literal["ok", "unavailable"]
    database: Literal["ok", "unavailable"]
    engines: int
