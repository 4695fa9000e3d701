"""What an authenticator's code lets in, and how often."""

import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from shop.stack.key_files import create_if_absent
from tests.integration.user_service.conftest import Open, Served
from tests.integration.user_service.mfa.protected import (
    challenge,
    forget_steps,
    login,
    mfa_token,
    protected,
    wrong,
)
from tests.problems import code_of
from tests.shopper import at_once
from user_service.models import TotpCredential


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
