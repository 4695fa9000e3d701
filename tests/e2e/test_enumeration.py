"""Who has an account is told neither by an answer nor by the time it takes.

Login has a test of its own kind among the bad inputs. Registering a taken address is answered 409
as api.md says, and five times an hour and address at most.
"""

import statistics
import time
from collections.abc import Callable
from uuid import uuid4

import httpx2

from tests.shopper import Shopper

TURNS = 25
OF_ONE_ANSWER = {"date", "x-request-id", "ratelimit", "traceparent"}


async def timed(caller: Shopper, path: str, body: dict[str, str]) -> tuple[float, httpx2.Response]:
    started = time.perf_counter()
    answer = await caller.request("POST", path, json=body)
    return time.perf_counter() - started, answer


def what_is_told(answer: httpx2.Response) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """Return an answer without what is new in every answer."""
    headers = {name: v for name, v in answer.headers.items() if name not in OF_ONE_ANSWER}
    body = {name: v for name, v in answer.json().items() if name != "requestId"}
    return answer.status_code, str(body), tuple(sorted(headers.items()))


async def test_a_forgotten_password_tells_of_no_account(
    shopper: Shopper, somebody: Callable[[], Shopper]
) -> None:
    caller, known, unknown = somebody(), [], []
    for _ in range(TURNS):  # in turns, so that both meet the same machine
        path = "/api/auth/password/forgot"
        known.append(await timed(caller, path, {"email": shopper.email}))
        unknown.append(await timed(caller, path, {"email": f"{uuid4().hex}@example.com"}))

    assert len({what_is_told(answer) for _, answer in known + unknown}) == 1
    gap_s = abs(
        statistics.median(took for took, _ in known)
        - statistics.median(took for took, _ in unknown)
    )
    assert gap_s < 0.005


async def test_a_login_tells_of_no_account_whatever_its_address_looks_like(
    shopper: Shopper, somebody: Callable[[], Shopper]
) -> None:
    emails = (
        shopper.email,
        shopper.email.upper(),
        f" {shopper.email} ",
        f"{uuid4().hex}@example.com",
        "no-address",
        "' OR 1=1 -- ",
        "%",
        "*",
    )
    answers = [
        (await timed(somebody(), "/api/auth/login", {"email": email, "password": "wrong-one"}))[1]
        for email in emails
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({what_is_told(answer) for answer in answers}) == 1


async def test_a_link_that_was_never_mailed_is_one_that_was_used(
    somebody: Callable[[], Shopper],
) -> None:
    told = set()
    for token in ("x", uuid4().hex, "A" * 43, "A" * 512):
        body = {"token": token, "newPassword": "another-pass-456"}
        _, answer = await timed(somebody(), "/api/auth/password/reset", body)
        told.add(what_is_told(answer))

    assert len(told) == 1
