"""Accounts: who somebody says to be, whose things they are, and what a password is."""

import statistics
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.problems import assert_problem
from tests.shopper import ADDRESS, Shopper, at_once


@pytest.mark.parametrize(
    "extra",
    [{"role": "ADMIN"}, {"id": str(uuid4())}, {"isActive": True}, {"is_active": True}],
)
async def test_nobody_makes_himself_more_than_a_customer(
    somebody: Callable[[], Shopper], extra: dict[str, Any]
) -> None:
    caller = somebody()
    email = f"sly-{uuid4().hex}@example.com"
    body = {"email": email, "password": "password123", "fullName": "Sly"}

    assert_problem(await caller.request("POST", "/api/users", json=body | extra), 422)

    login = {"email": email, "password": "password123"}
    assert_problem(await caller.request("POST", "/api/auth/login", json=login), 401)


@pytest.mark.parametrize("change", [str, str.upper, lambda email: f"  {email} "])
async def test_a_taken_address_is_taken_in_any_spelling(
    shopper: Shopper, change: Callable[[str], str]
) -> None:
    body = {"email": change(shopper.email), "password": "password123", "fullName": "Twin"}

    assert_problem(await shopper.request("POST", "/api/users", json=body), 409, "email_taken")


async def test_passwords_have_a_least_length_and_no_silent_cut(
    somebody: Callable[[], Shopper],
) -> None:
    caller = somebody()
    short = {"email": f"{uuid4().hex}@example.com", "password": "1234567", "fullName": "A"}
    assert_problem(await caller.request("POST", "/api/users", json=short), 422)

    password = "p" * 72 + "a"
    await caller.register(password=password)
    await caller.login(password=password)
    wrong = {"email": caller.email, "password": "p" * 72 + "b"}
    assert_problem(await caller.request("POST", "/api/auth/login", json=wrong), 401)


async def test_unknown_user_and_wrong_password_look_and_last_the_same(
    shopper: Shopper, somebody: Callable[[], Shopper]
) -> None:
    caller = somebody()

    async def attempt(email: str) -> tuple[float, httpx2.Response]:
        body = {"email": email, "password": "not-the-password"}
        started = time.perf_counter()
        answer = await caller.request("POST", "/api/auth/login", json=body)
        return time.perf_counter() - started, answer

    known, unknown = [], []
    for _ in range(30):  # in turns, so that both meet the same machine
        known.append(await attempt(shopper.email))
        unknown.append(await attempt(f"{uuid4().hex}@example.com"))

    answers = {
        (answer.status_code, answer.json()["code"], answer.json()["detail"])
        for _, answer in known + unknown
    }
    assert len(answers) == 1
    gap_s = abs(
        statistics.median(took for took, _ in known)
        - statistics.median(took for took, _ in unknown)
    )
    assert gap_s < 0.005


async def test_others_accounts_look_like_unknown_ones(shopper: Shopper, other: Shopper) -> None:
    path = f"/api/users/{other.user_id}"
    for answer in (
        await shopper.request("GET", path),
        await shopper.request("PUT", path, json={"fullName": "Mine now"}),
        await shopper.request("GET", f"{path}/addresses"),
        await shopper.request("POST", f"{path}/addresses", json=ADDRESS),
        await shopper.request("GET", f"/api/users/{uuid4()}"),
        await shopper.request("GET", "/api/users/not-an-id"),
    ):
        assert_problem(answer, 404)


async def test_two_defaults_at_once_leave_one(shopper: Shopper) -> None:
    path = f"/api/users/{shopper.user_id}/addresses"
    await at_once(
        *(
            shopper.request("POST", path, json=ADDRESS | {"isDefault": True, "city": f"City {n}"})
            for n in range(5)
        )
    )

    addresses = (await shopper.request("GET", path)).json()["items"]

    assert (len(addresses), sum(a["isDefault"] for a in addresses)) == (5, 1)


async def test_a_new_address_needs_the_current_password(shopper: Shopper) -> None:
    body = {"email": f"{uuid4().hex}@example.com"}

    answer = await shopper.request("PUT", f"/api/users/{shopper.user_id}", json=body)

    assert_problem(answer, 403)


async def test_a_stale_if_match_is_refused(shopper: Shopper) -> None:
    path = f"/api/users/{shopper.user_id}"
    etag = (await shopper.request("GET", path)).headers["etag"]
    first = await shopper.request(
        "PUT", path, json={"fullName": "First"}, headers={"If-Match": etag}
    )
    assert first.status_code == 200, first.text

    second = await shopper.request(
        "PUT", path, json={"fullName": "Second"}, headers={"If-Match": etag}
    )

    assert_problem(second, 412)
