"""Calls: taken in, placed, told as a story, recorded, recovered."""

from twoleg.calls.engine import Engine, EngineConfig

__all__ = ["Engine", "EngineConfig"]
