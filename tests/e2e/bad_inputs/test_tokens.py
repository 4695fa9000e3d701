"""Tokens that open nothing, and identities that a client only claims."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest

from tests.problems import assert_problem
from tests.shopper import Shopper
from tests.waiting import eventually


async def test_no_token_is_told_to_log_in(somebody: Callable[[], Shopper]) -> None:
    answer = await somebody().request("GET", "/api/orders")

    assert_problem(answer, 401, "auth_required")


def forged(token: str, **changes: Any) -> str:
    """Return the token's claims changed and signed with a key nobody knows."""
    claims = jwt.decode(token, options={"verify_signature": False}) | changes
    header = jwt.get_unverified_header(token)
    return jwt.encode(claims, "x" * 32, algorithm="HS256", headers=header | {"alg": "HS256"})


async def test_forged_tokens_open_nothing(
    shopper: Shopper, somebody: Callable[[], Shopper]
) -> None:
    header, body, signature = shopper.token.split(".")
    tokens: dict[str, str] = {
        "none": jwt.encode(
            jwt.decode(shopper.token, options={"verify_signature": False}), "", algorithm="none"
        ),
        "hs256": forged(shopper.token),
        "admin": forged(shopper.token, role="ADMIN"),
        "cut": f"{header}.{body}.",
        "swapped": f"{header}.{body}.{signature[::-1]}",
        "long": "x" * 8192,
        "refresh": shopper.refresh_token,
    }
    for name, token in tokens.items():
        caller = somebody()
        caller.token = token
        answer = await caller.request("GET", f"/api/users/{shopper.user_id}")
        assert answer.status_code == 401, f"{name}: {answer.status_code} {answer.text}"


async def test_a_token_in_the_query_is_not_looked_at(
    shopper: Shopper, somebody: Callable[[], Shopper]
) -> None:
    answer = await somebody().request("GET", f"/api/orders?access_token={shopper.token}")

    assert_problem(answer, 401, "auth_required")


async def test_a_logged_out_token_is_dead_within_a_second(shopper: Shopper) -> None:
    assert (await shopper.request("POST", "/api/auth/logout")).status_code in {200, 204}

    async def refused() -> bool:
        answer = await shopper.request("GET", f"/api/users/{shopper.user_id}")
        return answer.status_code == 401 and answer.json()["code"] == "revoked"

    await eventually(refused, timeout_s=1)


async def test_a_demoted_admin_is_one_no_longer_within_a_second(
    admin: Shopper, shopper: Shopper
) -> None:
    promote = {"role": "ADMIN"}
    path = f"/api/users/{shopper.user_id}/role"
    assert (await admin.request("PATCH", path, json=promote)).status_code == 200
    await shopper.login()
    assert (await shopper.request("GET", "/api/coupons")).status_code == 200

    demoted = await admin.request("PATCH", path, json={"role": "CUSTOMER"})
    assert demoted.status_code == 200, demoted.text

    async def refused() -> bool:
        return (await shopper.request("GET", "/api/coupons")).status_code == 403

    await eventually(refused, timeout_s=1)


@pytest.mark.parametrize("name", ["X-User-Id", "X_User_Id", "X.User.Id", "X-User-Role"])
async def test_an_identity_header_of_the_client_changes_nothing(
    shopper: Shopper, other: Shopper, name: str
) -> None:
    answer = await shopper.request(
        "GET", f"/api/users/{other.user_id}", headers={name: other.user_id}
    )

    assert_problem(answer, 404)
