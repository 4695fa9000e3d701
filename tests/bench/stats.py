"""The arithmetic of a measurement."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; `share` from 0 to 1. Raises ValueError on no values."""
    if not values:
        raise ValueError("there is no percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def per_item_us(cpu_s: float, count: int) -> float:
    """Return microseconds of CPU for each of `count`; infinite where nothing was done."""
    return cpu_s * 1e6 / count if count else math.inf


def ratio(value: float, base: float) -> float:
    return value / base if base else math.inf
