"""The second factor goes with the password and a code, and the account is told."""

import pyotp
import sqlalchemy as sa

from tests.integration.user_service.conftest import Served
from tests.integration.user_service.mfa.protected import (
    challenge,
    confirm,
    disable,
    enrol,
    login,
    mfa_token,
    protected,
    wrong,
)
from tests.problems import code_of


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
