"""The rows of the user service."""

from typing import Final
from uuid import uuid4

from tests.e2e.rights.callers import (
    Actor,
    administrators,
    everybody,
    owner_only,
    owner_or_admin,
    people,
    services,
)
from tests.e2e.rights.rows import Row
from tests.e2e.rights.world import PASSWORD, World
from tests.rights.answers import DONE, GONE, SEES, WRONG_ROLE, Refused
from tests.shopper import ADDRESS

USER: Final = "/api/users/{user_id}"
ADDRESSES: Final = f"{USER}/addresses"
OLD_PASSWORD: Final = Refused(403, "current_password_required")
BAD_LINK: Final = Refused(422, "one_time_token_invalid")
BAD_TOKEN: Final = Refused(401, "invalid_token")
PROVEN: Final = Refused(409, "email_already_verified")
NO_FACTOR: Final = Refused(409, "mfa_not_enabled")


def _address(world: World) -> dict[str, str]:
    return ADDRESS | {"city": f"City {world.secret}"}


ACCOUNTS: Final = (
    Row(
        "user",
        "POST",
        "/api/users",
        "P",
        everybody(DONE),
        success=201,
        body=lambda _: {
            "email": f"{uuid4().hex}@example.com",
            "password": PASSWORD,
            "fullName": "New",
        },
    ),
    Row("user", "GET", "/api/users", "A", administrators(), query="?email={email}"),
    Row("user", "GET", USER, "C,A", owner_or_admin()),
    Row("user", "PUT", USER, "C,A", owner_or_admin(), body=lambda _: {"phone": "+919812345678"}),
    Row(
        "user",
        "DELETE",
        USER,
        "C,A",
        owner_or_admin(),
        success=204,
        shows="",
        body=lambda _: {"currentPassword": PASSWORD},
    ),
    Row("user", "GET", f"{USER}/export", "C,A", owner_or_admin()),
    Row(
        "user",
        "PUT",
        f"{USER}/password",
        "C",
        owner_only(),
        success=204,
        shows="",
        body=lambda _: {"currentPassword": PASSWORD, "newPassword": "another-pass-456"},
    ),
    Row(
        "user",
        "PATCH",
        f"{USER}/role",
        "A",
        administrators(),
        body=lambda _: {"role": "SELLER"},
    ),
    Row(
        "user",
        "PATCH",
        f"{USER}/status",
        "A",
        administrators(),
        body=lambda _: {"status": "SUSPENDED"},
    ),
)

ADDRESS_BOOK: Final = (
    Row("user", "POST", ADDRESSES, "C", owner_only(), success=201, body=_address),
    Row("user", "GET", ADDRESSES, "C,A", owner_or_admin()),
    Row("user", "PUT", ADDRESSES + "/{address_id}", "C", owner_only(), body=_address),
    Row(
        "user",
        "DELETE",
        ADDRESSES + "/{address_id}",
        "C",
        owner_only(),
        success=204,
        shows="",
    ),
    Row("user", "PATCH", ADDRESSES + "/{address_id}/default", "C", owner_only()),
)

SESSIONS: Final = (
    Row(
        "user",
        "POST",
        "/api/auth/login",
        "P",
        everybody(SEES),
        body=lambda world: {"email": world.owner.email, "password": PASSWORD},
        is_harmless=True,
    ),
    Row(
        "user",
        "POST",
        "/api/auth/refresh",
        "P",
        everybody(DONE),
        body=lambda world: {"refreshToken": world.given["refresh"]},
    ),
    Row(
        "user",
        "POST",
        "/api/auth/guest",
        "P",
        everybody(DONE),
        success=201,
        body=lambda _: {},
        is_harmless=True,
    ),
    Row("user", "POST", "/api/auth/logout", "C", people(DONE), success=204),
    Row("user", "POST", "/api/auth/logout-all", "C", people(DONE), success=204),
    Row(
        "user",
        "GET",
        "/api/auth/sessions",
        "C",
        people(DONE, OWNER=SEES),
        shows="{session_id}",
        note="everybody the own ones",
    ),
    Row(
        "user",
        "DELETE",
        "/api/auth/sessions/{session_id}",
        "C",
        owner_only(),
        success=204,
        shows="",
    ),
    Row("user", "GET", "/.well-known/jwks.json", "P", everybody(DONE)),
)

CREDENTIALS: Final = (
    Row(
        "user",
        "POST",
        "/api/auth/password/forgot",
        "P",
        everybody(DONE),
        success=202,
        body=lambda world: {"email": world.owner.email},
        is_harmless=True,
    ),
    Row(
        "user",
        "POST",
        "/api/auth/password/reset",
        "P",
        everybody(BAD_LINK),
        body=lambda _: {"token": "made-up", "newPassword": "another-pass-456"},
        note="the right is the link of the mail, which a test of its own follows",
    ),
    Row(
        "user",
        "POST",
        "/api/auth/email/verify",
        "P",
        everybody(BAD_LINK),
        body=lambda _: {"token": "made-up"},
        note="the right is the link of the mail, which a test of its own follows",
    ),
    Row(
        "user",
        "POST",
        "/api/auth/email/resend",
        "C",
        people(
            GONE, OWNER=DONE, OTHER_CUSTOMER=DONE, OTHER_SELLER=DONE, SELLER=PROVEN, ADMIN=PROVEN
        ),
        success=202,
        note="everybody the own address; a guest has none, and some have proven theirs",
    ),
)

SECOND_FACTOR: Final = (
    Row(
        "user",
        "POST",
        "/api/auth/mfa/enrol",
        "C",
        people(OLD_PASSWORD, GUEST=WRONG_ROLE, DEMOTED=GONE),
        body=lambda _: {"password": "not-the-password"},
        note="everybody the own one, and the own password is needed beside the token",
    ),
    Row(
        "user",
        "POST",
        "/api/auth/mfa/confirm",
        "C",
        people(NO_FACTOR, GUEST=WRONG_ROLE, DEMOTED=GONE),
        body=lambda _: {"code": "123456"},
    ),
    Row(
        "user",
        "POST",
        "/api/auth/mfa/disable",
        "C",
        people(OLD_PASSWORD, GUEST=WRONG_ROLE, DEMOTED=GONE),
        body=lambda _: {"password": "not-the-password", "code": "123456"},
    ),
    Row(
        "user",
        "POST",
        "/api/auth/mfa/challenge",
        "P",
        everybody(BAD_TOKEN),
        body=lambda _: {"mfaToken": "made-up", "code": "123456"},
        note="the right is the token of the login, which a test of its own goes on with",
    ),
)

INTERNAL: Final = (
    Row(
        "user",
        "GET",
        "/internal/users/{user_id}/contact",
        "I",
        services(Actor.ORDER, Actor.NOTIFICATION),
        query="?addressId={address_id}",
    ),
    Row(
        "user",
        "PUT",
        "/internal/users/{user_id}/seller",
        "I",
        services(Actor.CATALOG),
        shows="SELLER",
        note="not in api.md: an approved store's owner sells from then on",
    ),
)

ROWS: Final = (*ACCOUNTS, *ADDRESS_BOOK, *SESSIONS, *CREDENTIALS, *SECOND_FACTOR, *INTERNAL)
