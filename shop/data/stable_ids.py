"""Ids that are the same on every machine: derived from a key instead of drawn."""

import hashlib
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Final
from uuid import UUID

SEED_DAY: Final = date(2025, 10, 1)
_HASH_BITS: Final = 80
_VERSION: Final = 7
_VARIANT: Final = 0b10


def stable_id(kind: str, key: str, day: date = SEED_DAY) -> UUID:
    """Return the UUIDv7 (RFC 9562, 5.7) of a seeded row: the day's midnight, then hashed bits.

    The day puts a product among the others where lists are ordered by age, as its id does.
    """
    milliseconds = int(midnight(day).timestamp() * 1000)
    hashed = hashlib.sha256(f"{kind}:{key}".encode()).digest()
    value = (milliseconds << _HASH_BITS) | int.from_bytes(hashed[: _HASH_BITS // 8])
    value = _put(value, _VERSION, width=4, shift=76)
    return UUID(int=_put(value, _VARIANT, width=2, shift=62))


@cache
def midnight(day: date) -> datetime:
    """Return the first moment of the day in UTC."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def _put(value: int, bits: int, *, width: int, shift: int) -> int:
    mask = ((1 << width) - 1) << shift
    return value & ~mask | bits << shift
