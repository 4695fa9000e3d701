"""One-time tokens: made to be mailed, kept as a hash, taken once.

A token travels to its reader through the outbox, SNS, SQS and SES in the clear: it is worth
something for a short while and once, and is struck out of the outbox when it has been published.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from common_lib.clock import Clock, now
from common_lib.database import AnySession, Database, WriteSession
from common_lib.errors import Rejected
from common_lib.ids import new_id
from user_service.models import OneTimeToken, TokenPurpose, User
from user_service.queries import accounts, one_time_tokens
from user_service.schemas.enums import UserStatus

LIFETIMES: Final = {
    TokenPurpose.RESET_PASSWORD: timedelta(hours=1),
    TokenPurpose.VERIFY_EMAIL: timedelta(days=1),
}
_SECRET_BYTES: Final = 32
# Used and expired tokens are of no use; a day of them helps to answer "the link did not work".
_KEPT: Final = timedelta(days=1)
_PRUNED_AT_ONCE: Final = 1000


class TokenNotValid(Rejected):
    """Unknown, used, expired, replaced, or for an address the account no longer has: all alike."""

    code = "one_time_token_invalid"
    title = "This link does not work, or no longer; ask for a new one"


@dataclass(frozen=True, slots=True)
class IssuedToken:
    secret: str = field(repr=False)
    expires_at: datetime


async def issue(session: WriteSession, user: User, purpose: TokenPurpose) -> IssuedToken:
    """Make a token for the user's present address and end the older ones of this purpose.

    Call it under `accounts.lock_user`.
    """
    await one_time_tokens.delete_open_tokens(session, user.id, purpose)
    secret, moment = secrets.token_urlsafe(_SECRET_BYTES), now()
    row = OneTimeToken(
        id=new_id(),
        user_id=user.id,
        purpose=purpose,
        email=user.email,
        token_hash=_hash(secret),
        created_at=moment,
        expires_at=moment + LIFETIMES[purpose],
    )
    session.add(row)
    return IssuedToken(secret, row.expires_at)


async def owner(session: AnySession, secret: str, purpose: TokenPurpose) -> UUID:
    """Return whom the token was made for, without locks and without judging it further.

    Raises TokenNotValid for one that was never given out.
    """
    user_id = await one_time_tokens.owner_of_token(session, _hash(secret), purpose)
    if user_id is None:
        raise TokenNotValid
    return user_id


async def redeem(session: WriteSession, secret: str, purpose: TokenPurpose) -> User:
    """Use the token up and return its account, locked. Raises TokenNotValid."""
    user = await accounts.lock_user(session, await owner(session, secret, purpose))
    token = await one_time_tokens.lock_token(session, _hash(secret))
    moment = now()
    if user is None or token is None or not _is_good(token, user, moment):
        raise TokenNotValid
    token.used_at = moment
    return user


async def prune(database: Database, *, clock: Clock = now) -> None:
    """Delete what expired long ago, some in each transaction."""
    before = clock() - _KEPT

    async def work(session: WriteSession) -> int:
        return await one_time_tokens.delete_expired_tokens(
            session, before=before, limit=_PRUNED_AT_ONCE
        )

    while await database.transact(work) == _PRUNED_AT_ONCE:
        pass


def _is_good(token: OneTimeToken, user: User, moment: datetime) -> bool:
    return (
        token.used_at is None
        and token.expires_at > moment
        and token.email == user.email
        and user.status is UserStatus.ACTIVE
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
