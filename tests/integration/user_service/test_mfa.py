"""The second factor: an authenticator's codes and the recovery codes that stand in for it."""

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx2
import jwt
import pyotp
import pytest
import sqlalchemy as sa

from common_lib.clock import now
from common_lib.ids import new_id
from shop.stack.key_files import create_if_absent
from tests.integration.user_service.conftest import CALLER, Open, Served
from tests.shopper import Shopper, at_once
from user_service.models import RecoveryCode, TotpCredential
from user_service.services.field_cipher import FieldCipher

PASSWORD = "password123"
CHALLENGE = "/api/auth/mfa/challenge"


@dataclass
class Protected:
    """A customer with an authenticator; `step` says which of its codes comes next."""

    person: Shopper
    totp: pyotp.TOTP
    recovery_codes: list[str]
    step: int

    def next_code(self) -> str:
        """Return a code of a later time step than any before, at most one step ahead."""
        self.step = max(self.step + 1, int(time.time()) // 30)
        return self.totp.generate_otp(self.step)


async def enrol(person: Shopper, password: str = PASSWORD) -> httpx2.Response:
    return await person.request("POST", "/api/auth/mfa/enrol", json={"password": password})


async def confirm(person: Shopper, code: str) -> httpx2.Response:
    return await person.request("POST", "/api/auth/mfa/confirm", json={"code": code})


async def disable(person: Shopper, password: str = PASSWORD, **proof: str) -> httpx2.Response:
    body = {"password": password} | proof
    return await person.request("POST", "/api/auth/mfa/disable", json=body)


async def protected(app: Served) -> Protected:
    person = await app.customer()
    totp = pyotp.TOTP((await enrol(person)).json()["secret"])
    step = int(time.time()) // 30
    answer = await confirm(person, totp.generate_otp(step))
    assert answer.status_code == 200, answer.text
    return Protected(person, totp, answer.json()["recoveryCodes"], step)


async def login(app: Served, person: Shopper, address: str = CALLER) -> httpx2.Response:
    body = {"email": person.email, "password": PASSWORD}
    return await app.client_from(address).post("/api/auth/login", json=body)


async def mfa_token(app: Served, person: Shopper) -> str:
    answer = await login(app, person)
    assert answer.json()["mfaRequired"] is True
    token: str = answer.json()["mfaToken"]
    return token


async def challenge(
    app: Served, token: str, address: str = CALLER, **proof: Any
) -> httpx2.Response:
    return await app.client_from(address).post(CHALLENGE, json={"mfaToken": token} | proof)


async def change_credential(app: Served, person: Shopper, **values: Any) -> None:
    async def work(session: Any) -> None:
        owned = TotpCredential.user_id == UUID(person.user_id)
        await session.execute(sa.update(TotpCredential).where(owned).values(**values))

    await app.database.transact(work)


async def forget_steps(app: Served, held: Protected) -> None:
    """Let the present code count as unused, as it will be half a minute later."""
    await change_credential(app, held.person, last_step=0)
    held.step = 0


def code_of(answer: httpx2.Response) -> str:
    code: str = answer.json()["code"]
    return code


def wrong(held: Protected) -> str:
    """Return a code that none of the steps around now has."""
    around = int(time.time()) // 30
    right = {held.totp.generate_otp(step) for step in range(around - 3, around + 4)}
    return next(code for n in range(10) if (code := f"{n:06}") not in right)


async def test_nothing_counts_until_the_first_code_was_confirmed(app: Served) -> None:
    person = await app.customer()

    answer = await enrol(person)

    body = answer.json()
    asked = parse_qs(urlsplit(body["otpauthUri"]).query)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert body["otpauthUri"].startswith("otpauth://totp/Shop:")
    assert asked["secret"] == [body["secret"]]
    assert len(body["secret"]) == 32
    assert "accessToken" in (await login(app, person)).json()


async def test_enrolling_again_makes_the_former_secret_void(app: Served) -> None:
    person = await app.customer()
    former = pyotp.TOTP((await enrol(person)).json()["secret"])
    latter = pyotp.TOTP((await enrol(person)).json()["secret"])

    refused, taken = await confirm(person, former.now()), await confirm(person, latter.now())

    assert (refused.status_code, code_of(refused)) == (403, "mfa_code_required")
    assert taken.status_code == 200


async def test_confirming_shows_ten_recovery_codes_and_keeps_their_hashes_only(
    app: Served,
) -> None:
    held = await protected(app)
    async with app.database.read() as session:
        rows = (
            await session.scalars(
                sa.select(RecoveryCode.code_hash).where(
                    RecoveryCode.user_id == UUID(held.person.user_id)
                )
            )
        ).all()

    assert len(set(held.recovery_codes)) == len(rows) == 10
    assert all(len(code.replace("-", "")) == 16 for code in held.recovery_codes)
    assert all(len(row) == 32 for row in rows)


async def test_the_secret_is_encrypted(app: Served) -> None:
    held = await protected(app)
    async with app.database.read() as session:
        kept = await session.get_one(TotpCredential, UUID(held.person.user_id))

    cipher = FieldCipher.from_file(app.settings.field_key_file)
    assert held.totp.secret.encode() not in kept.secret
    assert cipher.decrypt(kept.user_id, kept.secret) == held.totp.secret


async def test_without_its_key_a_code_waits_and_a_recovery_code_lets_in(
    app: Served, open_app: Open, tmp_path: Path
) -> None:
    held = await protected(app)
    another = tmp_path / "field.key"
    create_if_absent(another)
    keyless = await open_app(field_key_file=another)

    code = await challenge(keyless, await mfa_token(app, held.person), code=held.next_code())
    recovery = await challenge(
        keyless, await mfa_token(app, held.person), recoveryCode=held.recovery_codes[0]
    )

    assert (code.status_code, recovery.status_code) == (503, 200)


async def test_a_login_with_a_second_factor_gives_no_tokens_yet(app: Served) -> None:
    held = await protected(app)

    answer = await login(app, held.person)

    body = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert set(body) == {"mfaRequired", "mfaToken", "expiresIn"}
    assert (body["mfaRequired"], body["expiresIn"]) == (True, 300)


async def test_a_code_finishes_the_login(app: Served) -> None:
    held = await protected(app)

    answer = await challenge(app, await mfa_token(app, held.person), code=held.next_code())

    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert set(body) == {"accessToken", "refreshToken", "tokenType", "expiresIn", "user"}
    assert body["user"]["id"] == held.person.user_id
    headers = {"Authorization": f"Bearer {body['accessToken']}"}
    me = await app.client.get(f"/api/users/{held.person.user_id}", headers=headers)
    assert me.status_code == 200


async def test_a_code_may_be_typed_as_apps_show_it(app: Served) -> None:
    held = await protected(app)
    code = held.next_code()

    answer = await challenge(app, await mfa_token(app, held.person), code=f"{code[:3]} {code[3:]}")

    assert answer.status_code == 200


async def test_a_code_works_once_and_a_used_one_answers_like_a_wrong_one(app: Served) -> None:
    held = await protected(app)
    code = held.next_code()
    await challenge(app, await mfa_token(app, held.person), code=code)

    again = await challenge(app, await mfa_token(app, held.person), code=code)
    bad = await challenge(app, await mfa_token(app, held.person), code=wrong(held))

    assert (again.status_code, code_of(again)) == (401, "invalid_mfa_code")
    assert again.json() | {"requestId": ""} == bad.json() | {"requestId": ""}


async def test_the_code_that_confirmed_does_not_log_in(app: Served) -> None:
    held = await protected(app)

    answer = await challenge(
        app, await mfa_token(app, held.person), code=held.totp.generate_otp(held.step)
    )

    assert answer.status_code == 401


async def test_a_code_sent_many_times_at_once_opens_one_session(app: Served) -> None:
    held = await protected(app)
    tokens = [await mfa_token(app, held.person) for _ in range(4)]
    code = held.next_code()

    answers = await at_once(*(challenge(app, token, code=code) for token in tokens))

    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


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


@pytest.mark.parametrize("ahead", [-2, 2])
async def test_only_one_step_to_either_side_is_taken(app: Served, ahead: int) -> None:
    held = await protected(app)
    await forget_steps(app, held)
    # Away from the edge of a step, a further one than two is far enough on both sides.
    far = int(time.time()) // 30 + ahead * 2

    answer = await challenge(
        app, await mfa_token(app, held.person), code=held.totp.generate_otp(far)
    )

    assert answer.status_code == 401


async def test_five_wrong_codes_close_the_account_to_further_guesses_from_anywhere(
    app: Served,
) -> None:
    held = await protected(app)
    token = await mfa_token(app, held.person)

    guesses = [
        await challenge(app, token, address=f"198.51.100.{n}", code=wrong(held)) for n in range(6)
    ]
    right = await challenge(app, token, code=held.next_code())
    recovery = await challenge(app, token, recoveryCode=held.recovery_codes[0])

    assert [answer.status_code for answer in guesses] == [401] * 5 + [429]
    assert code_of(guesses[-1]) == "too_many_attempts"
    assert 0 < int(guesses[-1].headers["retry-after"]) <= 900
    assert (right.status_code, recovery.status_code) == (429, 429)


async def test_guesses_that_come_at_once_are_counted_exactly(app: Served) -> None:
    held = await protected(app)
    token = await mfa_token(app, held.person)

    answers = await at_once(*(challenge(app, token, code=wrong(held)) for _ in range(12)))

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7


async def test_after_a_quarter_of_an_hour_the_right_code_works_again(app: Served) -> None:
    held = await protected(app)
    long_ago = now() - timedelta(minutes=15)
    await change_credential(app, held.person, failures=5, failed_at=long_ago)

    answer = await challenge(app, await mfa_token(app, held.person), code=held.next_code())

    assert answer.status_code == 200


async def test_a_right_code_gives_all_guesses_back(app: Served) -> None:
    held = await protected(app)
    await change_credential(app, held.person, failures=4, failed_at=now())
    await challenge(app, await mfa_token(app, held.person), code=held.next_code())

    token = await mfa_token(app, held.person)
    guesses = [await challenge(app, token, code=wrong(held)) for _ in range(5)]

    assert {answer.status_code for answer in guesses} == {401}


async def test_a_recovery_code_works_once_in_any_spelling(app: Served) -> None:
    held = await protected(app)
    spelled = held.recovery_codes[0].lower().replace("-", " ")

    first = await challenge(app, await mfa_token(app, held.person), recoveryCode=spelled)
    again = await challenge(
        app, await mfa_token(app, held.person), recoveryCode=held.recovery_codes[0]
    )

    assert first.status_code == 200, first.text
    assert (again.status_code, code_of(again)) == (401, "invalid_mfa_code")


async def test_a_recovery_code_used_at_once_opens_one_session(app: Served) -> None:
    held = await protected(app)
    tokens = [await mfa_token(app, held.person) for _ in range(4)]

    answers = await at_once(
        *(challenge(app, token, recoveryCode=held.recovery_codes[3]) for token in tokens)
    )

    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_anothers_recovery_code_opens_nothing(app: Served) -> None:
    held, other = await protected(app), await protected(app)

    answer = await challenge(
        app, await mfa_token(app, held.person), recoveryCode=other.recovery_codes[0]
    )

    assert answer.status_code == 401


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


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"code": "123456", "recoveryCode": "AAAA-AAAA-AAAA-AAAA"},
        {"code": "12345"},
        {"code": "1234567"},
        {"code": 123456},
        {"code": "١٢٣٤٥٦"},
        {"code": "123456\n"},
        {"recoveryCode": "' OR 1=1 --"},
        {"recoveryCode": ""},
        {"code": "123456", "trustDevice": True},
    ],
)
async def test_a_malformed_proof_is_refused_and_not_counted(
    app: Served, proof: dict[str, Any]
) -> None:
    held = await protected(app)

    answer = await challenge(app, await mfa_token(app, held.person), **proof)

    assert (answer.status_code, code_of(answer)) == (422, "validation_failed")
    async with app.database.read() as session:
        kept = await session.get_one(TotpCredential, UUID(held.person.user_id))
    assert kept.failures == 0


