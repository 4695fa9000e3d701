"""Links whose mail was lost: their tokens were struck out of the outbox, so they are made anew.

The row of `one_time_tokens` gets another secret and another term, and an event of its own tells of
it. A link that was used, ran out, or was followed by a younger one is left alone: nobody waits
for it.
"""

import hashlib
import json
import secrets
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from common_lib.clock import now
from common_lib.database import Database, WriteSession, to_column
from common_lib.events.users import (
    EmailVerificationRequested,
    PasswordResetRequested,
    UserTokenEvent,
)
from common_lib.outbox import enqueue
from shop.replay.traces import Published

_SOURCE: Final = "user-service"
_SECRET_BYTES: Final = 32
KINDS: Final[dict[str, tuple[str, type[UserTokenEvent]]]] = {
    EmailVerificationRequested.event_type: ("VERIFY_EMAIL", EmailVerificationRequested),
    PasswordResetRequested.event_type: ("RESET_PASSWORD", PasswordResetRequested),
}
# Whoever makes, uses or ends a token locks its user first.
_LOCK_USER: Final = sa.text(
    "SELECT id FROM users WHERE id = :user_id AND email = :email AND status = 'ACTIVE' FOR UPDATE"
)
_OPEN_TOKEN: Final = sa.text(
    "SELECT id, created_at FROM one_time_tokens WHERE user_id = :user_id AND purpose = :purpose"
    " AND email = :email AND expires_at = :expires_at AND used_at IS NULL FOR UPDATE"
)
_RENEW: Final = sa.text(
    "UPDATE one_time_tokens SET token_hash = :token_hash, created_at = :created_at,"
    " expires_at = :expires_at WHERE id = :id"
)


async def renew(users: Database, lost: Published) -> bool:
    """Have the link of a lost mail sent again, with a new token; False if nobody waits for it.

    Safe to repeat: the new link is another event, and the old one no longer fits its token.
    """
    data = json.loads(lost.body)["data"]
    expires_at = datetime.fromisoformat(data["expiresAt"])
    if expires_at <= now():
        return False
    return await users.transact(lambda session: _renew(session, lost.event_type, data, expires_at))


async def _renew(
    session: WriteSession, event_type: str, data: dict[str, Any], expires_at: datetime
) -> bool:
    purpose, kind = KINDS[event_type]
    whose = {"user_id": UUID(data["userId"]).bytes, "email": data["email"]}
    if (await session.execute(_LOCK_USER, whose)).first() is None:
        return False
    wanted = {**whose, "purpose": purpose, "expires_at": to_column(expires_at)}
    token = (await session.execute(_OPEN_TOKEN, wanted)).first()
    if token is None:
        return False
    secret, until = await _put_anew(session, token[0], to_column(expires_at) - token[1])
    event = kind.model_validate({**data, "token": secret, "expiresAt": until})
    await enqueue(session, event, source=_SOURCE)
    return True


async def _put_anew(
    session: WriteSession, token_id: bytes, term: timedelta
) -> tuple[str, datetime]:
    secret, moment = secrets.token_urlsafe(_SECRET_BYTES), now()
    values = {
        "id": token_id,
        "token_hash": hashlib.sha256(secret.encode()).digest(),
        "created_at": to_column(moment),
        "expires_at": to_column(moment + term),
    }
    await session.execute(_RENEW, values)
    return secret, moment + term
