"""The token between the password and the code: good for one login and for nothing else."""

import time
from uuid import uuid4

import jwt
import sqlalchemy as sa

from common_lib.ids import new_id
from tests.integration.user_service.conftest import Served
from tests.integration.user_service.mfa.protected import challenge, mfa_token, protected
from tests.problems import code_of
from tests.shopper import at_once


async def test_one_pending_login_becomes_one_session(app: Served) -> None:
    held = await protected(app)
    token = await mfa_token(app, held.person)

    answers = await at_once(
        *(challenge(app, token, recoveryCode=code) for code in held.recovery_codes[:4])
    )
    later = await challenge(app, token, code=held.next_code())

    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    assert {code_of(answer) for answer in answers if answer.status_code == 401} == {"revoked"}
    assert (later.status_code, code_of(later)) == (401, "revoked")


async def test_the_pending_token_is_no_access_token_and_no_refresh_token(app: Served) -> None:
    held = await protected(app)
    token = await mfa_token(app, held.person)
    headers = {"Authorization": f"Bearer {token}"}

    as_access = [
        await app.client.request(method, path, headers=headers)
        for method, path in [
            ("GET", f"/api/users/{held.person.user_id}"),
            ("GET", "/api/auth/sessions"),
            ("POST", "/api/auth/logout-all"),
        ]
    ]
    as_refresh = await app.client.post("/api/auth/refresh", json={"refreshToken": token})

    assert [answer.status_code for answer in as_access] == [401] * 3
    assert {code_of(answer) for answer in as_access} == {"wrong_token_type"}
    assert as_refresh.status_code == 401


async def test_no_other_token_finishes_a_login(app: Served) -> None:
    held = await protected(app)
    token = await mfa_token(app, held.person)
    head, body, signature = token.split(".")
    forged = jwt.encode(
        jwt.decode(token, options={"verify_signature": False}),
        "x" * 32,
        algorithm="HS256",
        headers={"typ": "mfa+jwt"},
    )
    others = [
        held.person.token,
        held.person.refresh_token,
        "nonsense",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
        forged,
    ]

    answers = [await challenge(app, other, code=held.next_code()) for other in others]

    assert [answer.status_code for answer in answers] == [401] * 6
    assert {code_of(answer) for answer in answers} == {"wrong_token_type", "invalid_token"}


async def test_a_pending_login_ends_with_the_password_it_began_with(app: Served) -> None:
    held = await protected(app)
    token = await mfa_token(app, held.person)
    async with app.database.connection() as connection:
        statement = sa.text("UPDATE users SET password_hash = 'changed' WHERE email = :email")
        await connection.execute(statement, {"email": held.person.email})
        await connection.commit()

    answer = await challenge(app, token, code=held.next_code())

    assert (answer.status_code, code_of(answer)) == (401, "invalid_credentials")


async def test_a_suspended_account_is_not_entered_by_a_pending_login(app: Served) -> None:
    held, admin = await protected(app), await app.admin()
    token = await mfa_token(app, held.person)
    path = f"/api/users/{held.person.user_id}/status"
    await admin.request("PATCH", path, json={"status": "SUSPENDED"})

    answer = await challenge(app, token, code=held.next_code())

    assert (answer.status_code, code_of(answer)) == (403, "account_suspended")


async def test_a_pending_login_of_nobody_opens_nothing(app: Served) -> None:
    held = await protected(app)
    claims = jwt.decode(await mfa_token(app, held.person), options={"verify_signature": False})
    from_key = jwt.encode(
        claims | {"sub": str(new_id()), "jti": str(uuid4())},
        app.settings.jwt_private_key_file.read_bytes(),
        algorithm="ES256",
        headers={"typ": "mfa+jwt", "kid": jwt.get_unverified_header(held.person.token)["kid"]},
    )
    expired = jwt.encode(
        claims | {"exp": int(time.time()) - 1},
        app.settings.jwt_private_key_file.read_bytes(),
        algorithm="ES256",
        headers={"typ": "mfa+jwt", "kid": jwt.get_unverified_header(held.person.token)["kid"]},
    )

    nobody = await challenge(app, from_key, code=held.next_code())
    too_late = await challenge(app, expired, code=held.next_code())

    assert (nobody.status_code, code_of(nobody)) == (401, "invalid_credentials")
    assert (too_late.status_code, code_of(too_late)) == (401, "token_expired")
