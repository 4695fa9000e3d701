"""Wrong codes are counted for the account, wherever they come from."""

from datetime import timedelta

from common_lib.clock import now
from tests.integration.user_service.conftest import Served
from tests.integration.user_service.mfa.protected import (
    challenge,
    change_credential,
    disable,
    mfa_token,
    protected,
    wrong,
)
from tests.problems import code_of
from tests.shopper import at_once


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


async def test_guesses_at_disabling_and_at_logging_in_are_counted_together(app: Served) -> None:
    held = await protected(app)
    token = await mfa_token(app, held.person)

    answers = [await disable(held.person, code=wrong(held)) for _ in range(3)]
    answers += [await challenge(app, token, code=wrong(held)) for _ in range(3)]

    assert [a.status_code for a in answers] == [403, 403, 403, 401, 401, 429]
