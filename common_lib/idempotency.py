"""Idempotency keys: one key, one outcome, replayed for whoever asks again.

The row's primary key is the decision: whoever inserts it first has done the work, the others read
its stored answer. See https://docs.stripe.com/api/idempotent_requests for the behaviour followed.
"""

import hashlib
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import rfc8785
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime
from common_lib.errors import Conflict, Rejected

MAX_KEY_LENGTH: Final = 255
IN_FLIGHT_TTL_MS: Final = 30_000


class IdempotencyKeyRequired(Rejected):
    code = "idempotency_key_required"
    title = "Send an Idempotency-Key header"


class IdempotencyKeyConflict(Rejected):
    code = "idempotency_key_conflict"
    title = "The header and the body name different idempotency keys"


class IdempotencyKeyReused(Rejected):
    code = "idempotency_key_reused"
    title = "This idempotency key was used with another request"


class RequestInFlight(Conflict):
    code = "request_in_flight"
    title = "The same request is still being worked on"
    is_retryable = True


class KeyState(StrEnum):
    PLACED = "PLACED"
    ABORTED = "ABORTED"


def key_from(header: str | None, *body_keys: str | None) -> str:
    """Return the one key that header and body name.

    Raises IdempotencyKeyRequired for none, IdempotencyKeyConflict for different ones, and Rejected
    for one that is not 1 to 255 printable ASCII characters.
    """
    given = {key for key in (header, *body_keys) if key is not None}
    if not given or given == {""}:
        raise IdempotencyKeyRequired
    if len(given) > 1:
        raise IdempotencyKeyConflict
    key = given.pop()
    if len(key) > MAX_KEY_LENGTH or not (key.isascii() and key.isprintable()):
        raise Rejected("an idempotency key is 1 to 255 printable ASCII characters")
    return key


def optional_key(header: str | None) -> str | None:
    """Return the key where one was sent. Raises Rejected as `key_from` does."""
    return key_from(header) if header else None


def fingerprint(user_id: UUID, route: str, body: Any) -> bytes:
    """Return SHA-256 over user, route and the body's canonical JSON (RFC 8785): 32 bytes.

    Raises Rejected for what has no canonical form: an integer beyond 2**53, a lone surrogate.
    """
    try:
        canonical = rfc8785.dumps([str(user_id), route, body])
    except rfc8785.CanonicalizationError:
        raise Rejected("a number or text is outside what JSON can carry exactly") from None
    return hashlib.sha256(canonical).digest()


def define_idempotency_keys(metadata: sa.MetaData) -> "sa.Table[Any]":
    """Declare the table `idempotency_keys` in a service's schema."""
    return sa.Table("idempotency_keys", metadata, *_columns(), **TABLE_OPTIONS)


def create_idempotency_keys(operations: Any) -> None:
    """Create the table in a migration; `operations` is Alembic's `op`."""
    operations.create_table("idempotency_keys", *_columns(), **TABLE_OPTIONS)


def _columns() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("scope", sa.String(32, collation="utf8mb4_bin"), nullable=False),
        sa.Column(
            "idempotency_key", sa.String(MAX_KEY_LENGTH, collation="utf8mb4_bin"), nullable=False
        ),
        sa.Column("fingerprint", sa.BINARY(32), nullable=False),
        sa.Column("state", sa.Enum(KeyState, native_enum=False, length=16), nullable=False),
        sa.Column("subject_id", Id(), nullable=True),
        sa.Column("response_status", sa.SmallInteger(), nullable=True),
        sa.Column("response_body", mysql.MEDIUMBLOB(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "scope", "idempotency_key"),
        sa.UniqueConstraint("scope", "subject_id"),
        sa.Index("ix_idempotency_keys_created_at", "created_at"),
        sa.CheckConstraint("state IN ('PLACED', 'ABORTED')", name="state"),
    ]
