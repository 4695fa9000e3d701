"""The SQL of placing an order: one look before, one transaction to decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from asyncmy.errors import MySQLError

from common_lib.clock import now
from common_lib.crash_points import crash_point
from common_lib.database import (
    Database,
    is_duplicate_key,
    is_lock_conflict,
    to_column,
)
from common_lib.driver_errors import is_connection_lost
from common_lib.errors import CommitUnknown, Unavailable
from common_lib.idempotency import KeyState
from order_service.queries.driver import (
    Refused,
    Row,
    Statement,
    fetch_all,
    run_all,
)
from order_service.queries.order_rows import INSERT_KEY, SCOPE, SOURCE, Decision, statements

__all__ = [
    "SCOPE",
    "SOURCE",
    "Decision",
    "LookBefore",
    "StoredOutcome",
    "Verdict",
    "aware",
    "commit",
    "decide",
    "insert_aborted",
    "look_before",
    "outcome_of",
    "write",
]

_SELECT_OUTCOME: Final = (
    "SELECT fingerprint, state, subject_id, response_status, response_body"
    " FROM idempotency_keys WHERE user_id = %s AND scope = %s AND idempotency_key = %s"
)
_SELECT_SLOTS: Final = "SELECT slot FROM unpaid_orders WHERE user_id = %s"
_SELECT_COUPON: Final = (
    "SELECT id, code, type, percent_basis_points, amount_minor, max_discount_minor,"
    " min_order_minor, currency, usage_limit, per_user_limit, used_count, valid_from,"
    " valid_until, is_active FROM coupons WHERE code = %s"
)
_SELECT_REDEMPTIONS: Final = (
    "SELECT n FROM coupon_redemptions WHERE user_id = %s"
    " AND coupon_id = (SELECT id FROM coupons WHERE code = %s)"
)


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """What an idempotency key led to: the stored answer and the request it was given for."""

    fingerprint: bytes
    state: KeyState
    subject_id: UUID | None
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class LookBefore:
    """What one round trip tells before anything is reserved."""

    outcome: StoredOutcome | None
    taken_slots: frozenset[int]
    coupon: Row | None
    redeemed: frozenset[int]


class Verdict(StrEnum):
    """How TX2 ended; everything but PLACED was rolled back."""

    PLACED = "placed"
    KEY_TAKEN = "key_taken"
    NUMBER_TAKEN = "number_taken"
    SLOT_TAKEN = "slot_taken"
    COUPON_USED = "coupon_used"
    COUPON_EXHAUSTED = "coupon_exhausted"
    TRY_AGAIN = "try_again"


_VERDICT_OF_DUPLICATE: Final = {
    "key": Verdict.KEY_TAKEN,
    "number": Verdict.NUMBER_TAKEN,
    "slot": Verdict.SLOT_TAKEN,
    "redemption": Verdict.COUPON_USED,
}


async def look_before(
    database: Database, user_id: UUID, key: str, coupon_code: str | None
) -> LookBefore:
    """Read the key's outcome, the buyer's open unpaid orders and the coupon in one round trip."""
    user = user_id.bytes
    statements = [
        Statement("outcome", _SELECT_OUTCOME, (user, SCOPE, key)),
        Statement("slots", _SELECT_SLOTS, (user,)),
    ]
    if coupon_code is not None:
        statements += [
            Statement("coupon", _SELECT_COUPON, (coupon_code,)),
            Statement("redemptions", _SELECT_REDEMPTIONS, (user, coupon_code)),
        ]
    async with database.driver() as connection:
        outcome, slots, *coupon = await fetch_all(connection, statements)
    return LookBefore(
        outcome=_stored(outcome),
        taken_slots=frozenset(slot for (slot,) in slots),
        coupon=coupon[0][0] if coupon and coupon[0] else None,
        redeemed=frozenset(n for (n,) in coupon[1]) if coupon else frozenset(),
    )


async def outcome_of(
    database: Database, user_id: UUID, key: str, *, scope: str = SCOPE
) -> StoredOutcome | None:
    """Read what a key led to, waiting for a transaction that is deciding it.

    Raises Unavailable when that takes too long: the outcome is then not known.
    """
    statement = Statement("outcome", _SELECT_OUTCOME + " FOR UPDATE", (user_id.bytes, scope, key))
    async with database.driver() as connection:
        try:
            (rows,) = await fetch_all(connection, [statement])
        except MySQLError as error:
            if not is_lock_conflict(error):
                raise
            raise Unavailable("the outcome is not decided yet", retry_after_s=1) from error
    return _stored(rows)


async def decide(connection: Any, decision: Decision) -> Verdict:
    """Write everything of TX2 but the commit. Anything but PLACED needs a rollback.

    The insert of the idempotency row is the commit decision; the coupon's guarded update comes
    last, so that the row many buyers want is locked for the shortest time.
    """
    try:
        changed = await run_all(connection, statements(decision))
    except Refused as error:
        return _verdict_of(error)
    if decision.coupon_id is not None and changed[-1] == 0:
        return Verdict.COUPON_EXHAUSTED
    return Verdict.PLACED


async def write(connection: Any, decision: Decision) -> Verdict:
    """Run TX2 to its end; anything but PLACED is rolled back.

    A connection that breaks before the COMMIT has written nothing: it is closed, and the verdict is
    TRY_AGAIN. Raises CommitUnknown, with the connection closed, when it breaks in the COMMIT.
    """
    try:
        verdict = await decide(connection, decision)
        if verdict is not Verdict.PLACED:
            await connection.rollback()
            return verdict
    except Exception as error:
        if not is_connection_lost(error):
            raise
        connection.close()
        return Verdict.TRY_AGAIN
    crash_point("order.tx2_before_commit")
    try:
        await commit(connection)
    except CommitUnknown:
        connection.close()
        raise
    return Verdict.PLACED


async def insert_aborted(
    database: Database,
    user_id: UUID,
    key: str,
    *,
    fingerprint: bytes,
    status: int,
    body: bytes,
) -> bool:
    """Decide that the key led to nothing. False when it was decided before."""
    row = (user_id.bytes, SCOPE, key, fingerprint, KeyState.ABORTED.value, None, status, body)
    statement = Statement("key", INSERT_KEY, (*row, to_column(now())))
    async with database.driver() as connection:
        try:
            await run_all(connection, [statement])
        except Refused as error:
            await connection.rollback()
            if is_duplicate_key(error):
                return False
            raise Unavailable("the outcome cannot be written now", retry_after_s=1) from error
        await commit(connection)
        return True


async def commit(connection: Any) -> None:
    """Commit. Raises CommitUnknown when the connection is lost before the answer."""
    try:
        await connection.commit()
    except Exception as error:
        raise CommitUnknown(retry_after_s=1) from error


def _verdict_of(error: Refused) -> Verdict:
    if is_lock_conflict(error):
        return Verdict.TRY_AGAIN
    if is_duplicate_key(error) and error.statement in _VERDICT_OF_DUPLICATE:
        return _VERDICT_OF_DUPLICATE[error.statement]
    raise error


def _stored(rows: Sequence[Row]) -> StoredOutcome | None:
    if not rows:
        return None
    print_, state, subject, status, body = rows[0]
    return StoredOutcome(
        fingerprint=bytes(print_),
        state=KeyState(state),
        subject_id=UUID(bytes=bytes(subject)) if subject else None,
        status=status,
        body=bytes(body or b""),
    )


def aware(moment: datetime) -> datetime:
    """Return a DATETIME column's value as the aware moment it stands for."""
    return moment.replace(tzinfo=UTC)
