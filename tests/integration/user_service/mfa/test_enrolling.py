"""An authenticator is enrolled, and counts once its first code was confirmed."""

from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pyotp
import pytest
import sqlalchemy as sa

from tests.integration.user_service.conftest import Open, Served
from tests.integration.user_service.mfa.protected import (
    challenge,
    confirm,
    disable,
    enrol,
    login,
    mfa_token,
    protected,
)
from tests.problems import code_of
from tests.shopper import at_once
from user_service.models import RecoveryCode, TotpCredential
from user_service.services.field_cipher import FieldCipher


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
