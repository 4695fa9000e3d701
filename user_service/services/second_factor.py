"""Use cases of the second factor: time-based codes (RFC 6238) and recovery codes.

Codes are checked under the lock of the authenticator's row. What was guessed wrong is counted there
and commits: the limit is the account's, exact under concurrency, and needs no Redis.
"""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import pyotp
from pyotp.exceptions import OTPVerificationError
from redis.asyncio import Redis

from common_lib.auth import Principal
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.errors import Conflict, Forbidden, NotFound
from common_lib.events.users import SecondFactorDisabled, SecondFactorEnabled
from common_lib.ids import new_id
from common_lib.outbox import enqueue, wake
from user_service.models import RecoveryCode, TotpCredential, User
from user_service.queries import accounts
from user_service.queries import second_factor as queries
from user_service.schemas.enums import UserStatus
from user_service.schemas.mfa import ProofRequest
from user_service.services.field_cipher import FieldCipher
from user_service.services.tokens import hash_of
from user_service.services.users import SOURCE, TooManyAttempts, Users

RECOVERY_CODES: Final = 10
# 80 bits: too many to be searched for in hashes that fell into the wrong hands.
_RECOVERY_BYTES: Final = 10
_GROUP: Final = 4
# RFC 6238, 5.2: one step back for the way the code takes, one ahead for a clock that is fast.
_WINDOW: Final = 1


class AlreadyEnabled(Conflict):
    code = "mfa_already_enabled"
    title = "A second factor is set up already"


class NotEnabled(Conflict):
    code = "mfa_not_enabled"
    title = "No second factor is set up"


class CodeNeeded(Forbidden):
    code = "mfa_code_required"
    title = "This needs the present code of your authenticator"


