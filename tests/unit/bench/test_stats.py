import math

import pytest

from tests.bench.stats import per_item_us, percentile, ratio


def test_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(100, 0, -1)]

    assert percentile(values, 0.50) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1.0) == 100


def test_percentile_of_one_value_is_that_value() -> None:
    assert percentile([3.0], 0.01) == percentile([3.0], 0.99) == 3.0


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_cpu_is_spread_over_what_was_done() -> None:
    assert per_item_us(0.5, 1000) == 500


def test_nothing_done_costs_infinitely_much() -> None:
    assert per_item_us(0.5, 0) == math.inf
    assert ratio(1.0, 0.0) == math.inf
