"""Accounts, their passwords, addresses and sessions."""

from typing import Final

from tests.proofs.fault import Fault

_ADDRESSES: Final = "user_service/services/addresses.py"

FAULTS: Final = (
    Fault(
        (64,),
        "user_service/services/passwords.py",
        "from passlib.hash import bcrypt_sha256",
        "from passlib.hash import bcrypt as bcrypt_sha256",
    ),
    Fault((66,), _ADDRESSES, "if count >= self.max_per_user:", "if count > self.max_per_user:"),
    Fault(
        (67,),
        _ADDRESSES,
        "    await addresses.clear_default_address(session, address.user_id, moment)\n",
        "",
    ),
    Fault(
        (110,),
        "common_lib/auth/sessions.py",
        "timedelta(seconds=ACCESS_LIFETIME_S + LEEWAY_S)",
        "timedelta(seconds=LEEWAY_S)",
    ),
    Fault(
        (110,),
        "user_service/services/sessions.py",
        "await self.live.revoke(principal.session_id, *map(str, await self.db.transact(work)))",
        "await self.db.transact(work)",
    ),
    Fault(
        (163,),
        "user_service/models/users.py",
        "if expected is not None and self.version not in expected:",
        "if expected is not None and not expected:",
    ),
)
