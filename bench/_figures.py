"""How figures are printed: `name value unit`, a line each, with the machine beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence


def figure(name: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(f"{name} {value:.6g} {unit}", flush=True)


def machine() -> None:
    """Print what the figures were taken on."""
    figure("machine.cores", os.cpu_count() or 1, "cores")
    figure("machine.load_1m", os.getloadavg()[0], "processes")


def percentile(values: Sequence[float], per_cent: float) -> float:
    """Give the value that `per_cent` of `values` do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * per_cent / 100))] if ordered else 0.0
