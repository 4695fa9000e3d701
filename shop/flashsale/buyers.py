"""The buyers of a sale: real rows in users_db, real tokens, but not the hour of registering.

A registration costs a quarter of a second of bcrypt by design, so a thousand would take minutes
before the doors open. Their rows are written directly, with a password nobody knows, and their
tokens are signed with the stack's own key: what the services then check is what they always check.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final
from uuid import UUID

from passlib.hash import bcrypt_sha256
from sqlalchemy.dialects.mysql import insert

from common_lib.auth import Role, TokenSigner
from common_lib.database import Database, WriteSession
from shop.data.stable_ids import SEED_DAY, midnight, stable_id
from shop.data.tables import Batch, Row

_BATCH: Final = 1_000
_FIRST: Final = ("Asha", "Rohan", "Meera", "Imran", "Kavya", "Joseph", "Zoya", "Arjun", "Lalita")
_LAST: Final = ("Rao", "Iyer", "Khan", "Menon", "Bose", "Kaur", "Naidu", "Desai", "Thomas", "Gill")


@dataclass(frozen=True, slots=True)
class Buyer:
    """Somebody with a token and the one idempotency key of their order."""

    user_id: UUID
    token: str
    key: str


async def invite(database: Database, signer: TokenSigner, count: int, seed: int) -> list[Buyer]:
    """Return `count` buyers in the order of `seed`; the rows of earlier sales are used again."""
    ids = [_id(number) for number in range(count)]
    # Cheap rounds: the password is random and thrown away.
    nobody_knows = bcrypt_sha256.using(rounds=4).hash(secrets.token_hex(16))
    for start in range(0, count, _BATCH):
        rows = [_user(n, nobody_knows) for n in range(start, min(start + _BATCH, count))]
        await database.transact(partial(_insert, rows))
    sale = secrets.token_hex(6)
    buyers = [
        Buyer(user_id, signer.access(user_id, Role.CUSTOMER, secrets.token_hex(16)), f"{sale}-{n}")
        for n, user_id in enumerate(ids)
    ]
    Random(seed).shuffle(buyers)
    return buyers


async def _insert(rows: Sequence[Row], session: WriteSession) -> None:
    batch = Batch("users", rows)
    kept = {batch.key: batch.table.c[batch.key]}
    await session.execute(insert(batch.table).on_duplicate_key_update(kept), list(rows))


def _id(number: int) -> UUID:
    return stable_id("flash-buyer", str(number))


def _user(number: int, password_hash: str) -> Row:
    first = _FIRST[number % len(_FIRST)]
    last = _LAST[number // len(_FIRST) % len(_LAST)]
    return {
        "id": _id(number),
        "email": f"buyer-{number:05}@flashsale.example",
        "password_hash": password_hash,
        "full_name": f"{first} {last}",
        "phone": None,
        "role": Role.CUSTOMER.value,
        "status": "ACTIVE",
        "email_verified": True,
        "preferences": {},
        "version": 1,
        "created_at": midnight(SEED_DAY),
        "updated_at": midnight(SEED_DAY),
    }
