"""How large a sale is, what must come of it, and the arithmetic of what was measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from shop.stack.errors import StackError

MOST_BUYERS: Final = 20_000
MOST_STOCK: Final = 1_000_000
MOST_EACH: Final = 10
IN_FLIGHT: Final = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """`buyers` people who each want `quantity` units of the `stock`; `seed` shuffles them."""

    buyers: int
    stock: int
    quantity: int = 1
    seed: int = 1

    @classmethod
    def checked(cls, *, buyers: int, stock: int, quantity: int, seed: int) -> Self:
        """Raise StackError for a sale that nobody could hold."""
        _require("--buyers", buyers, MOST_BUYERS)
        _require("--stock", stock, MOST_STOCK)
        _require("--quantity", quantity, MOST_EACH)
        if quantity > stock:
            raise StackError(
                f"nobody can buy {quantity} of {stock} units", "ask for a --quantity up to --stock"
            )
        return cls(buyers, stock, quantity, seed)

    @property
    def orders(self) -> int:
        """How many orders must be placed: all buyers want the same number of units."""
        return min(self.buyers, self.stock // self.quantity)

    @property
    def refusals(self) -> int:
        return self.buyers - self.orders

    @property
    def units_left(self) -> int:
        return self.stock - self.orders * self.quantity


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run took: `latencies_ms` has one entry for each answer."""

    elapsed_s: float
    sold: int
    latencies_ms: Sequence[float]

    @property
    def answers_per_s(self) -> float:
        return len(self.latencies_ms) / max(self.elapsed_s, 1e-9)

    @property
    def sold_per_s(self) -> float:
        return self.sold / max(self.elapsed_s, 1e-9)

    @property
    def p50_ms(self) -> float:
        return percentile(self.latencies_ms, 0.50)

    @property
    def p99_ms(self) -> float:
        return percentile(self.latencies_ms, 0.99)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile, 0 of no values; `share` from 0 to 1."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _require(option: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise StackError(f"{option} is {value:,}", f"choose 1 to {most:,}")
