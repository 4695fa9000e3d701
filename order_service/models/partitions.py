"""The monthly partitions of `orders`: names, bounds and the DDL for them.

A partition p202601 holds January 2026. The last one, p_max, takes whatever lies beyond, so that an
insert never fails for want of a partition; it is split before it holds anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

FIRST_MONTH: Final = date(2026, 1, 1)
MONTHS_AHEAD: Final = 3
LAST_PARTITION: Final = "p_max"
_DECEMBER: Final = 12


@dataclass(frozen=True, slots=True, order=True)
class MonthPartition:
    """One month, by its first day."""

    first_day: date

    @property
    def name(self) -> str:
        return f"p{self.first_day:%Y%m}"

    @property
    def definition(self) -> str:
        return f"PARTITION {self.name} VALUES LESS THAN ('{_next_month(self.first_day)} 00:00:00')"


def months_until(moment: datetime, *, ahead: int = MONTHS_AHEAD) -> list[MonthPartition]:
    """Return the partitions from the first month to `ahead` months after `moment`'s."""
    last = moment.date().replace(day=1)
    for _ in range(ahead):
        last = _next_month(last)
    months, month = [], FIRST_MONTH
    while month <= last:
        months.append(MonthPartition(month))
        month = _next_month(month)
    return months


def missing_months(existing: Sequence[str], moment: datetime) -> list[MonthPartition]:
    """Return what `existing` lacks, after its newest month: RANGE partitions grow at one end."""
    newest = max((name for name in existing if name != LAST_PARTITION), default="")
    return [month for month in months_until(moment) if month.name > newest]


def partition_clause(moment: datetime) -> str:
    """Return the PARTITION BY clause of CREATE TABLE."""
    return f"PARTITION BY RANGE COLUMNS(created_at) ({_definitions(months_until(moment))})"


def split_last_partition(months: Sequence[MonthPartition]) -> str:
    """Return the DDL that cuts `months` out of the last partition."""
    return f"ALTER TABLE orders REORGANIZE PARTITION {LAST_PARTITION} INTO ({_definitions(months)})"


def _definitions(months: Sequence[MonthPartition]) -> str:
    bounds = [month.definition for month in months]
    return ", ".join([*bounds, f"PARTITION {LAST_PARTITION} VALUES LESS THAN (MAXVALUE)"])


def _next_month(month: date) -> date:
    if month.month == _DECEMBER:
        return date(month.year + 1, 1, 1)
    return month.replace(month=month.month + 1)