@pytest.mark.parametrize("path", ["enrol", "confirm", "disable"])
async def test_a_guest_and_a_stranger_have_no_second_factor(app: Served, path: str) -> None:
    guest = (await app.client.post("/api/auth/guest", json={})).json()
    body = {"enrol": {"password": "x"}, "confirm": {"code": "123456"}}.get(
        path, {"password": "x", "code": "123456"}
    )

    async def status(headers: dict[str, str]) -> int:
        answer = await app.client.post(f"/api/auth/mfa/{path}", json=body, headers=headers)
        return answer.status_code

    assert await status({"Authorization": f"Bearer {guest['accessToken']}"}) == 403
    assert await status({}) == 401


async def test_enrolling_takes_the_current_password(open_app: Open) -> None:
    app = await open_app(login_limit_per_15min=5)
    person = await app.customer()

    answers = [await enrol(person, f"wrong-{n}") for n in range(6)]

    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert code_of(answers[0]) == "current_password_required"


async def test_a_second_authenticator_needs_the_first_to_go(app: Served) -> None:
    held = await protected(app)

    answers = [await enrol(held.person), await confirm(held.person, held.next_code())]

    assert [(a.status_code, code_of(a)) for a in answers] == [(409, "mfa_already_enabled")] * 2


async def test_confirming_at_once_shows_the_recovery_codes_to_one(app: Served) -> None:
    person = await app.customer()
    code = pyotp.TOTP((await enrol(person)).json()["secret"]).now()

    answers = await at_once(*(confirm(person, code) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    (shown,) = [a.json()["recoveryCodes"] for a in answers if a.status_code == 200]
    done = await challenge(app, await mfa_token(app, person), recoveryCode=shown[0])
    assert done.status_code == 200


async def test_nothing_is_confirmed_or_disabled_without_an_enrolment(app: Served) -> None:
    person = await app.customer()

    answers = [await confirm(person, "123456"), await disable(person, code="123456")]

    assert [(a.status_code, code_of(a)) for a in answers] == [(409, "mfa_not_enabled")] * 2


async def test_disabling_takes_the_password_and_a_code(app: Served) -> None:
    held = await protected(app)

    without_password = await disable(held.person, "password124", code=held.next_code())
    without_code = await disable(held.person, code=wrong(held))
    still = await login(app, held.person)
    with_both = await disable(held.person, code=held.totp.generate_otp(held.step))

    assert (without_password.status_code, code_of(without_password)) == (
        403,
        "current_password_required",
    )
    assert (without_code.status_code, code_of(without_code)) == (403, "mfa_code_required")
    assert "mfaToken" in still.json()
    assert with_both.status_code == 204
    assert "accessToken" in (await login(app, held.person)).json()


async def test_a_lost_authenticator_is_disabled_with_a_recovery_code_and_replaced(
    app: Served,
) -> None:
    held = await protected(app)

    gone = await disable(held.person, recoveryCode=held.recovery_codes[0])
    totp = pyotp.TOTP((await enrol(held.person)).json()["secret"])
    fresh = await confirm(held.person, totp.now())
    old = await challenge(
        app, await mfa_token(app, held.person), recoveryCode=held.recovery_codes[1]
    )

    assert (gone.status_code, fresh.status_code, old.status_code) == (204, 200, 401)


async def test_the_account_is_told_when_the_second_factor_comes_and_goes(
    quiet_app: Served,
) -> None:
    app = quiet_app
    held = await protected(app)
    await disable(held.person, recoveryCode=held.recovery_codes[0])

    async with app.database.connection() as connection:
        statement = sa.text("SELECT event_type FROM outbox WHERE aggregate_key = :user ORDER BY id")
        told = (await connection.execute(statement, {"user": held.person.user_id})).scalars().all()
    assert [kind for kind in told if kind.startswith("MFA")] == ["MFA_ENABLED", "MFA_DISABLED"]


async def test_guesses_at_disabling_and_at_logging_in_are_counted_together(app: Served) -> None:
    held = await protected(app)
    token = await mfa_token(app, held.person)

    answers = [await disable(held.person, code=wrong(held)) for _ in range(3)]
    answers += [await challenge(app, token, code=wrong(held)) for _ in range(3)]

    assert [a.status_code for a in answers] == [403, 403, 403, 401, 401, 429]


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
