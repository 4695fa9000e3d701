"""Months and their partitions."""

from datetime import UTC, datetime

import pytest

from order_service.models.partitions import (
    LAST_PARTITION,
    missing_months,
    months_until,
    partition_clause,
    split_last_partition,
)

NOVEMBER = datetime(2026, 11, 22, tzinfo=UTC)


def test_the_first_migration_reaches_three_months_ahead() -> None:
    names = [month.name for month in months_until(NOVEMBER)]

    assert names[0] == "p202601"
    assert names[-1] == "p202702"
    assert len(names) == 14


def test_a_partition_ends_where_the_next_month_begins() -> None:
    december = months_until(NOVEMBER)[11]

    assert december.definition == "PARTITION p202612 VALUES LESS THAN ('2027-01-01 00:00:00')"


def test_the_clause_ends_with_a_partition_for_everything_else() -> None:
    clause = partition_clause(NOVEMBER)

    assert clause.startswith("PARTITION BY RANGE COLUMNS(created_at) (PARTITION p202601 ")
    assert clause.endswith(f"PARTITION {LAST_PARTITION} VALUES LESS THAN (MAXVALUE))")


@pytest.mark.parametrize(
    ("moment", "added"),
    [
        (NOVEMBER, []),
        (datetime(2026, 12, 1, tzinfo=UTC), ["p202703"]),
        (datetime(2027, 2, 28, tzinfo=UTC), ["p202703", "p202704", "p202705"]),
    ],
)
def test_only_what_is_missing_is_split_off(moment: datetime, added: list[str]) -> None:
    existing = [*(month.name for month in months_until(NOVEMBER)), LAST_PARTITION]

    assert [month.name for month in missing_months(existing, moment)] == added


def test_dropped_old_months_do_not_come_back() -> None:
    assert missing_months(["p202702", LAST_PARTITION], NOVEMBER) == []


def test_the_split_keeps_the_last_partition_last() -> None:
    months = missing_months(["p202702", LAST_PARTITION], datetime(2026, 12, 1, tzinfo=UTC))

    assert split_last_partition(months) == (
        "ALTER TABLE orders REORGANIZE PARTITION p_max INTO ("
        "PARTITION p202703 VALUES LESS THAN ('2027-04-01 00:00:00'), "
        "PARTITION p_max VALUES LESS THAN (MAXVALUE))"
    )