class Finding(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a code; kept apart from raising, so that a wrong one is counted for good."""

    finding: Finding
    wait_s: float = 0.0

    @property
    def is_right(self) -> bool:
        return self.finding is Finding.RIGHT

    def ensure_looked_at(self) -> None:
        """Raise TooManyAttempts if too many codes were wrong for one more to be looked at."""
        if self.wait_s:
            raise TooManyAttempts(retry_after_s=self.wait_s)


@dataclass(frozen=True, slots=True)
class Enrolment:
    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class SecondFactor:
    db: Database
    redis: Redis
    users: Users
    cipher: FieldCipher
    shop_name: str

    async def enrol(self, caller: Principal, caller_ip: str, password: str) -> Enrolment:
        """Make a secret for an authenticator app; a former one that was not confirmed is void.

        Raises PasswordNeeded, TooManyAttempts or AlreadyEnabled.
        """
        await self.users.check_own_password(caller, caller_ip, password)
        secret = pyotp.random_base32()

        async def work(session: WriteSession) -> User:
            user = _living(await accounts.lock_user(session, caller.user_id))
            credential = await queries.lock_credential(session, user.id)
            if credential is not None and credential.confirmed_at is not None:
                raise AlreadyEnabled
            if credential is None:
                credential = TotpCredential(user_id=user.id)
                session.add(credential)
            credential.begin(self.cipher.encrypt(user.id, secret), now())
            return user

        user = await self.db.transact(work)
        uri = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=self.shop_name)
        return Enrolment(secret, uri)

    async def confirm(self, caller: Principal, code: str) -> list[str]:
        """Let the authenticator count from now on; return the recovery codes, for this once.

        Raises CodeNeeded, TooManyAttempts, NotEnabled or AlreadyEnabled.
        """
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]

        async def work(session: WriteSession) -> Verdict:
            user = _living(await accounts.lock_user(session, caller.user_id))
            credential = await queries.lock_credential(session, user.id)
            if credential is not None and credential.confirmed_at is not None:
                raise AlreadyEnabled
            moment = now()
            verdict = self._check_code(credential, code, moment)
            if credential is not None and verdict.is_right:
                credential.confirmed_at = moment
                session.add_all(_kept(user.id, code, moment) for code in codes)
                await enqueue(session, SecondFactorEnabled(**_about(user)), source=SOURCE)
            return verdict

        _insist(await self.db.transact(work))
        await wake(self.redis, SOURCE)
        return [_grouped(code) for code in codes]

    async def disable(
        self, caller: Principal, caller_ip: str, password: str, proof: ProofRequest
    ) -> None:
        """Take the second factor away. It takes the password and a code, or a recovery code.

        Raises PasswordNeeded, CodeNeeded, TooManyAttempts or NotEnabled.
        """
        await self.users.check_own_password(caller, caller_ip, password)

        async def work(session: WriteSession) -> Verdict:
            user = _living(await accounts.lock_user(session, caller.user_id))
            verdict = await self.check(session, user.id, proof)
            if verdict.is_right:
                await queries.delete_second_factor(session, user.id)
                await enqueue(session, SecondFactorDisabled(**_about(user)), source=SOURCE)
            return verdict

        _insist(await self.db.transact(work))
        await wake(self.redis, SOURCE)

    async def check(self, session: WriteSession, user_id: UUID, proof: ProofRequest) -> Verdict:
        """Use a code up or count a wrong one, in the caller's transaction, which has to commit."""
        credential = await queries.lock_credential(session, user_id)
        moment = now()
        if credential is None or credential.confirmed_at is None:
            return Verdict(Finding.ABSENT)
        if proof.code is not None:
            return self._check_code(credential, proof.code, moment)
        if wait_s := credential.wait_s(moment):
            return Verdict(Finding.WRONG, wait_s)
        code_hash = _recovery_hash(user_id, proof.recovery_code or "")
        is_right = await queries.use_recovery_code(session, user_id, code_hash, moment)
        return _counted(credential, moment, is_right=is_right)

    def _check_code(
        self, credential: TotpCredential | None, code: str, moment: datetime
    ) -> Verdict:
        if credential is None:
            return Verdict(Finding.ABSENT)
        if wait_s := credential.wait_s(moment):
            return Verdict(Finding.WRONG, wait_s)
        step = self._step_of(credential, code, moment)
        if step > credential.last_step:
            credential.last_step = step
            return _counted(credential, moment, is_right=True)
        return _counted(credential, moment, is_right=False)

    def _step_of(self, credential: TotpCredential, code: str, moment: datetime) -> int:
        """Return the time step that the code belongs to, 0 for a wrong one."""
        totp = pyotp.TOTP(self.cipher.decrypt(credential.user_id, credential.secret))
        try:
            return totp.verify_and_get_timecode(code, for_time=moment, valid_window=_WINDOW)
        except OTPVerificationError:
            return 0


def _insist(verdict: Verdict) -> None:
    """Raise TooManyAttempts, NotEnabled or CodeNeeded unless the code was right."""
    verdict.ensure_looked_at()
    if verdict.is_right:
        return
    raise NotEnabled if verdict.finding is Finding.ABSENT else CodeNeeded("the code is not right")


def _counted(credential: TotpCredential, moment: datetime, *, is_right: bool) -> Verdict:
    if is_right:
        credential.succeed()
        return Verdict(Finding.RIGHT)
    credential.fail(moment)
    return Verdict(Finding.WRONG)


def _recovery_code() -> str:
    return base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def _recovery_hash(user_id: UUID, code: str) -> bytes:
    return hash_of(f"{user_id}:{code}")


def _kept(user_id: UUID, code: str, moment: datetime) -> RecoveryCode:
    return RecoveryCode(
        id=new_id(), user_id=user_id, code_hash=_recovery_hash(user_id, code), created_at=moment
    )


def _about(user: User) -> dict[str, Any]:
    return {"user_id": user.id, "email": user.email, "full_name": user.name_in_mails}


def _living(user: User | None) -> User:
    if user is None or user.status is UserStatus.DELETED:
        raise NotFound
    return user
