"""A recovery code stands in for the authenticator, once."""

from tests.integration.user_service.conftest import Served
from tests.integration.user_service.mfa.protected import challenge, mfa_token, protected
from tests.problems import code_of
from tests.shopper import at_once


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
